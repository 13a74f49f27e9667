"""A WebSocket server that does as a test says with each frame it has read."""

import asyncio
import base64
import hashlib
import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import WSMsgType, web

from gateway.forward.napcat_ws import NapCatWs
from tests.forward import peers
from tests.world import serving

Socket = web.WebSocketResponse
Talk = Callable[[Socket, dict[str, Any]], Awaitable[object]]


class Peer:
    """A WebSocket server that does as told with each frame it has read, and remembers what it read."""

    def __init__(self, talk: Talk) -> None:
        self.talk = talk
        self.connections: list[Socket] = []
        self.requests: list[web.Request] = []
        self.frames: list[str] = []
        self.port = 0

    async def hold(self, request: web.Request) -> Socket:
        socket = Socket(max_msg_size=2**25)
        await socket.prepare(request)
        self.requests.append(request)
        self.connections.append(socket)
        async for message in socket:
            if message.type is WSMsgType.TEXT:
                self.frames.append(message.data)
                await self.talk(socket, json.loads(message.data))
        return socket

    def abort(self) -> None:
        transport = self.requests[-1].transport
        assert transport is not None
        transport.abort()


@asynccontextmanager
async def listening(talk: Talk) -> AsyncIterator[Peer]:
    peer = Peer(talk)
    async with serving("GET", peer.hold) as url:
        peer.port = int(url.rpartition(":")[2])
        yield peer


async def upgraded(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    key = re.search(r"Sec-WebSocket-Key: (\S+)", head, re.IGNORECASE)
    assert key is not None
    digest = hashlib.sha1(f"{key[1]}258EAFA5-E914-47DA-95CA-C5AB0DC85B11".encode()).digest()
    accept = base64.b64encode(digest).decode()
    lines = ["HTTP/1.1 101 Switching Protocols", "Upgrade: websocket", "Connection: Upgrade"]
    writer.write("\r\n".join([*lines, f"Sec-WebSocket-Accept: {accept}", "", ""]).encode())
    await writer.drain()


def napcat(port: int, **options: Any) -> NapCatWs:
    return peers.napcat(NapCatWs, port, **{"max_in_flight": 8, "connect_ms": 500, **options})


def ok(call: dict[str, Any], message_id: int = 7) -> dict[str, Any]:
    return {"status": "ok", "retcode": 0, "data": {"message_id": message_id}, "message": "", "echo": call["echo"]}


async def deliver(socket: Socket, call: dict[str, Any]) -> None:
    await socket.send_json(ok(call))


async def ignore(_: Socket, __: dict[str, Any]) -> None:
    pass
