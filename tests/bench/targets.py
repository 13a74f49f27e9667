"""What a job costs Redis does not depend on how many targets there are.

The same number of jobs goes to 100, 10,000 and 100,000 targets in turn, through a fresh server each time: first all
are admitted by the gateway's own code, then one gateway with wide limits and 64 calls in flight sends them. The cost is
what the server says of its own CPU (`INFO cpu`: user and system, all threads), so other load on the machine is not in
it, but for what it costs the caches. Reading the stream is left out: it costs the same for every target, and would make
the ratio look better.
"""

import argparse
import time
from collections.abc import Iterator
from itertools import islice
from typing import Any

from tests.bench.report import Bound, Report, Spread, spread
from tests.bench.world import World, world

_TARGETS = (100, 10_000, 100_000)
_SLICES = 5
_MUST = 1.6


def options(parser: argparse.ArgumentParser) -> None:
    """Add the options of this measurement."""
    parser.add_argument("--jobs", type=int, default=100_000, help="jobs for each number of targets")
    parser.add_argument("--targets", type=int, nargs="+", default=_TARGETS, help="the first is what others are held to")


async def measure(arguments: argparse.Namespace) -> Report:
    """Measure every number of targets once, in slices."""
    report = Report(
        "targets",
        f"Redis CPU of {arguments.jobs} jobs, in {_SLICES} slices each",
        ("targets", "÷ first", "µs a job", "admitting µs", "sending µs", "jobs/s sent"),
    )
    costs: list[float] = []
    for targets in arguments.targets:
        async with world(account={"max_in_flight": 64}) as here:
            before = await here.redis_cpu()
            admitting = await _admit(here, targets, arguments.jobs)
            sending, rate = await _send(here, arguments.jobs)
            costs.append((await here.redis_cpu() - before) / arguments.jobs * 1e6)
        report.rows.append((str(targets), costs[-1] / costs[0], costs[-1], admitting, sending, rate))
    report.bounds += [
        Bound(f"Redis CPU a job at {targets} targets ÷ at {arguments.targets[0]}", cost / costs[0], _MUST)
        for targets, cost in zip(arguments.targets[1:], costs[1:], strict=True)
    ]
    return report


async def _admit(here: World, targets: int, jobs: int) -> Spread:
    """Admit the jobs to their targets in turn; return microseconds of Redis' CPU a job, by slices."""
    rest = _jobs(targets, jobs)
    slices, cpu = [], await here.redis_cpu()
    for _ in range(_SLICES):
        await here.admit(islice(rest, jobs // _SLICES))
        cpu, before = await here.redis_cpu(), cpu
        slices.append((cpu - before) / (jobs // _SLICES) * 1e6)
    return spread(slices)


async def _send(here: World, jobs: int) -> tuple[Spread, Spread]:
    """Let a gateway send them all; return microseconds of Redis' CPU a job and jobs a second, by slices."""
    await here.start()
    costs, rates = [], []
    count, cpu, at = await here.stub.count(), await here.redis_cpu(), time.monotonic()
    for slice_ in range(1, _SLICES + 1):
        await here.stub.has(count + (jobs - count) // (_SLICES - slice_ + 1), deadline=120)
        if slice_ == _SLICES:
            await here.settled(deadline=30)
        now = await here.stub.count(), await here.redis_cpu(), time.monotonic()
        costs.append((now[1] - cpu) / (now[0] - count) * 1e6)
        rates.append((now[0] - count) / (now[2] - at))
        count, cpu, at = now
    return spread(costs), spread(rates)


def _jobs(targets: int, jobs: int) -> Iterator[dict[str, Any]]:
    for number in range(jobs):
        yield {"group_id": str(1 + number % targets), "message": f"Good morning, this is job {number}"}
