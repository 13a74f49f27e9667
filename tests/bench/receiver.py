"""The other end of the stub: starts it, and asks it what came."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import NamedTuple

import aiohttp


class Seen(NamedTuple):
    """A send as the stub saw it: monotonic seconds of its arrival and its answer (0.0: none), group and text."""

    at: float
    answered: float
    group: str
    text: str


class Stub:
    """A running stub at `url`."""

    def __init__(self, port: int, session: aiohttp.ClientSession) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self._session = session

    async def count(self) -> int:
        """Return how many sends have come."""
        return int(await self._get("count"))

    async def cpu(self) -> float:
        """Return the seconds of CPU it has used."""
        return float(await self._get("cpu"))

    async def seen(self) -> list[Seen]:
        """Return every send that came, in the order of arrival."""
        return [Seen(*fields) for fields in json.loads(await self._get("arrivals"))]

    async def has(self, count: int, deadline: float) -> None:
        """Wait until COUNT sends have come, and look 50 times a second; raises TimeoutError at the DEADLINE (s)."""
        async with asyncio.timeout(deadline):
            while await self.count() < count:
                await asyncio.sleep(0.02)

    async def _get(self, path: str) -> str:
        async with self._session.get(f"{self.url}/{path}") as answer:
            return await answer.text()


@asynccontextmanager
async def stub(answer_ms: float, hanging: Sequence[str]) -> AsyncIterator[Stub]:
    """Run a stub that answers after ANSWER_MS, and never to the HANGING groups."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.bench.stub", "--answer-ms", str(answer_ms)),
        *(word for group in hanging for word in ("--hang", group)),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        start_new_session=True,  # Ctrl-C is for the measurement, which closes the stub's input in the end
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        async with aiohttp.ClientSession() as session:
            yield Stub(int(await process.stdout.readline()), session)
    finally:
        process.stdin.close()
        await process.wait()
