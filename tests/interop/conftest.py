"""The programs of others that talk to the gateway: a bot made with nonebot, as a process of its own."""

import asyncio
import hashlib
import json
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from gateway.sandbox.process import free_port
from tests.world import World, until

TOKEN = "the bot's token"
KEYS = {"keys": [{"name": "bot", "sha256": hashlib.sha256(TOKEN.encode()).hexdigest(), "scopes": ["send"]}]}
ROOT = Path(__file__).parents[2]


def sent(world: World) -> tuple[str, list[tuple[str, Any]]]:
    """Return where the last message went, and its segments, as type and what matters of their data."""
    call = world.napcat.received[-1]
    tells = {"text": "text", "image": "file", "at": "qq", "face": "id", "reply": "id"}
    return call.target, [(one["type"], one["data"][tells[one["type"]]]) for one in call.body["message"]]


class NonebotBot:
    """A running bot: NapCat posts it what people say, and it sends through the gateway."""

    def __init__(self, world: World, process: asyncio.subprocess.Process) -> None:
        self._world = world
        self._process = process

    async def hears(self, text: str, group: int | None = 7, user: int = 10003) -> dict[str, Any]:
        """Let the bot hear TEXT in GROUP (None: from USER alone); return what became of the call it made."""
        where = {"message_type": "group", "group_id": group, "sub_type": "normal", "anonymous": None}
        alone = {"message_type": "private", "sub_type": "friend"}
        event = {"time": 0, "self_id": 10001, "post_type": "message", "message_id": 5, "user_id": user, "font": 0}
        words = {"message": [{"type": "text", "data": {"text": text}}], "raw_message": text}
        await self._world.napcat.emit({**event, **words, **(where if group else alone), "sender": {"user_id": user}})
        told: dict[str, Any] = json.loads(await self._line())
        return told

    async def _line(self) -> bytes:
        assert self._process.stdout is not None
        async with asyncio.timeout(15):
            while not (line := await self._process.stdout.readline()).startswith(b"{"):
                assert line, "the bot ended"
        return line


Meet = Callable[..., Awaitable[NonebotBot]]


@pytest.fixture(name="nonebot_at")
async def _nonebot_at(world: World) -> AsyncIterator[Meet]:
    """Start a bot at an address (and with a token) where its author would put NapCat's."""
    async with AsyncExitStack() as stack:

        async def start(url: str, token: str | None = None) -> NonebotBot:
            return await stack.enter_async_context(_running(world, url, token))

        yield start


@asynccontextmanager
async def _running(world: World, url: str, token: str | None) -> AsyncIterator[NonebotBot]:
    port, secret = free_port(), "the bot's secret"
    settings = {
        "DRIVER": "~quart+~aiohttp",
        "PORT": str(port),
        "LOG_LEVEL": "ERROR",
        "ONEBOT_SECRET": secret,
        "ONEBOT_API_ROOTS": json.dumps({world.napcat.self_id: url}),
        "PYTHONPATH": str(ROOT),
        **({"ONEBOT_ACCESS_TOKEN": token} if token else {}),
    }
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.interop.nonebot_bot"),
        cwd=world.folder,  # where it finds no .env
        env={**os.environ, **settings},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        address = f"http://127.0.0.1:{port}/onebot/v11/"
        await until(lambda: _listens(address), deadline=20)
        world.napcat.report_to(address, secret)
        yield NonebotBot(world, process)
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def _listens(address: str) -> bool:
    try:
        async with aiohttp.ClientSession() as session, session.post(address):
            return True
    except aiohttp.ClientError:
        return False
