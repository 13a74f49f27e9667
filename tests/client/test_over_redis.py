"""The Python client over Redis: jobs into the stream, receipts out of the streams."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from gateway.client import Gateway, NotFound, Receipt, Refused, Submitted, Unavailable
from gateway.sandbox.process import free_port
from tests.world import World


async def some(client: Gateway, count: int, **options: Any) -> list[Receipt]:
    """Return the first COUNT receipts that the client is told."""
    found: list[Receipt] = []
    async with asyncio.timeout(20):
        async for receipt in client.receipts(**options):
            found.append(receipt)
            if len(found) == count:
                break
    return found


async def test_a_job_is_pushed_and_its_receipt_read(world: World) -> None:
    await world.gateway()
    async with Gateway(redis_url=world.redis_url) as client:
        sent = await client.send(group_id=1, message="hello")
        assert (sent.id, sent.duplicate) == (None, None)
        receipt = await client.receipt(sent, wait="20s")
        assert (receipt.state, receipt.key) == ("delivered", sent.key)
        assert await client.receipt(receipt.id) == receipt == await client.receipt(f"key:{sent.key}")
    assert world.napcat.texts("group:1") == ["hello"]


async def test_a_receipt_is_found_behind_many_others(world: World) -> None:
    await world.gateway()
    async with Gateway(world.redis_url) as client:
        sent = await client.batch({"group_id": 1, "message": f"{n}", "key": f"{n}"} for n in range(700))
        assert all(isinstance(one, Submitted) for one in sent)
        await world.ended(700)
        assert (await client.receipt("key:0")).state == "delivered"
    assert world.napcat.texts("group:1") == [f"{n}" for n in range(700)]


async def test_what_the_stream_does_not_tell_is_not_found(world: World) -> None:
    await world.gateway()
    async with Gateway(world.redis_url) as client:
        sent = await client.send(group_id=1, message="x", delay="1h")
        with pytest.raises(NotFound, match="results"):
            await client.receipt(sent, wait="300ms")


async def test_what_the_gateway_refuses_later_is_raised_for_what_was_sent(world: World) -> None:
    await world.gateway()
    async with Gateway(world.redis_url) as client:
        sent = await client.send(group_id=1, message=[{"type": "share", "data": {}}])
        with pytest.raises(Refused) as caught:
            await client.receipt(sent, wait="20s")
    assert caught.value.code == "message_invalid"


async def test_a_refusal_is_found_among_many(world: World) -> None:
    await world.gateway()
    async with Gateway(world.redis_url) as client:
        sent = await client.batch({"group_id": 1, "message": [{"type": "share", "data": {}}]} for _ in range(120))
        last = sent[-1]
        assert isinstance(last, Submitted)
        with pytest.raises(Refused):
            await client.receipt(last, wait="20s")


async def test_what_is_no_job_is_refused_before_it_is_pushed(world: World) -> None:
    async with Gateway(world.redis_url) as client:
        with pytest.raises(Refused) as caught:
            await client.send({"group_id": 0, "message": "x"})
        bad, good = await client.batch([{"group_id": 1, "mesage": "x"}, {"group_id": 1, "message": "x"}])
    assert [fault.loc for fault in caught.value.errors] == ["group_id"]
    assert isinstance(bad, Refused)
    assert isinstance(good, Submitted)
    assert await world.clients.commands.xlen("gw:jobs") == 1


async def test_receipts_are_told_as_jobs_change_from_now_on(world: World) -> None:
    await world.gateway()
    async with Gateway(world.redis_url) as client:
        await client.receipt(await client.send(group_id=1, message="before"), wait="20s")
        following = asyncio.create_task(some(client, 2))
        await asyncio.sleep(0.2)
        for key in ("a", "b"):
            await client.receipt(await client.send(group_id=1, message=key, key=key), wait="20s")
        assert [receipt.key for receipt in await following] == ["a", "b"]


async def test_receipts_are_told_again_from_a_time_on(world: World) -> None:
    await world.gateway()
    await world.add(*({"group_id": 1, "message": key, "key": key} for key in "abc"))
    first, second, third = await world.ended(3)
    async with Gateway(world.redis_url) as client:
        assert await some(client, 3, since=first.created_at) == [first, second, third]
        assert await some(client, 3, since=timedelta(minutes=5)) == [first, second, third]
        assert await some(client, 1, since=third.updated_at) == [third]
        assert (await some(client, 3, since="0"))[0] == first
        with pytest.raises(Refused, match="since"):
            await some(client, 1, since="yesterday")


async def test_who_follows_outlives_a_restart_of_redis(world: World) -> None:
    await world.gateway()
    async with Gateway(world.redis_url) as client:
        following = asyncio.create_task(some(client, 2, since=datetime.now(UTC)))
        await client.receipt(await client.send(group_id=1, message="a", key="a"), wait="20s")
        await world.stop_redis()
        await world.start_redis()
        await client.send(group_id=1, message="b", key="b")
        assert [receipt.key for receipt in await following] == ["a", "b"]


async def test_what_others_write_into_the_stream_disturbs_nobody(world: World) -> None:
    await world.gateway()
    async with Gateway(world.redis_url) as client:
        for text in ("{", '{"id": "main.x"}', "[]"):
            await world.clients.commands.xadd("gw:{main}:receipts", {"receipt": text})
        sent = await client.send(group_id=1, message="x")
        assert (await client.receipt(sent, wait="20s")).state == "delivered"
        assert [receipt.key for receipt in await some(client, 1, since="0")] == [sent.key]


async def test_a_redis_that_is_away_is_unavailable() -> None:
    async with Gateway(f"redis://127.0.0.1:{free_port()}/0", patience="300ms") as client:
        with pytest.raises(Unavailable):
            await client.send(group_id=1, message="x")
        bad, good = await client.batch([{"group_id": 0, "message": "x"}, {"group_id": 1, "message": "x"}])
    assert isinstance(bad, Refused)
    assert isinstance(good, Unavailable)


async def test_a_redis_that_takes_no_writes_says_so(world: World) -> None:
    await world.clients.commands.config_set("maxmemory", "1")
    async with Gateway(world.redis_url, patience="300ms") as client:
        with pytest.raises(Unavailable) as caught:
            await client.send(group_id=1, message="x")
    await world.clients.commands.config_set("maxmemory", "0")
    assert caught.value.code == "store_refuses"


async def test_what_only_http_can_is_refused_by_its_name(world: World) -> None:
    async with Gateway(world.redis_url) as client:
        with pytest.raises(Refused, match="cancel needs the gateway's HTTP address"):
            await client.cancel("main.x")
    with pytest.raises(Refused, match="redis_url"):
        Gateway("redis://127.0.0.1:x")
    with pytest.raises(Refused, match="one address"):
        Gateway(base_url="http://x", redis_url="redis://x")
