"""A client of `POST /v1/jobs` that does nothing but submit, in a process of its own.

    python -m tests.bench.submit URL JOBS AT_ONCE BATCH

submits JOBS in requests of BATCH each (1: to `/v1/jobs`, else to `/v1/jobs/batch`), AT_ONCE at once, and prints
`{"seconds", "cpu"}` as JSON.
"""

import asyncio
import json
import sys
import time
from collections.abc import Iterator

import aiohttp
import uvloop

from tests.bench.jobs import job


async def _submit(session: aiohttp.ClientSession, path: str, bodies: Iterator[str]) -> None:
    for body in bodies:
        async with session.post(path, data=body.encode()) as answer:
            told = json.loads(await answer.read())
            if not (told["state"] == "queued" if "state" in told else all(one["id"] for one in told["items"])):
                raise RuntimeError(f"not taken: {told}")


async def _run(url: str, jobs: int, at_once: int, batch: int) -> dict[str, float]:
    numbers = range(0, jobs, batch)
    bodies = iter([job(number) if batch == 1 else _many(number, batch) for number in numbers])
    path = f"{url}/v1/jobs" if batch == 1 else f"{url}/v1/jobs/batch"
    headers = {"Content-Type": "application/json"}
    connector = aiohttp.TCPConnector(limit=at_once)
    async with aiohttp.ClientSession(headers=headers, connector=connector) as session:
        began, cpu = time.perf_counter(), time.process_time()
        await asyncio.gather(*(_submit(session, path, bodies) for _ in range(at_once)))
        return {"seconds": time.perf_counter() - began, "cpu": time.process_time() - cpu}


def _many(first: int, count: int) -> str:
    return f'{{"jobs":[{",".join(job(first + number) for number in range(count))}]}}'


def main() -> None:
    """Submit, and print what that took."""
    url, jobs, at_once, batch = sys.argv[1], *map(int, sys.argv[2:5])
    print(json.dumps(uvloop.run(_run(url, jobs, at_once, batch))))  # noqa: T201 - told to whoever started it


if __name__ == "__main__":
    main()
