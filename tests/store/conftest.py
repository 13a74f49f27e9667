"""Fixtures of the store's tests."""

import pytest

from tests.store.bench import Bench
from tests.world import World


@pytest.fixture(name="bench")
async def _bench(world: World) -> Bench:
    return Bench(world.clients)
