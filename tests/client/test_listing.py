"""The Python client where it lists, follows, replays and takes back; these paths came together with it."""

import asyncio
from typing import Any

import pytest

from gateway.client import Conflict, Gateway, Receipt, Replayed
from tests.world import World, until

KICKED = {"group_id": 9, "message": "x"}


async def fill(client: Gateway, count: int) -> None:
    outcomes = await client.batch({"group_id": 1 + n % 2, "message": f"{n}", "key": f"{n}"} for n in range(count))
    assert len(outcomes) == count


async def test_jobs_are_listed_newest_first_to_the_last_page(world: World) -> None:
    gateway = await world.gateway()
    async with Gateway(gateway.url) as client:
        await fill(client, 1_100)
        await world.ended(1_100)
        found = [receipt.key async for receipt in client.jobs()]
        assert set(found) == {f"{n}" for n in range(1_100)}
        assert len(found) == 1_100
        assert [receipt.key async for receipt in client.jobs(limit=3)] == found[:3]
        ones = [receipt async for receipt in client.jobs(target="group:1", state=["delivered", "dead"])]
        assert {receipt.target for receipt in ones} == {"group:1"}
        assert len(ones) == 550


async def test_changes_are_followed_without_gap_and_without_repetition(world: World) -> None:
    gateway = await world.gateway()
    async with Gateway(gateway.url) as client:
        await fill(client, 5)
        await world.ended(5)
        found: list[Receipt] = []
        following = asyncio.create_task(_follow(client, found))
        await asyncio.sleep(0.5)
        jobs: list[Any] = [{"group_id": 5 + n % 7, "message": "x", "key": f"new {n}"} for n in range(700)]
        for start in range(0, 700, 100):
            await client.batch(jobs[start : start + 100])
        await until(lambda: len(found), lambda count: count >= 700, 30)
        await asyncio.sleep(0.3)
        following.cancel()
    assert sorted(receipt.key or "" for receipt in found) == sorted(job["key"] for job in jobs)


async def _follow(client: Gateway, found: list[Receipt]) -> None:
    async for receipt in client.receipts(every="50ms"):
        found += [receipt]


async def test_changes_are_followed_from_a_time_on(world: World) -> None:
    gateway = await world.gateway()
    async with Gateway(gateway.url) as client:
        await fill(client, 4)
        receipts = await world.ended(4)
        wanted = {receipt.id for receipt in receipts[2:]}
        async with asyncio.timeout(10):
            async for receipt in client.receipts(since=receipts[2].updated_at):
                wanted.discard(receipt.id)
                if not wanted:
                    break


async def test_an_ended_job_is_replayed_once(world: World) -> None:
    world.napcat.behave("group:9", "kick")
    gateway = await world.gateway()
    async with Gateway(gateway.url) as client:
        dead = await client.receipt(await client.send(KICKED), wait="20s")
        assert dead.state == "rejected"
        world.napcat.clear("group:9")
        first, second = await client.replay(dead.id), await client.replay(dead)
        assert (first.replay_of, first.id, first.duplicate, second.duplicate) == (dead.id, second.id, False, True)
        receipt = await client.receipt(first.id, wait="20s")
        assert (receipt.state, receipt.replay_of) == ("delivered", dead.id)
        with pytest.raises(Conflict):
            await client.replay(receipt)


async def test_many_are_replayed_after_a_look(world: World) -> None:
    world.napcat.behave("group:9", "kick")
    gateway = await world.gateway()
    async with Gateway(gateway.url) as client:
        await client.batch({**KICKED, "key": f"{n}"} for n in range(12))
        await world.ended(12)
        wish: dict[str, Any] = {"state": "rejected", "target": "group:9"}
        look = await client.replay_many(**wish, dry_run=True)
        assert (look.count, len(look.sample), look.items) == (12, 10, [])
        world.napcat.clear("group:9")
        done = await client.replay_many(**wish)
        assert done.count == 12
        assert all(isinstance(item, Replayed) for item in done.items)
        await world.ended(24)


async def test_a_delivered_message_is_taken_back(world: World) -> None:
    gateway = await world.gateway()
    async with Gateway(gateway.url) as client:
        sent = await client.receipt(await client.send(group_id=1, message="oops"), wait="20s")
        assert (await client.cancel(sent, recall=True)).recalled_at is not None


async def test_accounts_are_told_with_their_backlog(world: World) -> None:
    gateway = await world.gateway()
    async with Gateway(gateway.url) as client:
        (account,) = await client.accounts()
    assert account["name"] == "main"
