"""A Redis master dies while jobs flow, and its replica takes over: with `durability: replicated` nobody notices.

Nothing that was accepted is lost, nothing is sent twice, the order stays, and no window holds more than its rate.
"""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

import aiohttp
import pytest

from gateway.model.errors import StoreUnavailable
from gateway.sandbox.napcat import StandIn
from gateway.sandbox.process import GatewayProcess
from gateway.store.client import Clients, connected, translated
from gateway.store.producer import Producer
from tests.chaos.pair import Pair, pair
from tests.chaos.plan import PlannedJob
from tests.chaos.promises import broken, each_part_is_received_exactly_once
from tests.chaos.traffic import Flow
from tests.trials import TRIALS
from tests.world import SECRET, World, until

RATES = {"account": (40, 1.0), "group": (8, 1.0), "user": (8, 1.0)}
SECTIONS: dict[str, Any] = {
    "limits": {scope: [f"{count}/{period}s"] for scope, (count, period) in RATES.items()},
}
SHORT = {"timeout": "1s", "slack": "500ms", "settle_for": "500ms"}  # the shortest there are: a lease lasts 6.5 s
JOBS = [
    *(PlannedJob(number, f"group:{1 + number % 8}", "stream", 1) for number in range(160)),
    *(PlannedJob(number, "group:9", "list", 2) for number in range(160, 175)),
    *(PlannedJob(number, f"private:{1 + number % 2}", "http", 1) for number in range(175, 205)),
]
PARTS = sum(job.parts for job in JOBS)


class Careful(Producer):
    """A producer that does itself what the gateway does: it goes on when a replica has its jobs, else pushes again."""

    def __init__(self, clients: Clients) -> None:
        super().__init__(clients)
        self._clients = clients

    async def add(self, *jobs: str | bytes, stream: str = "gw:jobs") -> list[str]:
        return await self._pushed(*(("XADD", stream, "*", "job", job) for job in jobs))

    async def push(self, *jobs: str | bytes, name: str = "gw:jobs:list") -> None:
        await self._pushed(("RPUSH", name, *jobs))

    async def _pushed(self, *commands: tuple[Any, ...]) -> list[str]:
        with translated():
            async with self._clients.commands.pipeline(transaction=False) as pipe:
                for command in commands:
                    pipe.execute_command(*command)
                pipe.execute_command("WAIT", 1, 500)
                *_, reached = await pipe.execute()
        if not reached:
            raise StoreUnavailable("no replica has it")
        return []


@pytest.fixture(name="redis")
async def _redis(tmp_path: Path) -> AsyncIterator[Pair]:
    async with pair(tmp_path / "redis") as made:
        yield made


@pytest.fixture(name="world")
async def _world(redis: Pair, tmp_path: Path) -> AsyncIterator[World]:
    """The usual world, on a Redis that fails over."""
    async with AsyncExitStack() as stack:
        clients = await stack.enter_async_context(connected(redis.proxy.url))
        napcat = await stack.enter_async_context(StandIn(events_secret=SECRET, answer_ms=30).serve())
        world = World(stack, tmp_path, redis.proxy.url, clients, napcat)
        world.producer = Careful(clients)
        yield world


async def gateways(world: World, **sections: Any) -> list[GatewayProcess]:
    """Start two gateways that rely on nothing that no replica has."""
    redis = {"url": world.redis_url, "durability": "replicated"}
    started = await asyncio.gather(*(world.process(redis=redis, **SECTIONS, **sections) for _ in range(2)))
    world.napcat.report_to(f"{started[0].url}/napcat/main/events", SECRET)
    return list(started)


def flow(world: World, through: list[GatewayProcess], chance: Random) -> Flow:
    bursts = [(chance.randrange(3, 30), chance.uniform(0.0, 0.2)) for _ in range(20)]
    return Flow(world, through, JOBS, bursts, chance)


