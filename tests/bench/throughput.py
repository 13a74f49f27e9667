"""How many jobs a second go the whole way, against a client that does nothing but post, and against other queues.

Turn by turn, in one run: the bare loop posts the same bodies to the same stub, 64 at once; then as many jobs are pushed
into the stream of one gateway with production settings (log and metrics on, limits wide), which reads, checks, admits,
sends and writes down each: over HTTP, then another gateway over WebSocket; then arq and taskiq work off a queue of jobs
that post the same, with the results kept for an hour, as the gateway keeps its records (taskiq also without). Their
queues are filled before their clock runs, the gateway's while it runs; they check nothing, keep no order and no rates.
Every ratio is that of turns side by side; CPU is of the process that posts, of Redis and of the stub.
"""

import argparse
import statistics
from contextlib import AsyncExitStack
from functools import partial

from tests.bench import turns
from tests.bench.jobs import AT_ONCE
from tests.bench.peers.environment import python_of
from tests.bench.report import Bound, Report, spread
from tests.bench.turns import Turn
from tests.bench.world import World, world

_MUST_RATIO = 0.65
_MUST_OWN_US = 40.0
_MUST_REDIS_US = 40.0
_MUST_WS = 1.5
_MUST_PEERS = {"arq": 7.0, "taskiq": 5.0}
_BARE, _HTTP, _WS = "bare loop", "gateway", "gateway, ws"


def options(parser: argparse.ArgumentParser) -> None:
    """Add the options of this measurement."""
    parser.add_argument("--jobs", type=int, default=6_000, help="of a turn")
    parser.add_argument("--peer-jobs", type=int, default=3_000, help="of a turn of a peer")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--ws", action=argparse.BooleanOptionalAction, default=True, help="over WebSocket, too")
    parser.add_argument(
        "--peers", action=argparse.BooleanOptionalAction, default=True, help="arq and taskiq; installs them once"
    )


async def measure(arguments: argparse.Namespace) -> Report:
    """Measure ROUNDS turns of everybody, after one that warms up."""
    peers = {name: await python_of(name) for name in _MUST_PEERS} if arguments.peers else {}
    report = Report(
        "throughput",
        f"{arguments.jobs} jobs a turn, {arguments.rounds} rounds, {AT_ONCE} calls at once",
        ("turns", "÷ bare loop", "jobs/s", "own CPU µs a job", "Redis µs", "stub µs", "producer µs"),
    )
    found: dict[str, list[Turn]] = {}
    async with AsyncExitStack() as stack:
        here = await _started(stack, "http")
        ways = {_BARE: partial(turns.bare, here, arguments.jobs), _HTTP: partial(turns.whole, here, arguments.jobs)}
        if arguments.ws:
            ways[_WS] = partial(turns.whole, await _started(stack, "ws"), arguments.jobs)
        for name, python in peers.items():
            ways[name] = partial(turns.peer, here, arguments.peer_jobs, python, f"with_{name}")
        if peers:
            forgets = partial(turns.peer, here, arguments.peer_jobs, peers["taskiq"], "with_taskiq", "--forget")
            ways["taskiq, no results"] = forgets
        for number in range(arguments.rounds + 1):
            for name, way in ways.items():
                turn = await way()
                if number:
                    found.setdefault(name, []).append(turn)
    for name, these in found.items():
        columns = [spread(list(values)) for values in zip(*these, strict=True)]
        report.rows.append((name, spread(turns.ratios(these, found[_BARE])), *columns))
    share = statistics.median(one.stub * one.rate for one in found[_BARE]) / 1e4
    report.notes.append(f"the stub worked {share:.0f} % of the time of the bare loop's turns")
    report.bounds += bounds(found[_BARE], found[_HTTP])
    if arguments.ws:
        report.bounds.append(_ratio("jobs/s over WebSocket ÷ over HTTP", found[_WS], found[_HTTP], _MUST_WS))
    report.bounds += [_ratio(f"jobs/s ÷ {name}", found[_HTTP], found[name], _MUST_PEERS[name]) for name in peers]
    return report


async def _started(stack: AsyncExitStack, transport: str) -> World:
    here = await stack.enter_async_context(world(account={**turns.ACCOUNT, "transport": transport}))
    await here.start()
    return here


def bounds(bare: list[Turn], whole: list[Turn]) -> list[Bound]:
    """Return what the turns of a gateway must be against those of the bare loop beside them."""
    beyond = [one.own - other.own for one, other in zip(whole, bare, strict=True)]
    return [
        _ratio("jobs/s ÷ the bare loop", whole, bare, _MUST_RATIO),
        Bound("own CPU beyond the post, µs a job", statistics.median(beyond), _MUST_OWN_US),
        Bound("Redis CPU, µs a job", statistics.median(one.redis for one in whole), _MUST_REDIS_US),
    ]


def _ratio(what: str, these: list[Turn], others: list[Turn], must: float) -> Bound:
    return Bound(what, statistics.median(turns.ratios(these, others)), must, at_least=True)
