"""Jobs through Redis: what is no job is refused and delays nothing, and what was read leaves its stream."""

import asyncio
import json
from typing import Any

from tests.world import World, until

GOOD = {"group_id": "1", "message": "good"}
LIST = "gw:jobs:list"
MALFORMED = {
    b"{": "json_invalid",
    b"": "json_invalid",
    b"\xff\xfe": "json_invalid",
    b'"text"': "json_invalid",
    b'{"group_id": "1", "group_id": "2", "message": "a"}': "json_invalid",
    b'{"group_id": "1", "message": "\\ud800"}': "json_invalid",
    b'{"group_id": "1"}': "job_invalid",
    b'{"group_id": "1", "mesage": "a"}': "job_invalid",
    b'{"group_id": "x", "message": "a"}': "job_invalid",
    b'{"group_id": "1", "message": "a", "not_before": "9999-12-31T23:59:59-12:00"}': "job_invalid",
    b'{"group_id": "1", "message": ""}': "message_invalid",
    b'{"group_id": "1", "message": [{"type": "poke", "data": {}}]}': "message_invalid",
    b'{"group_id": "1", "message": "a", "account": "nobody"}': "account_unknown",
    b'{"group_id": "1", "message": "' + b"x" * 1024 + b'"}': "too_large",
}
"""Entries that cannot be jobs, and the code each is refused with."""


def numbered(count: int, start: int = 0) -> list[dict[str, Any]]:
    return [{"group_id": "1", "message": str(number)} for number in range(start, start + count)]


async def pending(world: World, stream: str = "gw:jobs") -> int:
    groups = await world.clients.commands.xinfo_groups(stream)
    return int(groups[0]["pending"]) if groups else 0


async def drained(world: World, stream: str = "gw:jobs") -> None:
    """Wait until STREAM holds nothing and nobody has anything unfinished of it."""
    await until(lambda: world.clients.commands.xlen(stream), lambda length: length == 0)
    assert await pending(world, stream) == 0


async def test_every_malformed_entry_is_refused_with_its_code_and_the_job_behind_it_is_delivered(world: World) -> None:
    await world.gateway(http={"port": 0, "max_body": "1KiB"})
    entries = await world.producer.add(*MALFORMED, json.dumps(GOOD))
    (receipt,) = await world.ended(1)
    assert receipt.state == "delivered"
    refused = await world.producer.invalid()
    assert [entry["code"] for entry in refused] == list(MALFORMED.values())
    assert [entry["entry"] for entry in refused] == entries[:-1]
    assert {entry["source"] for entry in refused} == {"gw:jobs"}
    assert all(entry["detail"] for entry in refused)


async def test_a_refused_entry_is_kept_as_it_came(world: World) -> None:
    await world.gateway()
    raw = '{"group_id": "1", "mesage": "é"}'
    await world.producer.add(raw)
    (refused,) = await until(world.producer.invalid)
    assert refused["raw"] == raw
    assert "did you mean message?" in refused["detail"]


async def test_a_refused_entry_is_cut_at_64_kib(world: World) -> None:
    await world.gateway()
    await world.producer.add("x" * 100_000)
    (refused,) = await until(world.producer.invalid)
    assert refused["raw"] == "x" * 65_536


async def test_an_entry_without_a_job_field_is_refused(world: World) -> None:
    await world.gateway()
    await world.clients.commands.xadd("gw:jobs", {"jbo": json.dumps(GOOD)})
    await world.add(GOOD)
    await world.ended(1)
    (refused,) = await world.producer.invalid()
    assert (refused["code"], refused["raw"]) == ("entry_invalid", f"jbo {json.dumps(GOOD)}")
    assert "XADD" in refused["detail"]


async def test_every_malformed_element_of_a_list_is_refused_and_the_job_behind_it_is_delivered(world: World) -> None:
    await world.gateway(http={"port": 0, "max_body": "1KiB"})
    await world.producer.push(*MALFORMED, json.dumps(GOOD))
    (receipt,) = await world.ended(1)
    assert receipt.state == "delivered"
    refused = await world.producer.invalid()
    assert [entry["code"] for entry in refused] == list(MALFORMED.values())
    assert {entry["source"] for entry in refused} == {LIST}


