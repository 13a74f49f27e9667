"""A listener of its own, and a WebSocket server that says what a test tells it to."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web

from gateway.clock import Clock
from gateway.forward.listener import Listener
from gateway.sandbox.events import lifecycle
from gateway.settings import Account
from gateway.store.keys import Keys
from gateway.store.scripts import Scripts
from gateway.store.scripts.processes import Role
from gateway.supervise import Supervisor
from tests.forward.test_notices import SELF
from tests.world import World, serving, until

LEASE = "gw:{main}:listener"


def websocket(url: str) -> str:
    return url.replace("http://", "ws://")


class Peer:
    """A WebSocket server that greets with a lifecycle event, and then says what a test tells it to."""

    def __init__(self) -> None:
        self.url = ""
        self.socket: web.WebSocketResponse | None = None
        self.requests: list[web.Request] = []
        self.greets = True
        self.answers_pings = True
        self.stays = True

    @asynccontextmanager
    async def serve(self) -> AsyncIterator["Peer"]:
        """Run for the length of an `async with` block."""
        async with serving("GET", self._hold) as self.url:
            yield self

    async def _hold(self, request: web.Request) -> web.WebSocketResponse:
        self.requests.append(request)
        socket = web.WebSocketResponse(autoping=self.answers_pings)
        await socket.prepare(request)
        if self.greets:
            await socket.send_json(lifecycle(SELF))
        if self.stays:
            self.socket = socket
            async for _ in socket:
                pass
            if self.socket is socket:
                self.socket = None
        return socket

    async def say(self, frame: dict[str, Any] | str | bytes) -> None:
        """Send one frame to whoever listens, as soon as somebody does."""
        socket: web.WebSocketResponse = await until(lambda: self.socket)
        if isinstance(frame, bytes):
            await socket.send_bytes(frame)
        else:
            await socket.send_str(frame if isinstance(frame, str) else json.dumps(frame))


class Counting(Scripts):
    """Counts how often a lease was asked for."""

    asked = 0

    async def lease(self, role: Role, of: str, holder: str, milliseconds: int) -> bool:
        self.asked += 1
        return await super().lease(role, of, holder, milliseconds)


class Ear:
    """A listener of its own, what it has heard, and how often it was connected."""

    def __init__(self, world: World, url: str, token: str = "", **options: Any) -> None:
        options = {"pauses": (0.01, 0.05), "lease_ms": 500, **options}
        self.heard: list[dict[str, Any]] = []
        self.connections = 0
        self.take: Callable[[dict[str, Any]], Awaitable[None]] | None = None
        settings = Account.model_validate({"name": "main", "endpoint": "http://h", "token": token, "events_url": url})
        self.scripts = Counting(world.clients.commands, Keys("gw"))
        self.listener = Listener(settings, self._take, self._connected, self.scripts, Clock(), **options)

    async def _take(self, account: str, body: bytes) -> None:
        assert account == "main"
        event = json.loads(body)
        if self.take:
            await self.take(event)
        if event["post_type"] != "meta_event":
            self.heard.append(event)

    def _connected(self) -> None:
        self.connections += 1

    async def becomes(self, state: str) -> None:
        await until(lambda: self.listener.state, lambda found: found.state == state)

    @asynccontextmanager
    async def open(self) -> AsyncIterator["Ear"]:
        supervisor = Supervisor(Clock())
        supervisor.start("events", self.listener.run)
        try:
            yield self
        finally:
            await supervisor.close()
