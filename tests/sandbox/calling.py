"""A bare OneBot client, an event receiver, and patience with a deadline."""

import asyncio
import io
import json
from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp
from aiohttp import web

from gateway.sandbox.napcat import StandIn

Fields = dict[str, Any]


class Caller:
    """Posts to a stand-in as any OneBot program does."""

    def __init__(self, napcat: StandIn, session: aiohttp.ClientSession) -> None:
        self.napcat = napcat
        self.session = session

    async def call(self, action: str, **body: Any) -> Fields:
        async with self.session.post(f"{self.napcat.url}/{action}", json=body) as answer:
            assert answer.status == 200
            envelope: Fields = json.loads(await answer.read())
            return envelope

    async def to_group(self, message: Any, group: str = "1", **more: Any) -> Fields:
        return await self.call("send_group_msg", group_id=group, message=message, **more)

    async def raw(self, path: str, data: bytes = b"", **more: Any) -> tuple[int, str, str]:
        async with self.session.post(self.napcat.url + path, data=io.BytesIO(data), **more) as answer:
            return answer.status, answer.content_type, await answer.text()


async def eventually(condition: Callable[[], Any], seconds: float = 5) -> None:
    """Return as soon as the condition holds; fail at the deadline."""
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.002)


class EventReceiver:
    """An HTTP server that keeps the events posted to it, with the bytes and headers they came with."""

    def __init__(self) -> None:
        self.events: list[Fields] = []
        self.raw: list[tuple[bytes, dict[str, str]]] = []
        self.url = ""

    async def take(self, request: web.Request) -> web.Response:
        body = await request.read()
        self.raw.append((body, {name.lower(): value for name, value in request.headers.items()}))
        self.events.append(json.loads(body))
        return web.Response(status=204)

    def of(self, kind: str) -> list[Fields]:
        return [event for event in self.events if kind in (event["post_type"], event.get("notice_type"))]


Serve = Callable[..., Awaitable[StandIn]]
