"""How many jobs a second go the whole way, against a client that does nothing but post.

Turn by turn, in one run: the bare loop posts the same bodies to the same stub, 64 at once; then as many jobs are pushed
into the stream of one gateway with production settings (log and metrics on, limits wide), which reads, checks, admits,
sends and writes down each. A turn of the gateway ends when the stub has all of them. The ratio is that of two turns
side by side; CPU is of the gateway's process and of Redis.
"""

import argparse
import asyncio
import json
import statistics
import sys
import time
from typing import NamedTuple

from tests.bench.report import Bound, Report, spread
from tests.bench.world import World, world

_AT_ONCE = 64
_MUST_RATIO = 0.65
_MUST_OWN_US = 40.0
_MUST_REDIS_US = 40.0
_PUSHED = 500  # jobs in a round trip of the producer


class _Turn(NamedTuple):
    """Jobs a second, and microseconds of CPU a job: of the process that posts, and of Redis."""

    rate: float
    cpu: float
    redis: float


def options(parser: argparse.ArgumentParser) -> None:
    """Add the options of this measurement."""
    parser.add_argument("--jobs", type=int, default=6_000, help="of a turn")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--transport", choices=("http", "ws"), default="http")


async def measure(arguments: argparse.Namespace) -> Report:
    """Measure ROUNDS turns of both, after one that warms up."""
    report = Report(
        "throughput",
        f"{arguments.jobs} jobs a turn, {arguments.rounds} rounds, {_AT_ONCE} calls at once, {arguments.transport}",
        ("turns", "a second", "own CPU µs each", "Redis CPU µs each"),
    )
    account = {"max_in_flight": _AT_ONCE, "transport": arguments.transport, "token": "a-token-of-some-length"}
    bare, whole = [], []
    async with world(account=account) as here:
        await here.start()
        for number in range(arguments.rounds + 1):
            turns = await _bare(here, arguments.jobs), await _whole(here, arguments.jobs)
            if number:
                bare.append(turns[0])
                whole.append(turns[1])
    for name, turns_of in (("bare loop", bare), ("gateway", whole)):
        report.rows.append((name, *(spread(list(values)) for values in zip(*turns_of, strict=True))))
    pairs = list(zip(bare, whole, strict=True))
    report.bounds += [
        Bound(
            "jobs a second ÷ the bare loop",
            statistics.median(b.rate for _, b in pairs) / statistics.median(a.rate for a, _ in pairs),
            _MUST_RATIO,
            at_least=True,
        ),
        Bound("own CPU beyond the post, µs a job", statistics.median(b.cpu - a.cpu for a, b in pairs), _MUST_OWN_US),
        Bound("Redis CPU, µs a job", statistics.median(one.redis for one in whole), _MUST_REDIS_US),
    ]
    report.notes.append(f"ratios of turns side by side: {', '.join(f'{b.rate / a.rate:.2f}' for a, b in pairs)}")
    return report


async def _bare(here: World, jobs: int) -> _Turn:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.bench.bare", here.stub.url, "a-token-of-some-length", str(jobs), str(_AT_ONCE)),
        stdout=asyncio.subprocess.PIPE,
    )
    out, _ = await process.communicate()
    told = json.loads(out)
    return _Turn(jobs / told["seconds"], told["cpu"] / jobs * 1e6, 0.0)


async def _whole(here: World, jobs: int) -> _Turn:
    lines = [
        json.dumps(
            {
                "group_id": str(1 + number % 1_000),
                "message": f"Good morning, this is job number {number} of the many that are posted to see how fast "
                "that can be.",
            }
        )
        for number in range(jobs)
    ]
    count, own, redis = await here.stub.count(), here.gateway_cpu(), await here.redis_cpu()
    began = time.perf_counter()
    for begin in range(0, jobs, _PUSHED):
        await here.producer.add(*lines[begin : begin + _PUSHED])
    await here.stub.has(count + jobs, deadline=60)
    took = time.perf_counter() - began
    await here.settled(deadline=30)
    return _Turn(jobs / took, (here.gateway_cpu() - own) / jobs * 1e6, (await here.redis_cpu() - redis) / jobs * 1e6)
