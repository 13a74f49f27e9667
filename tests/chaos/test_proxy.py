"""Promises 1 to 3 while the network between a gateway and its Redis fails: nothing lost, nothing twice, in order."""

import asyncio
import hashlib
import json
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from typing import Any

import aiohttp
import pytest

from gateway.model.receipt import Receipt
from gateway.sandbox.process import GatewayProcess
from gateway.store.client import Clients
from gateway.store.keys import Keys
from gateway.store.scripts.source import source_of
from tests.chaos.proxy import Mishap, Proxy
from tests.store.bench import Bench, job
from tests.world import World, until

WAYS = ("stream", "list", "http")
GROUPS = 3  # to each of them
CLAIMING = b"send_group_msg"  # what stands in the reply of a tick that claimed
SETTLING = b"delivered"  # and of one that ended a job


@pytest.fixture(name="proxy")
async def _proxy(world: World) -> AsyncIterator[Proxy]:
    async with Proxy(world.redis_url).serve() as proxy:
        yield proxy


def script(name: str) -> str:
    """Return the command that runs a script."""
    return f"EVALSHA {hashlib.sha1(source_of(name).encode()).hexdigest()}"


async def through(proxy: Proxy, world: World, **sections: Any) -> GatewayProcess:
    """Start a gateway whose Redis is behind PROXY."""
    return await world.process(redis={"url": proxy.url}, **sections)


def jobs(way: str, count: int) -> list[dict[str, Any]]:
    """Return COUNT jobs that come in one WAY, to groups of its own."""
    first = 1 + GROUPS * WAYS.index(way)
    return [
        {"group_id": str(first + number % GROUPS), "message": f"{way} {number}", "key": f"{way}-{number}"}
        for number in range(count)
    ]


async def post(gateway: GatewayProcess, document: dict[str, Any]) -> tuple[int, dict[str, Any]]:
    headers = {"Idempotency-Key": document["key"]}
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{gateway.url}/v1/jobs", json=document, headers=headers) as answer,
    ):
        return answer.status, await answer.json(content_type=None)


async def flow(world: World, gateway: GatewayProcess, count: int, ways: Sequence[str] = WAYS) -> None:
    """Push COUNT jobs in each of WAYS, all at once, in bursts."""

    async def push(way: str) -> None:
        for start in range(0, count, 5):
            burst = jobs(way, count)[start : start + 5]
            if way == "stream":
                await world.add(*burst)
            if way == "list":
                await world.producer.push(*map(json.dumps, burst))
            if way == "http":
                for document in burst:
                    while (await post(gateway, document))[0] != 202:
                        await asyncio.sleep(0.05)
            await asyncio.sleep(0.02)

    async with asyncio.TaskGroup() as group:
        for way in ways:
            group.create_task(push(way))


async def all_arrive_once_and_in_order(world: World, count: int, ways: Sequence[str] = WAYS) -> None:
    """Wait until COUNT jobs of each way have ended and check them: delivered, once each, in order, and nothing left."""
    expected = [document for way in ways for document in jobs(way, count)]
    receipts = await world.ended(len(expected))
    await until(lambda: left(world), lambda found: not any(found.values()))
    ended = Counter((receipt.key, receipt.state) for receipt in await world.receipts() if receipt.ended_at)
    assert ended == Counter((document["key"], "delivered") for document in expected)
    assert [len(receipt.attempts or ()) for receipt in receipts] == [1] * len(expected)
    for target in {receipt.target for receipt in receipts}:
        texts = [document["message"] for document in expected if f"group:{document['group_id']}" == target]
        assert world.napcat.texts(target) == texts


async def left(world: World) -> dict[str, int]:
    """Count what has to be nothing once every job has ended."""
    redis, keys = world.clients.commands, Keys("gw")
    return {
        "stream": await redis.xlen("gw:jobs"),
        "list": await redis.llen("gw:jobs:list"),
        "stream of the list": await redis.xlen(keys.list_stream("gw:jobs:list")),
        "refused": await redis.xlen(keys.invalid),
        "queued": int(await redis.hget(keys.of("main", "counts"), "queued") or 0),
        "in flight": await redis.hlen(keys.of("main", "flights")),
        "due": await redis.zcard(keys.of("main", "due")),
    }


async def test_an_admission_whose_reply_was_lost_is_one_job_when_its_client_repeats_it(
    world: World, proxy: Proxy
) -> None:
    gateway = await through(proxy, world)
    lost = Mishap("drop", script("admit"))
    proxy.befall(lost)
    document = {"group_id": "1", "message": "once", "key": "k"}
    status, problem = await post(gateway, document)
    assert (status, problem["code"]) == (503, "store_unavailable")
    assert b"admitted" in lost.befell[0]
    status, admitted = await post(gateway, document)
    assert (status, admitted["duplicate"]) == (202, True)
    (receipt,) = await world.ended(1)
    assert (receipt.id, receipt.state) == (admitted["id"], "delivered")
    assert world.napcat.texts("group:1") == ["once"]


