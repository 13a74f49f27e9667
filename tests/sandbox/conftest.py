from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from gateway.sandbox.napcat import StandIn

from .calling import Caller, EventReceiver, Serve


@pytest.fixture
async def serve() -> AsyncIterator[Serve]:
    async with AsyncExitStack() as running:

        async def start(**options: Any) -> StandIn:
            return await running.enter_async_context(StandIn(**options).serve())

        yield start


@pytest.fixture
async def napcat(serve: Serve) -> StandIn:
    return await serve()


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=10)) as session:
        yield session


@pytest.fixture
async def caller(napcat: StandIn, session: aiohttp.ClientSession) -> Caller:
    return Caller(napcat, session)


@pytest.fixture
async def receiver() -> AsyncIterator[EventReceiver]:
    receiver = EventReceiver()
    app = web.Application()
    app.router.add_post("/events", receiver.take)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    receiver.url = f"http://127.0.0.1:{runner.addresses[0][1]}/events"
    yield receiver
    await runner.cleanup()