async def test_a_stream_shrinks_to_nothing(world: World) -> None:
    await world.gateway()
    await world.add(*numbered(300), {"group_id": "1"})
    await world.ended(300)
    await drained(world)


async def test_a_list_shrinks_to_nothing_and_keeps_its_order(world: World) -> None:
    await world.gateway()
    await world.producer.push(*(json.dumps(job) for job in numbered(300)))
    await world.ended(300)
    assert world.napcat.texts("group:1") == [str(number) for number in range(300)]
    await drained(world, "gw:{gw:jobs:list}:stream:gw:jobs:list")
    assert await world.clients.commands.exists(LIST) == 0


async def test_deleting_the_stream_does_not_stop_intake(world: World) -> None:
    await world.gateway()
    await world.add({**GOOD, "message": "before"})
    await world.ended(1)
    await world.clients.commands.delete("gw:jobs")
    await world.add({**GOOD, "message": "after"})
    await world.ended(2)
    assert world.napcat.texts("group:1") == ["before", "after"]
    await drained(world)


async def test_a_restored_stream_whose_ids_lie_below_the_mark_is_read_anew(world: World) -> None:
    gateway = await world.gateway()
    await world.add({**GOOD, "message": "before"})
    await world.ended(1)
    await gateway.stop()
    await world.clients.commands.delete("gw:jobs")
    await world.clients.commands.xadd("gw:jobs", {"job": json.dumps({**GOOD, "message": "restored"})}, id="5-1")
    await world.gateway()
    await world.ended(2)
    assert world.napcat.texts("group:1") == ["before", "restored"]


async def test_a_stream_restored_while_it_is_read_is_read_anew(world: World) -> None:
    await world.gateway()
    await world.add({**GOOD, "message": "before"})
    await world.ended(1)
    async with world.clients.commands.pipeline(transaction=True) as pipe:
        pipe.delete("gw:jobs")
        pipe.xadd("gw:jobs", {"job": json.dumps({**GOOD, "message": "restored"})}, id="5-1")
        await pipe.execute()
    await world.ended(2)
    assert world.napcat.texts("group:1") == ["before", "restored"]


async def test_a_full_account_leaves_entries_in_the_stream_and_takes_them_later(world: World) -> None:
    world.napcat.behave("group:1", "delay", times=1, ms=500)
    await world.gateway(intake={"max_queued": 1})
    await world.add(*numbered(3))
    await until(lambda: world.napcat.received)
    assert await world.clients.commands.xlen("gw:jobs") >= 2
    await world.ended(3)
    assert world.napcat.texts("group:1") == ["0", "1", "2"]
    await drained(world)


async def test_what_waited_in_the_stream_before_the_gateway_came_is_read(world: World) -> None:
    await world.add(*numbered(5))
    await world.gateway()
    await world.ended(5)
    assert world.napcat.texts("group:1") == ["0", "1", "2", "3", "4"]


async def test_an_entry_under_a_known_key_is_the_first_job_and_leaves_the_stream(world: World) -> None:
    await world.gateway()
    await world.add(*[{**GOOD, "key": "a"}] * 3, {**GOOD, "message": "last"})
    await world.ended(2)
    assert world.napcat.texts("group:1") == ["good", "last"]
    await drained(world)


async def test_several_sources_are_read_side_by_side(world: World) -> None:
    await world.gateway(intake={"streams": ["a", "b"], "lists": ["c"]})
    await world.producer.add(json.dumps({**GOOD, "group_id": "1"}), stream="a")
    await world.producer.add(json.dumps({**GOOD, "group_id": "2"}), stream="b")
    await world.producer.push(json.dumps({**GOOD, "group_id": "3"}), name="c")
    assert {receipt.target for receipt in await world.ended(3)} == {"group:1", "group:2", "group:3"}


async def test_when_the_reading_gateway_stops_the_other_takes_over_and_order_is_kept(world: World) -> None:
    first = await world.gateway()
    await world.add(*numbered(50))
    await until(lambda: world.napcat.received)
    await world.gateway()
    await world.add(*numbered(50, 50))
    await until(lambda: len(world.napcat.received) > 60)
    stopping = asyncio.create_task(first.stop())
    await world.add(*numbered(50, 100))
    await until(lambda: len(world.napcat.received) == 150)
    await stopping
    await world.ended(150)
    assert world.napcat.texts("group:1") == [str(number) for number in range(150)]
    await drained(world)