async def test_a_reader_whose_replies_are_lost_admits_every_entry_once_and_in_order(world: World, proxy: Proxy) -> None:
    gateway = await through(proxy, world)
    lost = [
        *(Mishap("drop", command) for command in ("XREAD", "BLMOVE", "XDEL gw:jobs", script("move"), script("lease"))),
        *(Mishap("drop", script("admit"), name.encode()) for name in ("admitted", "seen")),
    ]
    proxy.befall(*lost)
    await flow(world, gateway, 30, WAYS[:2])
    await all_arrive_once_and_in_order(world, 30, WAYS[:2])
    assert [len(mishap.befell) for mishap in lost] == [1] * len(lost)


async def test_a_tick_whose_reply_was_lost_sends_nothing_twice_and_loses_nothing(world: World, proxy: Proxy) -> None:
    gateway = await through(proxy, world)
    lost = [Mishap("drop", script("tick"), having) for having in (CLAIMING, SETTLING, CLAIMING, SETTLING)]
    proxy.befall(*lost)
    await flow(world, gateway, 30)
    await all_arrive_once_and_in_order(world, 30)
    assert [len(mishap.befell) for mishap in lost] == [1] * len(lost)


async def test_a_reply_that_breaks_off_in_its_middle_is_no_reply(world: World, proxy: Proxy) -> None:
    gateway = await through(proxy, world)
    cut = [Mishap("cut", script("tick"), having) for having in (CLAIMING, SETTLING)]
    cut += [Mishap("cut", command) for command in (script("admit"), script("admit"), "XREAD")]
    proxy.befall(*cut)
    await flow(world, gateway, 30)
    await all_arrive_once_and_in_order(world, 30)
    assert [len(mishap.befell) for mishap in cut] == [1] * len(cut)


@pytest.mark.parametrize("seed", [1, 2])
async def test_whatever_replies_are_lost_cut_or_late_every_job_arrives_once_and_in_order(
    world: World, seed: int
) -> None:
    async with Proxy(world.redis_url, seed).serve() as proxy:
        gateway = await through(proxy, world)
        mishaps = [
            Mishap("drop", times=4, share=0.1),
            Mishap("cut", times=4, share=0.1),
            Mishap("delay", times=None, share=0.1, seconds=0.05),
        ]
        proxy.befall(*mishaps)
        await flow(world, gateway, 60)
        await all_arrive_once_and_in_order(world, 60)
        assert all(mishap.befell for mishap in mishaps)


async def test_what_was_claimed_too_late_is_not_sent_but_handed_back(world: World, proxy: Proxy) -> None:
    gateway = await through(proxy, world)
    late = Mishap("delay", script("tick"), CLAIMING, seconds=4.2)
    proxy.befall(late)
    await flow(world, gateway, 15)
    await all_arrive_once_and_in_order(world, 15)
    withheld = gateway.events("job.withheld")
    assert len(withheld) == late.befell[0].count(CLAIMING) > 0


async def test_connections_that_die_in_a_black_hole_are_given_up_and_nothing_is_lost(
    world: World, proxy: Proxy
) -> None:
    gateway = await through(proxy, world)
    pushing = asyncio.create_task(flow(world, gateway, 60))
    await until(lambda: len(world.napcat.received) > 20)
    proxy.black_hole()
    await until(lambda: proxy.fallen > 2)
    await proxy.heal(silently=True)
    await pushing
    await all_arrive_once_and_in_order(world, 60)


async def test_a_replica_in_a_black_hole_for_longer_than_its_leases_still_settles_what_it_sent(
    world: World, proxy: Proxy
) -> None:
    delivery = {"timeout": "1s", "slack": "500ms", "settle_for": "20s"}
    world.napcat.behave("*", "delay", ms=300)
    await through(proxy, world, delivery=delivery)
    await world.add(*jobs("stream", 12))
    await until(lambda: len(world.napcat.received) == GROUPS)
    proxy.black_hole()
    await world.process(delivery=delivery)

    async def lapsed() -> list[Receipt]:
        return [receipt for receipt in await world.receipts() if receipt.state == "unknown"]

    unknown = await until(lapsed, lambda found: len(found) == GROUPS)
    assert {receipt.code for receipt in unknown} == {"lease_lapsed"}
    await proxy.heal()
    await all_arrive_once_and_in_order(world, 12, ["stream"])


async def test_a_redis_that_refuses_for_a_while_loses_nothing(world: World, proxy: Proxy) -> None:
    gateway = await through(proxy, world)
    pushing = asyncio.create_task(flow(world, gateway, 30))
    await until(lambda: len(world.napcat.received) > 10)
    await proxy.refuse()
    await until(lambda: gateway.events("task.failed"))
    await proxy.heal()
    await pushing
    await all_arrive_once_and_in_order(world, 30)


async def test_a_tick_that_arrives_after_later_ones_claims_nothing(world: World, proxy: Proxy) -> None:
    clients = Clients(proxy.url)
    try:
        bench = Bench(clients)
        await bench.tick(sequence=1)
        stalled = Mishap("stall", script("tick"), seconds=0.3)
        proxy.befall(stalled)
        late = asyncio.create_task(bench.tick(sequence=2))
        await until(lambda: stalled.befell)
        # Its sender has given up, has repeated it on another connection, and has gone on.
        await bench.tick(sequence=2)
        await bench.tick(sequence=3)
        await bench.admit(job("a"))
        assert (await late).claims == []
        assert [claim.job_id for claim in (await bench.tick(sequence=4)).claims] == ["a"]
    finally:
        await clients.close()
