"""What a client can do that does nothing but post: the same body and headers over aiohttp, so many at once.

    python -m tests.bench.bare URL TOKEN POSTS AT_ONCE

Prints `{"seconds", "cpu"}` as JSON: how long it took, and the seconds of CPU of this process meanwhile.
"""

import asyncio
import json
import sys
import time
from collections.abc import Iterator

import aiohttp
import uvloop

from tests.bench.jobs import request


async def _post(session: aiohttp.ClientSession, url: str, numbers: Iterator[int]) -> None:
    for number in numbers:
        async with session.post(f"{url}/send_group_msg", data=request(number)) as answer:
            json.loads(await answer.read())


async def _run(url: str, token: str, posts: int, at_once: int) -> dict[str, float]:
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {token}"}
    connector = aiohttp.TCPConnector(limit=at_once)
    async with aiohttp.ClientSession(headers=headers, connector=connector) as session:
        await _all(session, url, range(at_once), at_once)  # connections are made before the clock runs
        began, cpu = time.perf_counter(), time.process_time()
        await _all(session, url, range(posts), at_once)
        return {"seconds": time.perf_counter() - began, "cpu": time.process_time() - cpu}


async def _all(session: aiohttp.ClientSession, url: str, numbers: range, at_once: int) -> None:
    shared = iter(numbers)
    await asyncio.gather(*(_post(session, url, shared) for _ in range(at_once)))


def main() -> None:
    """Post, and print what that took."""
    url, token, posts, at_once = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
    print(json.dumps(uvloop.run(_run(url, token, posts, at_once))))  # noqa: T201 - told to whoever started it


if __name__ == "__main__":
    main()
