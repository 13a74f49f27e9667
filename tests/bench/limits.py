"""Promise 4: never more than `count` sends in any sliding period, and nearly that many.

A backlog over 10 groups meets an account rate of 20/1s; everything else is wide or as it comes. The times are those at
which the stub had the whole request, in a process of its own, so that what lies between claim and arrival counts. Of
every 20th send the distance to the one 20 before it is taken: none may be below the period, or a window has 21; all
of them together say what was used of `count / (period + answer time)`, the answer time as the stub took it.
"""

import argparse
import statistics
from typing import NamedTuple

from tests.bench.report import Bound, Report, spread
from tests.bench.world import Seen, world
from tests.world import WIDE

_COUNT, _PERIOD = 20, 1.0
_GROUPS = 10
_REPLICAS = (1, 3)
_ANSWERS_MS = (0, 20, 100)


class _Case(NamedTuple):
    """What one backlog showed.

    most   sends in the fullest window of the period
    spare  milliseconds by which the shortest distance over 20 sends was longer than the period
    used   percent of `count / (period + answer time)`
    """

    most: int
    spare: float
    used: float


def options(parser: argparse.ArgumentParser) -> None:
    """Add the options of this measurement."""
    parser.add_argument("--sends", type=int, default=160, help="sends in a case")
    parser.add_argument("--rounds", type=int, default=2)


async def measure(arguments: argparse.Namespace) -> Report:
    """Measure every number of replicas with every answer time."""
    cases: dict[tuple[int, int], list[_Case]] = {}
    report = Report(
        "limits",
        f"{_COUNT}/1s on the account, {_GROUPS} groups, {arguments.sends} sends a case, {arguments.rounds} rounds",
        ("case", "used %", "most in a window", "spare ms"),
    )
    for _ in range(arguments.rounds):
        for replicas in _REPLICAS:
            for answer_ms in _ANSWERS_MS:
                case = await _case(replicas, answer_ms, arguments.sends)
                cases.setdefault((replicas, answer_ms), []).append(case)
    for (replicas, answer_ms), rounds in cases.items():
        name = f"{replicas} replica{'s' * (replicas > 1)}, answers after {answer_ms} ms"
        used, spare = spread([case.used for case in rounds]), spread([case.spare for case in rounds])
        report.rows.append((name, used, max(case.most for case in rounds), spare))
    every = [case for rounds in cases.values() for case in rounds]
    report.bounds += [
        Bound("most sends in any window of the period", max(case.most for case in every), _COUNT),
        Bound("least used of the rate, %", min(case.used for case in every), 97, at_least=True),
    ]
    return report


async def _case(replicas: int, answer_ms: int, sends: int) -> _Case:
    async with world(answer_ms=answer_ms, limits={**WIDE, "account": [f"{_COUNT}/{_PERIOD:.0f}s"]}) as here:
        await here.start(replicas)
        await here.producer.add(
            *(f'{{"group_id":"{1 + number % _GROUPS}","message":"{number}"}}' for number in range(sends))
        )
        await here.stub.has(sends, deadline=5 + 2 * sends / _COUNT * (_PERIOD + answer_ms / 1000))
        return _read(await here.stub.seen())


def _read(seen: list[Seen]) -> _Case:
    times = [one.at for one in seen]
    answer = statistics.median([one.answered - one.at for one in seen if one.answered])
    distances = [later - earlier for earlier, later in zip(times, times[_COUNT:], strict=False)]
    used = (_PERIOD + answer) / statistics.fmean(distances)
    return _Case(most_within(times, _PERIOD), (min(distances) - _PERIOD) * 1000, used * 100)


def most_within(times: list[float], period: float) -> int:
    """Return the largest number of TIMES (rising) in any window of PERIOD seconds."""
    most, first = 0, 0
    for last, time in enumerate(times):
        while time - times[first] >= period:
            first += 1
        most = max(most, last - first + 1)
    return most
