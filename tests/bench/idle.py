"""What a gateway that has nothing to do costs: 100 accounts, no job.

After a while in which it starts, connects and asks every account once how it is, its CPU and that of Redis are read in
slices. Each slice is as long as the gateway's own longest habit, the question to an idle NapCat twice a minute.
"""

import argparse
import asyncio
import time

from tests.bench.report import Bound, Report, spread
from tests.bench.world import world

_MUST_PERCENT = 2.0


def options(parser: argparse.ArgumentParser) -> None:
    """Add the options of this measurement."""
    parser.add_argument("--accounts", type=int, default=100)
    parser.add_argument("--settling", type=float, default=15.0, help="seconds before the first slice")
    parser.add_argument("--seconds", type=float, default=30.0, help="of a slice")
    parser.add_argument("--slices", type=int, default=3)


async def measure(arguments: argparse.Namespace) -> Report:
    """Watch one gateway do nothing."""
    report = Report(
        "idle",
        f"{arguments.accounts} accounts, 0 jobs/s, {arguments.slices} slices of {arguments.seconds:.0f} s",
        ("process", "% of a core"),
    )
    gateway: list[float] = []
    redis: list[float] = []
    async with world(others=[f"account{number}" for number in range(1, arguments.accounts)]) as here:
        await here.start()
        await asyncio.sleep(arguments.settling)
        for _ in range(arguments.slices):
            began, own, server = time.monotonic(), here.gateway_cpu(), await here.redis_cpu()
            await asyncio.sleep(arguments.seconds)
            took = time.monotonic() - began
            gateway.append((here.gateway_cpu() - own) / took * 100)
            redis.append((await here.redis_cpu() - server) / took * 100)
        memory = here.gateway_memory()
        assert await here.stub.count() == 0, "nothing is sent"
    report.rows += [("gateway", spread(gateway)), ("Redis", spread(redis))]
    report.bounds.append(Bound("CPU of the gateway, % of a core", spread(gateway).median, _MUST_PERCENT))
    report.notes.append(f"the gateway holds {memory / 1e6:.0f} MB")
    return report
