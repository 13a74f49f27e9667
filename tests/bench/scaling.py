"""What a job costs does not grow: with targets, with what is queued, with accounts, replicas, the masters of a cluster.

In each case so many jobs are queued beforehand, through the gateway's own door, over so many targets; then gateways
send, and for every job that has gone another comes, so that as many stay queued all the while. What the jobs meanwhile
cost is told in slices, after one that does not count: CPU of the gateways together, and of Redis (`INFO cpu`: all
threads), so other load on the machine is not in it, but for what it costs the caches. Memory is that of the gateway
that holds most, at the end.

New jobs come through the stream, which the gateways read; only where targets vary they come through the door, since
what reading costs is the same for every number of targets, and would make the ratio look better. 64 calls in flight are
shared by the accounts. Ratios are to the case marked *: with 10 queued, few jobs share a round trip, which costs more a
job than anything that a longer queue could. Redis' CPU on a cluster is that of all its masters together; what one of
them uses a second is told as well, since a single server has no more than one core for it.
"""

import argparse
import asyncio
import time
from collections.abc import Iterator
from itertools import count, islice
from typing import NamedTuple

from tests.bench.jobs import AT_ONCE, GROUPS, jobs
from tests.bench.report import Bound, Report, spread
from tests.bench.world import World, world

_MUST = 1.6
_SLICES = 3
_FILLING_S = 400.0
_LOOK_S = 0.005
_SLICE_S = 60.0


class Case(NamedTuple):
    """One case: all are alike but for one number, that which its `name` tells."""

    name: str
    queued: int = 10_000
    targets: int = GROUPS
    accounts: int = 1
    replicas: int = 1
    masters: int = 0  # of a cluster; 0: a single server
    door: bool = False

    @property
    def dimension(self) -> str:
        """What varies."""
        return self.name.split()[-1]


class Cost(NamedTuple):
    """What jobs of one slice cost: microseconds of CPU each, and jobs a second."""

    own: float
    redis: float
    rate: float
    busiest: float  # of a core, the Redis server that used most


_CASES = (
    *(Case(f"{number:,} targets", queued=100_000, targets=number, door=True) for number in (100, 10_000, 100_000)),
    *(Case(f"{number:,} queued", queued=number) for number in (1_000, 10, 100_000, 1_000_000)),
    *(Case(f"{number} accounts", accounts=number) for number in (1, 10, 100)),
    *(Case(f"{number} replicas", replicas=number) for number in (1, 2, 4)),
    Case("30 accounts, no cluster", accounts=30),
    Case("30 accounts, 3-master cluster", accounts=30, masters=3),
)
_DIMENSIONS = tuple(dict.fromkeys(case.dimension for case in _CASES))


def options(parser: argparse.ArgumentParser) -> None:
    """Add the options of this measurement."""
    parser.add_argument("--jobs", type=int, default=4_000, help="of a slice")
    parser.add_argument("--only", choices=_DIMENSIONS, nargs="+", default=_DIMENSIONS)


async def measure(arguments: argparse.Namespace) -> Report:
    """Measure every case once, in slices."""
    report = Report(
        "scaling",
        f"{_SLICES} slices of {arguments.jobs} jobs a case",
        (
            "case",
            "own ÷ *",
            "Redis ÷ *",
            "own CPU µs a job",
            "Redis CPU µs a job",
            "jobs/s",
            "MB a gateway",
            "cores of a server",
        ),
    )
    for dimension in arguments.only:
        first: Cost | None = None
        for case in (case for case in _CASES if case.dimension == dimension):
            costs, memory = await _case(case, arguments.jobs)
            own, redis, rate, busiest = (spread(list(values)) for values in zip(*costs, strict=True))
            first = first or Cost(own.median, redis.median, rate.median, busiest.median)
            ratios = own.median / first.own, redis.median / first.redis
            star = "*" * (first.own == own.median)
            report.rows.append((f"{case.name}{star}", *ratios, own, redis, rate, memory / 1e6, busiest))
            if case.door and not star:
                report.bounds += [
                    Bound(f"{what} CPU a job with {case.name} ÷ *", ratio, _MUST)
                    for what, ratio in zip(("own", "Redis"), ratios, strict=True)
                ]
    return report


async def _case(case: Case, slice_: int) -> tuple[list[Cost], int]:
    """Return what each slice cost, and the bytes of the gateway that holds most."""
    account = {"max_in_flight": max(1, AT_ONCE // case.accounts)}
    others = [f"account{number}" for number in range(1, case.accounts)]
    async with world(account=account, others=others, intake={"max_queued": 2_000_000}, masters=case.masters) as here:
        groups = case.targets // case.accounts
        await here.fill(case.queued, groups, deadline=_FILLING_S)
        coming = jobs(count(case.queued), groups, here.accounts)
        await here.start(case.replicas)
        costs = [await _slice(here, case, coming, slice_) for _ in range(1 + _SLICES)][1:]
        return costs, here.gateway_memory()


async def _slice(here: World, case: Case, coming: Iterator[str], least: int) -> Cost:
    """Let at least LEAST jobs go while as many come; return what one cost."""
    before, own, began = await here.stub.count(), here.gateway_cpu(), time.monotonic()
    redis = await here.server_cpu()
    gone = come = 0
    async with asyncio.timeout(_SLICE_S):
        while gone < least:
            await asyncio.sleep(_LOOK_S)
            gone = await here.stub.count() - before
            new, come = list(islice(coming, gone - come)), gone
            if case.door:
                await here.put(new)
            elif new:
                await here.producer.add(*new)
    took = time.monotonic() - began
    used = [now - then for now, then in zip(await here.server_cpu(), redis, strict=True)]
    return Cost((here.gateway_cpu() - own) / gone * 1e6, sum(used) / gone * 1e6, gone / took, max(used) / took)
