"""How long a call is repeated: with growing pauses, as the gateway says, and not for ever."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

from gateway.client.errors import RecallFailed, Unavailable

Result = TypeVar("Result")

_FIRST_S = 0.2
_LONGEST_S = 10.0


class Patience:
    """The time one call may take with all its repetitions."""

    def __init__(self, seconds: float) -> None:
        """Start now, with SECONDS to spend."""
        self._ends_at = time.monotonic() + seconds
        self._pause = _FIRST_S

    async def wait(self, error: Unavailable) -> None:
        """Pause before the next try: as long as the gateway asks, else twice as long as before, and up to 20 % more.

        Raises ERROR when there is no time left for that.
        """
        pause = max(self._pause, error.retry_after or 0.0)
        if time.monotonic() + pause > self._ends_at:
            raise error
        self._pause = min(self._pause * 2, _LONGEST_S)
        await asyncio.sleep(pause * random.uniform(1.0, 1.2))  # noqa: S311 - jitter, not a secret


async def repeated(call: Callable[[], Awaitable[Result]], seconds: float) -> Result:
    """Return what CALL returns, repeating it while it is Unavailable, for at most SECONDS.

    Only for calls that may be made twice.
    """
    patience = Patience(seconds)
    while True:
        try:
            return await call()
        except RecallFailed:
            raise
        except Unavailable as error:
            await patience.wait(error)
