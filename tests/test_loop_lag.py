"""Loop lag: what holds up the loop is measured, and an idle one is in time."""

import asyncio
import time

from prometheus_client import CollectorRegistry, Histogram

from gateway.loop_lag import measure_lag
from tests.world import until


async def test_what_holds_up_the_loop_is_measured() -> None:
    registry = CollectorRegistry()
    lag = Histogram("lag", "How late.", registry=registry)

    def seen(name: str) -> float:
        return registry.get_sample_value(f"lag_{name}") or 0.0

    measuring = asyncio.create_task(measure_lag(lag))
    try:
        await until(lambda: seen("count"), lambda count: count >= 2)
        before = seen("sum")
        time.sleep(0.6)  # noqa: ASYNC251 - this is what is measured
        await until(lambda: seen("count"), lambda count: count >= 3)
        assert seen("sum") - before >= 0.3
    finally:
        measuring.cancel()
        await asyncio.gather(measuring, return_exceptions=True)
