"""Turns: so many jobs the whole way by one program, beside the same work of another.

Of every turn come jobs a second and microseconds of CPU a job. A turn of a gateway begins with the first push and ends
when the stub has all; its CPU is counted until all is written down, too.
"""

import asyncio
import json
import time
from pathlib import Path
from typing import NamedTuple

from tests.bench.jobs import AT_ONCE, TOKEN, job
from tests.bench.program import ours
from tests.bench.world import World

_LONGEST_S = 90.0

ACCOUNT = {"max_in_flight": AT_ONCE, "token": TOKEN}
"""Settings of an account that lets through as many at once as all others do."""


class Turn(NamedTuple):
    """Jobs a second, and microseconds of CPU a job.

    own       of the process that posts
    redis     of Redis
    stub      of the stub
    producer  of whoever pushes the jobs meanwhile
    """

    rate: float
    own: float
    redis: float = 0.0
    stub: float = 0.0
    producer: float = 0.0


async def bare(here: World, jobs: int) -> Turn:
    """Let the bare loop post them."""
    stub = await here.stub.cpu()
    told = json.loads(await ours("bare", here.stub.url, TOKEN, jobs, AT_ONCE, deadline=_LONGEST_S))
    return turn(jobs, told["seconds"], told["cpu"], 0.0, await here.stub.cpu() - stub)


async def whole(here: World, jobs: int) -> Turn:
    """Push them into the stream of the gateways that run."""
    lines = [job(number) for number in range(jobs)]
    count, stub = await here.stub.count(), await here.stub.cpu()
    own, redis = here.gateway_cpu(), await here.redis_cpu()
    began, producer = time.perf_counter(), time.process_time()
    await here.push(lines)
    producer = time.process_time() - producer
    await here.stub.has(count + jobs, deadline=_LONGEST_S)
    took = time.perf_counter() - began
    stub = await here.stub.cpu() - stub
    await here.settled(deadline=30)
    return turn(jobs, took, here.gateway_cpu() - own, await here.redis_cpu() - redis, stub, producer)


async def peer(here: World, jobs: int, python: Path, module: str, *words: str) -> Turn:
    """Let a peer work them off, whose queue is filled before the clock runs."""
    process = await asyncio.create_subprocess_exec(
        *(str(python), "-m", f"tests.bench.peers.{module}", here.peers, here.stub.url, str(jobs), *words),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    try:
        async with asyncio.timeout(_LONGEST_S):
            if await process.stdout.readline() != b"filled\n":
                raise RuntimeError(f"{module} did not start")
            redis, stub = await here.redis_cpu(), await here.stub.cpu()
            out, _ = await process.communicate(b"\n")
            told = json.loads(out)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return turn(jobs, told["seconds"], told["cpu"], await here.redis_cpu() - redis, await here.stub.cpu() - stub)


def turn(jobs: int, seconds: float, *cpus: float) -> Turn:
    """Return the turn in which JOBS took SECONDS, and so many of CPU each."""
    return Turn(jobs / seconds, *(cpu / jobs * 1e6 for cpu in cpus))


def ratios(these: list[Turn], others: list[Turn]) -> list[float]:
    """Return the ratio of jobs a second for turns side by side."""
    return [one.rate / other.rate for one, other in zip(these, others, strict=True)]
