"""What both peers' programs have in common: the post they make of a job, and how their turn is timed.

A program empties its database, fills its queue, says so in a line, waits for a line, works everything off, and prints
`{"seconds", "cpu"}` as JSON: from its first job to its last answer, and the seconds of CPU of its process meanwhile.
"""

import asyncio
import json
import os
import sys
import time
from typing import NoReturn

import aiohttp
from redis.asyncio import Redis

from tests.bench.jobs import AT_ONCE, TOKEN


class Turn:
    """Posts JOBS requests to the stub at URL; `done` is set when the last was answered."""

    def __init__(self, url: str, jobs: int) -> None:
        self.done = asyncio.Event()
        self._url = f"{url}/send_group_msg"
        self._rest = jobs
        self._began = (0.0, 0.0)
        self._ended = (0.0, 0.0)
        self._session = aiohttp.ClientSession(
            headers={"Content-Type": "application/json", "Authorization": f"Bearer {TOKEN}"},
            connector=aiohttp.TCPConnector(limit=AT_ONCE),
        )

    async def post(self, body: str) -> None:
        """Do one job."""
        if not self._began[0]:
            self._began = time.perf_counter(), time.process_time()
        async with self._session.post(self._url, data=body.encode()) as answer:
            json.loads(await answer.read())
        self._rest -= 1
        if not self._rest:
            self._ended = time.perf_counter(), time.process_time()
            self.done.set()

    async def end(self) -> NoReturn:
        """Print what it took as soon as all is done, and end this process at once.

        The peers' own ways to end wait for what they have in hand, now and then forever.
        """
        await self.done.wait()
        seconds, cpu = (ended - began for began, ended in zip(self._began, self._ended, strict=True))
        print(json.dumps({"seconds": seconds, "cpu": cpu}), flush=True)  # noqa: T201 - told to whoever started it
        os._exit(0)


async def emptied(redis: str) -> None:
    """Take away what earlier turns left, which would be done again."""
    async with Redis.from_url(redis) as client:
        await client.flushdb()


async def ready() -> None:
    """Say that the queue is full, and wait for the word to work it off."""
    print("filled", flush=True)  # noqa: T201 - told to whoever started it
    await asyncio.to_thread(sys.stdin.readline)
