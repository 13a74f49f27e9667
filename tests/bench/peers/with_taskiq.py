"""The job with taskiq and its Redis stream broker: one receiver, 64 tasks at once, orjson, no parsing of types.

    python -m tests.bench.peers.with_taskiq REDIS STUB JOBS [--forget]

Results are kept for an hour, or not at all.
"""

import asyncio
import logging
import sys

import uvloop
from taskiq.api import run_receiver_task
from taskiq.serializers import ORJSONSerializer
from taskiq_redis import RedisAsyncResultBackend, RedisStreamBroker

from tests.bench.jobs import AT_ONCE, request
from tests.bench.peers.turn import Turn, emptied, ready

_FILLERS = 16
_KEPT_S = 3_600


async def _run(redis: str, stub: str, jobs: int, *, forget: bool) -> None:
    await emptied(redis)
    broker = RedisStreamBroker(redis, consumer_id="0", xread_count=AT_ONCE * 2, unacknowledged_lock_timeout=10)
    broker = broker.with_serializer(ORJSONSerializer())
    if not forget:
        broker = broker.with_result_backend(RedisAsyncResultBackend(redis, result_ex_time=_KEPT_S))
    await broker.startup()
    turn = Turn(stub, jobs)

    async def post(body: str) -> None:
        await turn.post(body)

    send = broker.register_task(post, "send")
    numbers = iter(range(jobs))

    async def fill() -> None:
        for number in numbers:
            await send.kiq(request(number).decode())

    await asyncio.gather(*(fill() for _ in range(_FILLERS)))
    await ready()
    working = run_receiver_task(broker, validate_params=False, max_async_tasks=AT_ONCE, max_prefetch=AT_ONCE)
    await asyncio.gather(working, turn.end())


if __name__ == "__main__":
    logging.disable(logging.INFO)  # a line for each task would be its own choice, and no part of the job
    uvloop.run(_run(sys.argv[1], sys.argv[2], int(sys.argv[3]), forget="--forget" in sys.argv))
