"""How late the event loop gets to what is due: everything here shares it, so what holds it up delays all."""

import asyncio

from prometheus_client import Histogram

_EVERY = 0.25  # seconds


async def measure_lag(lag: Histogram) -> None:
    """Wake four times a second, and tell LAG each time how many seconds too late that was."""
    loop = asyncio.get_running_loop()
    while True:
        due = loop.time() + _EVERY
        await asyncio.sleep(_EVERY)
        lag.observe(max(0.0, loop.time() - due))