@pytest.mark.parametrize("seed", range(TRIALS))
async def test_a_master_that_dies_while_jobs_flow_takes_nothing_with_it(world: World, redis: Pair, seed: int) -> None:
    chance = Random(seed)
    through = await gateways(world)
    jobs = flow(world, through, chance)
    for sends in sorted(chance.sample(range(PARTS * 3 // 4), 2)):
        await jobs.is_at(sends)
        # What is written from now on nobody but the master will ever know.
        redis.wire.cut()
        await asyncio.sleep(chance.choice((0.0, 0.01, 0.1, 1.5)))
        await redis.fail_over()
        await redis.repair()
    evidence = await jobs.evidence(RATES)
    assert broken(evidence) == []
    each_part_is_received_exactly_once(evidence)
    # Who settles lives, and tells the new master what it cannot know: nothing has to be found out by evidence.
    endings = [evidence.finals(job)[-1] for job in JOBS]
    assert {attempt.verdict for ending in endings for attempt in ending.attempts or ()} == {"delivered"}
    assert any(gateway.events("master.changed") for gateway in through)


@pytest.mark.parametrize("seed", [7])
async def test_who_dies_with_the_master_leaves_doubts_and_no_doubles(world: World, redis: Pair, seed: int) -> None:
    chance = Random(seed)
    stays, dies = await gateways(world, delivery=SHORT)
    jobs = flow(world, [stays, dies], chance)
    await jobs.is_at(chance.randrange(20, PARTS // 2))
    redis.wire.cut()
    await asyncio.sleep(chance.choice((0.0, 0.05)))
    await asyncio.gather(dies.kill(), redis.fail_over())
    await redis.repair()
    assert broken(await jobs.evidence(RATES)) == []


async def test_a_call_whose_answer_died_with_all_who_awaited_it_is_settled_by_evidence_and_not_made_again(
    world: World, redis: Pair
) -> None:
    through = await gateways(world, delivery=SHORT)
    world.napcat.behave("group:1", "delay", 1, ms=300)
    await world.add({"group_id": 1, "message": "0.0", "key": "k0"}, {"group_id": 1, "message": "1.0", "key": "k1"})
    await until(lambda: world.napcat.received)
    await asyncio.gather(*(gateway.kill() for gateway in through), redis.fail_over())
    await redis.repair()
    await world.clients.commands.connection_pool.disconnect()
    await through[0].start()
    first, second = await world.ended(2)
    assert (first.state, second.state) in {("unconfirmed", "delivered"), ("delivered", "delivered")}
    told = [receipt for receipt in await world.receipts() if receipt.key == "k0"]
    assert (told[0].state, told[0].code) == ("unknown", "lease_lapsed")
    assert world.napcat.texts("group:1") == ["0.0", "1.0"]


async def test_without_a_replica_nothing_is_sent_and_nothing_taken_until_there_is_one_again(
    world: World, redis: Pair
) -> None:
    through = await gateways(world)
    await world.add(*(job.document for job in JOBS[:40]))
    await until(lambda: len(world.napcat.received) >= 8)
    await until(lambda: world.clients.commands.xlen("gw:jobs"), lambda unread: unread == 0)
    redis.replica.freeze()
    async with aiohttp.ClientSession() as session:
        job = PlannedJob(1_000, "group:1", "http", 1).document
        refusal = await until(lambda: _posted(session, through[0], job), lambda answer: answer[0] == 503)
        assert refusal[1]["code"] == "not_replicated"
        for gateway in through:
            await until(partial(_reasons, session, gateway), lambda reasons: "redis_not_replicated" in reasons)
        status, batch = await _answer(session, through[0], "/v1/jobs/batch", {"jobs": [job]})
        assert (status, batch["items"][0]["code"]) == (202, "not_replicated")
        status, parked = await _answer(session, through[0], "/v1/targets/group/1/park", {"for": "1s"})
        assert (status, parked["code"]) == (503, "not_replicated")
        # What was claimed just before was on the replica, and may still be on its way.
        await until(lambda: not _calls(world))
        received = len(world.napcat.received)
        await world.clients.commands.xadd("gw:jobs", {"job": json.dumps({**job, "key": "late"})})
        await asyncio.sleep(3)
        assert len(world.napcat.received) == received
        assert await world.clients.commands.xlen("gw:jobs") == 1
        assert await through[1].stop() == 0
        redis.replica.thaw()
        await until(lambda: _reasons(session, through[0]), lambda reasons: "redis_not_replicated" not in reasons)
        await until(lambda: _posted(session, through[0], job), lambda answer: answer[0] == 202)
    # The first forty, the one that was submitted again and again with its key, and the one of the stream.
    ended = await world.ended(42)
    assert [receipt.state for receipt in ended] == ["delivered"] * 42
    assert len(world.napcat.received) == 42


def _calls(world: World) -> int:
    return len(world.napcat.received) - len(world.napcat.delivered)


async def _posted(session: aiohttp.ClientSession, gateway: GatewayProcess, job: dict[str, Any]) -> tuple[int, Any]:
    return await _answer(session, gateway, "/v1/jobs", job)


async def _answer(
    session: aiohttp.ClientSession, gateway: GatewayProcess, path: str, document: dict[str, Any]
) -> tuple[int, Any]:
    async with session.post(gateway.url + path, json=document) as answer:
        return answer.status, await answer.json(content_type=None)


async def _reasons(session: aiohttp.ClientSession, gateway: GatewayProcess) -> list[str]:
    async with session.get(f"{gateway.url}/status") as answer:
        return [reason["code"] for reason in (await answer.json())["reasons"]]
