"""Waiting for a job's end: told when it comes, whoever delivers, and never for longer than was asked."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from gateway.clock import Clock
from gateway.model.identity import JobId, parse_job_id
from gateway.results.waiting import Endings
from gateway.store.feed import Feed, Told
from gateway.store.keys import Keys
from gateway.store.scripts import Scripts
from gateway.supervise import Supervisor
from tests.world import Gateway, Reply, World, until

JOB = {"group_id": "1", "message": "hello"}


class _CountingFeed(Feed):
    reads = 0

    async def next(self, after: Mapping[str, str], most: int, wait_ms: int) -> list[Told]:
        self.reads += 1
        return await super().next(after, most, wait_ms)


@asynccontextmanager
async def endings(world: World) -> AsyncIterator[tuple[Endings, _CountingFeed]]:
    """Yield what tells endings beside the gateways, as another replica would have it."""
    keys = Keys("gw")
    feed = _CountingFeed(world.clients, keys)
    made = Endings(Scripts(world.clients.commands, keys), feed, Clock())
    supervisor = Supervisor(Clock())
    supervisor.start("endings", made.run)
    try:
        yield made, feed
    finally:
        await supervisor.close()


async def post(gateway: Gateway, **fields: Any) -> JobId:
    job = parse_job_id((await gateway.post("/v1/jobs", {**JOB, **fields})).json["id"])
    assert job is not None
    return job


def names(reply: Reply) -> list[str]:
    assert (reply.status, reply.json["code"]) == (422, "query_invalid")
    return [fault["loc"] for fault in reply.json["errors"]]


async def test_who_asks_with_a_wait_is_answered_when_the_job_has_ended(world: World) -> None:
    world.napcat.behave("group:1", "delay", times=1, ms=300)
    gateway = await world.gateway()
    job = await post(gateway)
    receipt = (await gateway.get(f"/v1/jobs/{job}?wait=20s")).json
    assert receipt["state"] == "delivered"
    assert receipt["message_ids"] == [message.message_id for message in world.napcat.delivered]


async def test_a_job_is_waited_for_by_its_key_too(world: World) -> None:
    world.napcat.behave("group:1", "delay", times=1, ms=300)
    gateway = await world.gateway()
    await post(gateway, key="a")
    assert (await gateway.get("/v1/jobs/key:a?wait=20&account=main")).json["state"] == "delivered"


async def test_a_job_that_has_ended_is_told_at_once(world: World) -> None:
    gateway = await world.gateway()
    job = await post(gateway)
    await world.ended(1)
    async with asyncio.timeout(20):
        assert (await gateway.get(f"/v1/jobs/{job}?wait=60s")).json["state"] == "delivered"


async def test_when_the_time_is_over_the_receipt_says_how_far_the_job_is(world: World) -> None:
    gateway = await world.gateway()
    job = await post(gateway, delay="1h")
    receipt = (await gateway.get(f"/v1/jobs/{job}?wait=200ms")).json
    assert (receipt["state"], receipt["reason"]) == ("waiting", "scheduled")


async def test_a_job_that_is_not_there_is_not_waited_for(world: World) -> None:
    gateway = await world.gateway()
    async with asyncio.timeout(20):
        assert (await gateway.get("/v1/jobs/main.abcdefghijklmnopqrstuv?wait=60s")).status == 404
        assert (await gateway.get("/v1/jobs/key:none?wait=60s")).status == 404


async def test_a_wait_that_is_none_is_refused_by_its_name(world: World) -> None:
    gateway = await world.gateway()
    job = await post(gateway)
    for wait in ("61s", "2m", "soon", "-1s", "", "1e3", "nan", "61", "99999999999"):
        assert names(await gateway.get(f"/v1/jobs/{job}?wait={wait}")) == ["query.wait"], wait
    for wait in ("0", "0s", "60s", "1.5", "1500ms"):
        assert (await gateway.get(f"/v1/jobs/{job}?wait={wait}")).status == 200


async def test_a_parameter_nobody_knows_is_refused_by_its_name(world: World) -> None:
    gateway = await world.gateway()
    job = await post(gateway)
    assert names(await gateway.get(f"/v1/jobs/{job}?wiat=20s&timeout=1")) == ["query.wiat", "query.timeout"]


async def test_every_ending_is_told_as_it_is(world: World) -> None:
    world.napcat.behave("group:2", "kick")
    world.napcat.behave("group:3", "timeout", wait_ms=10)
    world.napcat.behave("group:4", "rate")
    rule = {"name": "soon", "result": 299, "verdict": "retry", "waits": ["10ms"]}
    gateway = await world.gateway(delivery={"settle_for": "100ms", "rules": [rule]})
    jobs = [await post(gateway, group_id=str(n)) for n in range(1, 5)]
    jobs.append(await post(gateway, group_id="5", delay="2s", ttl="100ms"))
    async with endings(world) as (ends, _):
        receipts = await asyncio.gather(*(ends.of(job, 20) for job in jobs))
    assert [receipt and receipt.state for receipt in receipts] == [
        "delivered",
        "rejected",
        "unconfirmed",
        "dead",
        "expired",
    ]


async def test_nothing_is_read_while_nobody_waits(world: World) -> None:
    gateway = await world.gateway()
    async with endings(world) as (ends, feed):
        first = await post(gateway)
        await world.ended(1)
        assert (receipt := await ends.of(first, 10)) is not None
        assert receipt.state == "delivered"
        assert feed.reads <= 1  # to look at it was to be told already
        world.napcat.behave("group:1", "delay", times=1, ms=200)
        second = await post(gateway)
        assert await ends.of(second, 10) is not None
        assert feed.reads <= 4


async def test_a_wait_in_one_account_is_not_held_up_by_one_in_another(world: World) -> None:
    world.napcat.behave("group:1", "delay", times=1, ms=300)
    gateway = await world.gateway(accounts=[world.account(), world.account(name="second")])
    async with endings(world) as (ends, feed):
        never = asyncio.create_task(ends.of(await post(gateway, group_id="9", delay="1h"), 30))
        await until(lambda: feed.reads == 1)  # it is blocked in the first account's stream
        job = await post(gateway, account="second")
        async with asyncio.timeout(8):  # what is quiet is looked at after ten seconds anyway
            receipt = await ends.of(job, 20)
        assert receipt is not None
        assert (receipt.account, receipt.state) == ("second", "delivered")
        assert not never.done()
        ends.stop()
        assert await never is None


async def test_many_wait_for_one_job_and_all_are_told(world: World) -> None:
    world.napcat.behave("group:1", "delay", times=1, ms=300)
    gateway = await world.gateway()
    job = await post(gateway)
    async with endings(world) as (ends, _):
        receipts = await asyncio.gather(*(ends.of(job, 20) for _ in range(50)), ends.of(job, 0.01))
    assert [receipt and receipt.state for receipt in receipts] == ["delivered"] * 50 + [None]


async def test_hundreds_of_jobs_that_end_while_they_are_asked_for_are_all_told(world: World) -> None:
    gateway = await world.gateway()
    async with endings(world) as (ends, _):

        async def end_of(number: int) -> str | None:
            receipt = await ends.of(await post(gateway, group_id=str(1 + number % 7)), 20)
            return receipt.state if receipt else None

        async with asyncio.timeout(30):
            assert set(await asyncio.gather(*(end_of(n) for n in range(300)))) == {"delivered"}


async def test_a_job_that_another_replica_delivers_is_told_too(world: World) -> None:
    world.napcat.behave("group:9", "delay", ms=3_000)
    busy = await world.gateway(accounts=[world.account(max_in_flight=1)])
    await post(busy, group_id="9")
    await until(lambda: len(world.napcat.received) == 1)  # the only call this one may make
    job = await post(busy)
    asked = asyncio.create_task(busy.get(f"/v1/jobs/{job}?wait=20s"))
    await world.gateway()
    async with asyncio.timeout(2.5):
        assert (await asked).json["state"] == "delivered"


async def test_who_waits_outlives_the_loss_of_every_connection(world: World) -> None:
    world.napcat.behave("group:1", "delay", times=1, ms=1_000)
    gateway = await world.gateway()
    job = await post(gateway)
    async with endings(world) as (ends, feed):
        asked = asyncio.create_task(ends.of(job, 20))
        await until(lambda: feed.reads == 1)
        await world.clients.commands.client_kill_filter(_type="normal", skipme=True)
        receipt = await asked
    assert receipt is not None
    assert receipt.state == "delivered"


async def test_who_waits_while_redis_restarts_is_told_late(world: World) -> None:
    world.napcat.behave("group:1", "delay", times=1, ms=1_500)
    gateway = await world.gateway()
    job = await post(gateway)
    await until(lambda: world.napcat.received)
    asked = asyncio.create_task(gateway.get(f"/v1/jobs/{job}?wait=40s"))
    async with endings(world) as (ends, feed):
        told = asyncio.create_task(ends.of(job, 40))
        await until(lambda: feed.reads == 1)
        await world.stop_redis()
        await world.start_redis()
        assert (await asked).json["state"] == "delivered"
        receipt = await told
    assert receipt is not None
    assert receipt.state == "delivered"


async def test_who_waits_while_redis_is_away_is_let_go_in_time(world: World) -> None:
    gateway = await world.gateway()
    job = await post(gateway, delay="1h")
    async with endings(world) as (ends, _):
        await world.stop_redis()
        async with asyncio.timeout(10):
            assert await ends.of(job, 1) is None
        await world.start_redis()


async def test_what_others_write_into_the_stream_disturbs_nobody(world: World) -> None:
    world.napcat.behave("group:1", "delay", times=1, ms=500)
    gateway = await world.gateway()
    job = await post(gateway)
    asked = asyncio.create_task(gateway.get(f"/v1/jobs/{job}?wait=20s"))
    for name, text in (("x", "y"), ("receipt", "{"), ("receipt", f'{{"id": "{job}", "state": "delivered"}}')):
        await world.clients.commands.xadd("gw:{main}:receipts", {name: text})
    assert (await asked).json["message_ids"]
