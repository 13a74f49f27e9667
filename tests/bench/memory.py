"""What jobs hold in memory: Redis' while they wait and after they have ended, and the gateway's with a million waiting.

A job is an ordinary text, 200 bytes of JSON as it is pushed, one of 30 for each of 1,000 groups. Its bytes are the
growth of what Redis says it uses, without the buffers of clients and of the append-only file and without the receipts
streams, whose length is bounded; everything else that jobs leave behind is in it. For the gateway a million jobs wait,
through its own door, in Redis; then it runs for a while, sends as fast as it can, and is asked for /status and
/metrics: the most it ever held counts.
"""

import argparse
import asyncio
import time
from collections.abc import Iterator
from typing import Any, NamedTuple

import aiohttp

from tests.bench import turns
from tests.bench.jobs import GROUPS
from tests.bench.report import Bound, Report
from tests.bench.world import world

JOB_BYTES = 200
_MUST_QUEUED, _MUST_KEPT, _MUST_RSS_MB = 900, 700, 120
_RUNNING_S = 10.0
_FILLING_S = 400.0


class Held(NamedTuple):
    """Bytes of Redis' memory a job: `queued` while it waits, `kept` after it has ended."""

    queued: float
    kept: float


def options(parser: argparse.ArgumentParser) -> None:
    """Add the options of this measurement."""
    parser.add_argument("--jobs", type=int, default=30_000, help="that are queued, and then kept")
    parser.add_argument("--waiting", type=int, default=1_000_000, help="jobs queued beside a running gateway")


async def measure(arguments: argparse.Namespace) -> Report:
    """Measure each once: bytes do not vary as times do."""
    count: int = arguments.waiting
    report = Report("memory", f"{arguments.jobs} jobs of {JOB_BYTES} bytes; {count} queued", ("what", "measured", "in"))
    held = await held_by(arguments.jobs)
    resting, most = await _beside(count)
    report.rows += [
        ("Redis, a queued job", held.queued, "bytes"),
        ("Redis, a kept record", held.kept, "bytes"),
        ("gateway, nothing queued", resting / 1e6, "MB"),
        (f"gateway, {count} queued", most / 1e6, "MB"),
    ]
    report.bounds += [
        Bound("bytes of Redis a queued job", held.queued, _MUST_QUEUED),
        Bound("bytes of Redis a kept record", held.kept, _MUST_KEPT),
        Bound(f"MB of a gateway with {count} jobs queued", most / 1e6, _MUST_RSS_MB),
    ]
    return report


async def held_by(jobs: int) -> Held:
    """Return what JOBS jobs hold in Redis before and after a gateway has sent them."""
    async with world(account=turns.ACCOUNT) as here:
        empty = await here.redis_memory()
        await here.admit(_jobs(jobs))
        queued = await here.redis_memory() - empty
        await here.start()
        await here.stub.has(jobs, deadline=120)
        await here.settled(deadline=30)
        return Held(queued / jobs, (await here.redis_memory() - empty) / jobs)


async def _beside(count: int) -> tuple[int, int]:
    """Return the bytes of a gateway that has nothing to do, and the most it holds while COUNT jobs are queued."""
    async with world() as here:
        await here.start()
        resting = here.gateway_memory()
    async with world(account=turns.ACCOUNT) as here, aiohttp.ClientSession() as session:
        await here.fill(count, GROUPS, deadline=_FILLING_S)
        assert await here.queued() == count
        (gateway,) = await here.start()
        most, until = 0, time.monotonic() + _RUNNING_S
        while time.monotonic() < until:
            for path in ("status", "metrics"):
                async with session.get(f"{gateway.url}/{path}") as answer:
                    await answer.read()
            most = max(most, here.gateway_memory())
            await asyncio.sleep(0.25)
        assert await here.stub.count(), "it sends meanwhile"
    return resting, most


def _jobs(count: int) -> Iterator[dict[str, Any]]:
    for number in range(count):
        frame = len(f'{{"group_id":"{1 + number % GROUPS}","message":""}}')
        yield {"group_id": str(1 + number % GROUPS), "message": f"job {number} ".ljust(JOB_BYTES - frame, "x")}
