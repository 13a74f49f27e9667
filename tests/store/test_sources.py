"""Reading a source takes nothing out, so no reader, stale, stalled or dead, can hide an entry from another."""

import asyncio

from gateway.store.keys import Keys
from gateway.store.scripts import Scripts
from gateway.store.sources import Marks, Sources
from tests.world import World


async def test_an_entry_stays_in_the_stream_until_it_is_finished(world: World) -> None:
    sources = Sources(world.clients, Keys("gw"))
    first, second = await world.producer.add("one", "two")
    for _ in range(2):
        assert [entry.id for entry in await sources.read("gw:jobs", "0-0", 10, 0)] == [first, second]
    await sources.finish("gw:jobs", [first])
    assert [entry.raw for entry in await sources.read("gw:jobs", "0-0", 10, 1_000)] == [b"two"]


async def test_waiting_for_a_list_takes_nothing_out_of_it(world: World) -> None:
    sources = Sources(world.clients, Keys("gw"))
    await world.producer.push("one", "two")
    assert await sources.wait_for_list("gw:jobs:list", 1)
    assert await world.clients.commands.lrange("gw:jobs:list", 0, -1) == [b"one", b"two"]


async def test_a_mark_above_the_last_id_of_its_stream_is_stale(world: World) -> None:
    sources, redis = Sources(world.clients, Keys("gw")), world.clients.commands
    await redis.xadd("gw:jobs", {"job": "{}"}, id="50-0")
    await redis.hset("gw:{main}:marks", "gw:jobs", "50-0")
    assert await sources.stale_marks("gw:jobs", "gw:jobs", ["main"]) == Marks({})
    await redis.hset("gw:{main}:marks", "gw:jobs", "50-1")
    assert await sources.stale_marks("gw:jobs", "gw:jobs", ["main"]) == Marks({"main": "50-1"})


async def test_a_mark_that_cannot_be_read_is_neither_stale_nor_good(world: World) -> None:
    sources, redis = Sources(world.clients, Keys("gw")), world.clients.commands
    await redis.hset("gw:{main}:marks", "gw:jobs", "50-1")
    await redis.set("gw:{second}:marks", "no hash")
    found = await sources.stale_marks("gw:jobs", "gw:jobs", ["main", "second", "third"])
    assert found == Marks({"main": "50-1"}, frozenset({"second"}))


async def test_marks_are_read_while_the_accounts_of_a_reader_change(world: World) -> None:
    sources, redis, accounts = Sources(world.clients, Keys("gw")), world.clients.commands, ["main"]
    await redis.hset("gw:{main}:marks", "gw:jobs", "50-1")
    reading = asyncio.create_task(sources.stale_marks("gw:jobs", "gw:jobs", accounts))
    await asyncio.sleep(0)
    accounts.append("second")
    assert await reading == Marks({"main": "50-1"})


async def test_a_mark_that_has_moved_since_it_was_found_stale_is_kept(world: World) -> None:
    scripts, redis = Scripts(world.clients.commands, Keys("gw")), world.clients.commands
    await redis.hset("gw:{main}:marks", "gw:jobs", "50-1")
    assert not await scripts.forget("main", "gw:jobs", "50-0")
    assert await redis.hget("gw:{main}:marks", "gw:jobs") == b"50-1"
    assert await scripts.forget("main", "gw:jobs", "50-1")
    assert await redis.hget("gw:{main}:marks", "gw:jobs") is None
