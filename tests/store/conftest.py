"""Fixtures of the store's tests."""

import pytest

from tests.store.bench import Bench
from tests.store.clock import SlowBench
from tests.world import World


@pytest.fixture(name="bench")
async def _bench(world: World) -> Bench:
    return Bench(world.clients)


@pytest.fixture(name="slow")
async def _slow(world: World) -> SlowBench:
    slow = SlowBench(world.clients)
    await slow.move(0)
    return slow
