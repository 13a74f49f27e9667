"""Promise 5: neither a flooded group nor one that hangs delays the others.

50 quiet groups get a few jobs a second each, at fixed instants whatever has become of those before. Their latency runs
from right before the XADD in this process to the moment the stub had the whole request in its own. Phases without and
with a disturbance take turns, each in a fresh world, and the first second of each counts for nothing, since the
gateway's connections are cold then. A ratio compares phases of one round; the bound holds for the median of the rounds,
since p99 on a machine with other work jumps by itself: see what it does `alone`.

`paced`    10,000 jobs of another group wait in its lane, admitted before the phase began; its rate is 1/1100ms, the
           default, so that the lane waits almost always
`hanging`  100 jobs of another group, the first of which NapCat never answers: its call is open all through the phase
`both`     that backlog and that hanging group together
`racing`   for comparison, without a bound: the backlog with limits as wide as those of the quiet ones, so that its lane
           goes as fast as one after the other can, and takes most of the machine
`flooding` for comparison, without a bound: the 10,000 jobs while they are still on their way in, ahead of the quiet
           ones in the same stream, which is read in order
"""

import argparse
import asyncio
import time
from contextlib import AbstractAsyncContextManager

from tests.bench.paced import Paced, paced_job
from tests.bench.report import Bound, Report, percentile, spread
from tests.bench.world import World, world
from tests.world import WIDE

_QUIET = [str(number) for number in range(1, 51)]
_PER_SECOND = 3 * len(_QUIET)
_OTHER, _HANGS = "999", "998"
_WARM_S = 1.0
_FLOODING_S = 1.0
_BACKLOG = 10_000
_HUNG = 100
_MUST = 1.5
_SETTLING_S = 0.5  # for the jobs of one phase to be gone before the next, or before the stub is busy telling
_PHASES = ("alone", "paced", "hanging", "alone", "both", "racing")
_BOUNDED = ("paced", "hanging", "both")
_PACED = {**WIDE, "overrides": [{"target": f"group:{_OTHER}", "rates": ["1/1100ms"]}]}


def options(parser: argparse.ArgumentParser) -> None:
    """Add the options of this measurement."""
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--seconds", type=float, default=4.0, help="length of a phase that counts")


async def measure(arguments: argparse.Namespace) -> Report:
    """Measure every phase in every round."""
    rounds: list[dict[str, list[float]]] = []
    drained: list[float] = []
    report = Report(
        "isolation",
        f"{len(_QUIET)} quiet groups, {_PER_SECOND} jobs/s together, {arguments.rounds} rounds of "
        f"{arguments.seconds:.0f} s a phase",
        ("quiet groups", "p99 ÷ alone", "p50 ms", "p99 ms", "worst ms"),
    )
    for _ in range(arguments.rounds):
        found: dict[str, list[float]] = {}
        for phase in _PHASES:
            async with _world_of(phase) as here:
                for name, latencies in (await _phase(here, phase, arguments.seconds, drained)).items():
                    found.setdefault(name, []).extend(latencies)
        rounds.append(found)
    for name in rounds[0]:
        p99 = [percentile(found[name], 99) for found in rounds]
        ratio = spread([own / percentile(found["alone"], 99) for own, found in zip(p99, rounds, strict=True)])
        p50 = spread([percentile(found[name], 50) for found in rounds])
        report.rows.append((name, ratio, p50, spread(p99), spread([max(found[name]) for found in rounds])))
        if name in _BOUNDED:
            report.bounds.append(Bound(f"p99 with {name} ÷ p99 alone", ratio.median, _MUST))
    report.notes.append(f"the racing lane sent {spread(drained)} jobs/s meanwhile")
    return report


def _world_of(phase: str) -> AbstractAsyncContextManager[World]:
    hanging = [_HANGS] if phase in {"hanging", "both"} else []
    return world(hanging=hanging, limits=_PACED if phase in {"paced", "both"} else WIDE)


async def _phase(here: World, phase: str, seconds: float, drained: list[float]) -> dict[str, list[float]]:
    """Return milliseconds of each quiet job that counts, by what was going on meanwhile."""
    await here.start()
    quiet = Paced(here, _QUIET, _PER_SECOND)
    parts = {"warm": await quiet.push(_WARM_S)}
    if phase in {"hanging", "both"}:
        await here.producer.add(*[paced_job(_HANGS, "hangs")] * _HUNG)
    if phase in {"racing", "paced", "both"}:
        await here.producer.add(*[paced_job(_OTHER, "flood")] * _BACKLOG)
        parts["flooding"] = await quiet.push(_FLOODING_S)
    await here.read_up(deadline=30)
    await asyncio.sleep(_SETTLING_S)
    gone = await here.stub.count()
    began = time.monotonic()
    parts[phase] = await quiet.push(seconds)
    await asyncio.sleep(_SETTLING_S)
    took, gone = time.monotonic() - began, await here.stub.count() - gone
    seen = await quiet.arrived(deadline=20)
    others = [one for one in seen if one.group == _OTHER]
    if phase in {"hanging", "both"}:
        hung = [one.answered for one in seen if one.group == _HANGS]
        assert hung == [0.0], "one call hangs, and nothing behind it was sent"
    assert len(others) < _BACKLOG, "a backlog lasts all through its phase"
    if phase == "racing":
        drained.append((gone - len(parts[phase])) / took)
    arrived = {one.text: one.at for one in seen}
    del parts["warm"]
    return {name: [(arrived[text] - quiet.pushed[text]) * 1000 for text in texts] for name, texts in parts.items()}
