"""Redis is restarted, killed, filled up and made read-only while jobs flow: none is lost, doubled or overtaken."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from random import Random

import aiohttp
import pytest

from gateway.sandbox.napcat import StandIn
from gateway.sandbox.process import GatewayProcess
from gateway.store.client import connected
from tests.chaos.plan import PlannedJob
from tests.chaos.promises import (
    each_part_is_received_exactly_once,
    every_job_ends_in_exactly_one_final_state,
    every_target_receives_its_jobs_and_their_parts_in_order,
    nothing_is_left_over,
)
from tests.chaos.server import Server
from tests.chaos.traffic import Flow, queued
from tests.world import SECRET, World, until

RATES = {"account": (30, 0.2), "group": (10, 0.2), "user": (10, 0.2)}
LIMITS = {scope: [f"{count}/{int(period * 1000)}ms"] for scope, (count, period) in RATES.items()}
JOBS = [
    *(PlannedJob(number, f"group:{1 + number % 8}", "stream", 1) for number in range(240)),
    *(PlannedJob(number, "group:9", "list", 2) for number in range(240, 270)),
    *(PlannedJob(number, "private:1", "http", 1) for number in range(270, 300)),
]
PROMISES = (
    every_job_ends_in_exactly_one_final_state,
    each_part_is_received_exactly_once,
    every_target_receives_its_jobs_and_their_parts_in_order,
    nothing_is_left_over,
)


@pytest.fixture(name="server")
async def _server(tmp_path: Path) -> AsyncIterator[Server]:
    server = Server(tmp_path / "redis")
    try:
        await server.start()
        yield server
    finally:
        await server.kill()


@pytest.fixture(name="world")
async def _world(server: Server, tmp_path: Path) -> AsyncIterator[World]:
    """The usual world, on a Redis that can be ended and started again."""
    async with AsyncExitStack() as stack:
        clients = await stack.enter_async_context(connected(server.url))
        napcat = await stack.enter_async_context(StandIn(events_secret=SECRET, answer_ms=5).serve())
        yield World(stack, tmp_path, server.url, clients, napcat)


async def flow(
    world: World, bursts: Sequence[tuple[int, float]] = ((10, 0.03),), **sections: object
) -> tuple[Flow, GatewayProcess]:
    """Let jobs flow through two gateways; return the flow and one of them."""
    through = await asyncio.gather(*(world.process(limits=LIMITS, **sections) for _ in range(2)))
    return Flow(world, through, JOBS, bursts, Random(0)), through[0]


async def keeps_every_promise(jobs: Flow) -> None:
    """Wait until all jobs have ended, and check what came of them."""
    evidence = await jobs.evidence(RATES)
    for promise in PROMISES:
        promise(evidence)


async def test_a_restart_of_redis_loses_doubles_and_reorders_nothing(world: World, server: Server) -> None:
    jobs, _ = await flow(world)
    await jobs.is_at(80)
    await server.stop()
    await server.start()
    await keeps_every_promise(jobs)


async def test_a_kill_of_redis_loses_doubles_and_reorders_nothing_it_has_acknowledged(
    world: World, server: Server
) -> None:
    jobs, _ = await flow(world)
    for sends in (40, 120, 200):
        await jobs.is_at(sends)
        await server.kill()
        await server.start()
    await keeps_every_promise(jobs)


async def test_a_read_only_redis_delays_jobs_and_changes_nothing_else(world: World) -> None:
    jobs, gateway = await flow(world)
    await jobs.is_at(80)
    await world.clients.commands.config_set("min-replicas-to-write", 1)
    await _refuses(gateway)
    await asyncio.sleep(1)
    await world.clients.commands.config_set("min-replicas-to-write", 0)
    await keeps_every_promise(jobs)


async def test_a_full_redis_takes_nothing_in_sends_what_it_holds_and_loses_nothing(world: World) -> None:
    jobs, gateway = await flow(world, [(len(JOBS), 0)], intake={"max_queued": 100})
    await jobs.is_at(40)
    await world.clients.commands.config_set("maxmemory", 1)
    await until(lambda: queued(world), lambda number: number == 0)
    await _refuses(gateway)
    assert await world.clients.commands.xlen("gw:jobs") > 0
    await world.clients.commands.config_set("maxmemory", 0)
    await keeps_every_promise(jobs)


async def _refuses(gateway: GatewayProcess) -> None:
    """Check that GATEWAY says to a producer that it cannot take a job now, and when to come again."""
    job = PlannedJob(1_000, "group:1", "http", 1)
    async with aiohttp.ClientSession() as session, session.post(f"{gateway.url}/v1/jobs", json=job.document) as answer:
        assert (answer.status, (await answer.json(content_type=None))["code"]) == (503, "store_refuses")
        assert int(answer.headers["Retry-After"]) > 0
