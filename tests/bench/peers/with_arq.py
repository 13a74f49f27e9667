"""The job with arq: one worker, 64 jobs at once, results kept for an hour, its queue polled as soon as it can be.

python -m tests.bench.peers.with_arq REDIS STUB JOBS
"""

import asyncio
import sys
from typing import Any

import uvloop
from arq import create_pool
from arq.connections import RedisSettings
from arq.worker import Worker

from tests.bench.jobs import AT_ONCE, request
from tests.bench.peers.turn import Turn, emptied, ready

_FILLERS = 16


async def send(context: dict[str, Any], body: str) -> None:
    """Do one job."""
    await context["turn"].post(body)


async def _run(redis: str, stub: str, jobs: int) -> None:
    await emptied(redis)
    pool = await create_pool(RedisSettings.from_dsn(redis))
    numbers = iter(range(jobs))

    async def fill() -> None:
        for number in numbers:
            await pool.enqueue_job("send", request(number).decode())

    await asyncio.gather(*(fill() for _ in range(_FILLERS)))
    await ready()
    turn = Turn(stub, jobs)
    worker = Worker(
        [send],
        redis_pool=pool,
        max_jobs=AT_ONCE,
        keep_result=3600,
        poll_delay=0.001,
        queue_read_limit=AT_ONCE * 5,
        log_results=False,
        handle_signals=False,
        ctx={"turn": turn},
    )
    working = asyncio.create_task(worker.async_run())
    await asyncio.gather(working, turn.end())


if __name__ == "__main__":
    uvloop.run(_run(sys.argv[1], sys.argv[2], int(sys.argv[3])))
