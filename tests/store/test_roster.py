"""What waits for an account that is served no more is not forgotten."""

import pytest

from gateway.model.errors import StoreUnavailable
from gateway.store.keys import Keys
from gateway.store.roster import enrol, left_queued
from tests.store.bench import Bench, job
from tests.world import World

KEYS = Keys("gw")


async def test_only_jobs_of_accounts_that_are_served_no_more_are_told(world: World, bench: Bench) -> None:
    await enrol(world.clients, KEYS, ["main", "empty"])
    await bench.admit(job("first"), job("second"))
    assert await left_queued(world.clients, KEYS, ["main"]) == {}
    assert await left_queued(world.clients, KEYS, ["other"]) == {"main": 2}
    await bench.deliver()
    assert await left_queued(world.clients, KEYS, []) == {"main": 1}


async def test_an_account_that_was_never_served_here_is_not_known(world: World, bench: Bench) -> None:
    await bench.admit(job("first"))
    await enrol(world.clients, Keys("other"), ["main"])
    assert await left_queued(world.clients, KEYS, ["other"]) == {}


async def test_a_redis_that_is_away_is_told(world: World) -> None:
    await world.stop_redis()
    with pytest.raises(StoreUnavailable):
        await left_queued(world.clients, KEYS, [])
