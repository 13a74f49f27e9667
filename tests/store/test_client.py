"""The clients of Redis: a crowd waits its turn, and hears soon when Redis is away."""

import asyncio
import time
from collections.abc import AsyncIterator

import pytest
from redis.exceptions import ConnectionError as Disconnected
from redis.exceptions import TimeoutError as Silent

from gateway.store.client import Clients
from tests.chaos.proxy import Proxy
from tests.world import World

ANSWER = 0.5  # seconds that Redis has to answer
CROWD = 96  # callers, six times as many as there are connections


@pytest.fixture(name="proxy")
async def _proxy(world: World) -> AsyncIterator[Proxy]:
    async with Proxy(world.redis_url).serve() as proxy:
        yield proxy


@pytest.fixture(name="clients")
async def _clients(proxy: Proxy) -> AsyncIterator[Clients]:
    clients = Clients(proxy.url, answer=ANSWER)
    yield clients
    await clients.close()


async def test_who_waits_longer_for_a_connection_than_redis_may_take_is_served_all_the_same(clients: Clients) -> None:
    began = time.monotonic()
    await asyncio.gather(*(_hold_one(clients) for _ in range(CROWD)))
    assert time.monotonic() - began > ANSWER


async def test_a_crowd_hears_at_once_that_redis_is_silent(clients: Clients, proxy: Proxy) -> None:
    await asyncio.gather(*(clients.commands.ping() for _ in range(CROWD)))
    proxy.black_hole()
    async with asyncio.timeout(10 * ANSWER):
        ends = await asyncio.gather(*(clients.commands.ping() for _ in range(CROWD)), return_exceptions=True)
    assert all(isinstance(end, Disconnected | Silent) for end in ends)


async def test_callers_that_use_up_their_connections_hold_up_no_lane(clients: Clients) -> None:
    callers = [asyncio.create_task(_hold_one(clients)) for _ in range(CROWD)]
    await asyncio.sleep(0)
    await clients.lanes.ping()
    assert sum(caller.done() for caller in callers) < CROWD / 2, "it stood behind them"
    await asyncio.gather(*callers)


async def _hold_one(clients: Clients) -> None:
    """Keep a connection busy for a while."""
    await clients.commands.blpop(["nothing"], timeout=0.1)
