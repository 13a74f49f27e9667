"""The secret of all replicas: one for a Redis, and a process' own where Redis keeps none."""

from gateway.store.keys import Keys
from gateway.store.shared import shared_secret
from tests.world import World


async def test_everybody_gets_the_same_secret_and_another_prefix_has_another(world: World) -> None:
    first = await shared_secret(world.clients, Keys("gw"))
    assert len(first) == 64
    assert await shared_secret(world.clients, Keys("gw")) == first
    assert await shared_secret(world.clients, Keys("other")) != first


async def test_a_redis_that_takes_no_writes_still_tells_what_it_has_and_else_everyone_has_their_own(
    world: World,
) -> None:
    kept = await shared_secret(world.clients, Keys("gw"))
    await world.clients.commands.config_set("maxmemory", 1)
    assert await shared_secret(world.clients, Keys("gw")) == kept
    own = [await shared_secret(world.clients, Keys("other")) for _ in range(2)]
    assert own[0] != own[1]


async def test_a_redis_that_does_not_answer_keeps_nobody_from_a_secret(world: World) -> None:
    await world.stop_redis()
    assert len(await shared_secret(world.clients, Keys("gw"))) == 64
