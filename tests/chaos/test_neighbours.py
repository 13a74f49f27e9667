"""Neighbours in trouble, all at once, and a replica that dies among them: the quiet ones hardly notice."""

import asyncio

from gateway.sandbox.process import free_port
from tests.world import World, until

QUIET = [f"group:{number}" for number in range(100, 150)]
EACH = 5
_WITHIN = 40.0  # seconds, of which a lease of the dead replica takes 6.5; the flood takes two thousand


async def test_quiet_targets_are_served_while_neighbours_hang_flood_are_muted_or_dead_and_a_replica_is_killed(
    world: World,
) -> None:
    dead = {"name": "dead", "endpoint": f"http://127.0.0.1:{free_port()}"}
    sections = {
        "accounts": [world.account(max_in_flight=20), dead],
        "delivery": {"timeout": "1s", "slack": "500ms"},
        "limits": {
            "account": ["10000/1s"],
            "group": ["10000/1s"],
            "overrides": [{"target": "group:2", "rates": ["1/1s"]}],
        },
    }
    doomed, _ = await asyncio.gather(*(world.process(**sections) for _ in range(2)))
    world.napcat.behave("group:1", "hang")
    world.napcat.behave("group:3", "mute")
    troubled = [
        *({"group_id": "1", "message": f"hangs {number}"} for number in range(20)),
        *({"group_id": "2", "message": f"flood {number}"} for number in range(2_000)),
        *({"group_id": "3", "message": f"muted {number}"} for number in range(20)),
        *({"group_id": "4", "message": f"dead {number}", "account": "dead"} for number in range(200)),
    ]
    await world.add(*troubled)
    await until(lambda: world.napcat.texts("group:2"))
    for number in range(EACH):
        await world.add(*({"group_id": target.partition(":")[2], "message": str(number)} for target in QUIET))
        if number == 2:
            await doomed.kill()
    await until(lambda: all(len(world.napcat.texts(target)) == EACH for target in QUIET), deadline=_WITHIN)
    for target in QUIET:
        assert world.napcat.texts(target) == [str(number) for number in range(EACH)]
    assert len(world.napcat.texts("group:2")) < 100
