"""A producer that pushes each job at its instant, whatever has become of those before, and notes when."""

import asyncio
import itertools
import json
import time
from collections.abc import Sequence

from tests.bench.world import Seen, World


class Paced:
    """Pushes `per_second` jobs to GROUPS in turn; `pushed` says when it handed each text to Redis (monotonic s)."""

    def __init__(self, here: World, groups: Sequence[str], per_second: int) -> None:
        self.pushed: dict[str, float] = {}
        self._here = here
        self._groups = groups
        self._per_second = per_second
        self._numbers = itertools.count()

    async def push(self, seconds: float) -> list[str]:
        """Push one job after the other for SECONDS, waiting for none; return their texts."""
        texts = []
        began = time.monotonic()
        async with asyncio.TaskGroup() as pushes:
            for number in range(round(seconds * self._per_second)):
                await asyncio.sleep(began + number / self._per_second - time.monotonic())
                text = str(next(self._numbers))
                pushes.create_task(self._push(self._groups[number % len(self._groups)], text))
                texts.append(text)
        return texts

    async def _push(self, group: str, text: str) -> None:
        self.pushed[text] = time.monotonic()
        await self._here.producer.add(paced_job(group, text))

    async def arrived(self, deadline: float) -> list[Seen]:
        """Return what the stub has seen as soon as every pushed job is among it; raises TimeoutError."""
        async with asyncio.timeout(deadline):
            while True:
                seen = await self._here.stub.seen()
                if self.pushed.keys() <= {one.text for one in seen}:
                    return seen
                await asyncio.sleep(0.2)


def paced_job(group: str, text: str) -> str:
    """Return the job that says TEXT to GROUP."""
    return json.dumps({"group_id": group, "message": text})
