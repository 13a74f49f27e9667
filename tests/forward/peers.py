"""Servers that do as a test says: NapCat's two doors on one port, and one that speaks byte by byte."""

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import NamedTuple, TypeVar

from aiohttp import WSMsgType, web
from multidict import CIMultiDictProxy

from gateway.forward.napcat_http import NapCatHttp
from gateway.forward.napcat_ws import NapCatWs
from gateway.model.part import Part
from tests.world import serving

BODY = b'{"group_id":"1","message":[{"type":"text","data":{"text":"\\u4f60\\u597d \\"\\\\\\n"}}],"timeout":300}'
PART = Part("send_group_msg", BODY, 60, 20, "", nodes=False)
PATIENT = PART._replace(timeout_ms=30_000)
OK = b'{"status":"ok","retcode":0,"data":{"message_id":7},"message":"","wording":""}'

_FRAME = re.compile(rb'\{"action":"(\w+)","params":(.*),"echo":"(\w+)"\}', re.DOTALL)

Raw = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[object]]
Client = NapCatHttp | NapCatWs
Kind = TypeVar("Kind", bound=Client)


def napcat(
    kind: type[Kind],
    port: int,
    *,
    tls: bool = False,
    path: str = "",
    token: str = "",
    max_in_flight: int = 2,
    connect_ms: int = 3_000,
) -> Kind:
    """Return a client of the server at PORT."""
    scheme = ("https" if tls else "http") if kind is NapCatHttp else ("wss" if tls else "ws")
    address = f"{scheme}://127.0.0.1:{port}{path}"
    return kind(address, token, slack_ms=20, max_in_flight=max_in_flight, connect_ms=connect_ms)


class Call(NamedTuple):
    """One call that came in, by whichever door: the address and headers it came with, and its JSON body."""

    address: str
    headers: CIMultiDictProxy[str]
    action: str
    params: bytes


class Peer:
    """Remembers each call, and answers all with the same JSON object; none: never."""

    def __init__(self, answer: bytes | None) -> None:
        self._answer = answer
        self.calls: list[Call] = []
        self.port = 0

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """Take a call over HTTP, or an upgrade and then calls over WebSocket."""
        if request.method == "GET":
            return await self._upgraded(request)
        params = await request.content.read()  # however large
        self.calls.append(Call(request.path_qs, request.headers, request.path.rpartition("/")[2], params))
        if self._answer is None:
            await asyncio.Event().wait()
        return web.Response(body=self._answer, headers={"Set-Cookie": "a=b"})

    async def _upgraded(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse(max_msg_size=2**25)
        await socket.prepare(request)
        async for message in socket:
            found = _FRAME.fullmatch(message.data.encode()) if message.type is WSMsgType.TEXT else None
            assert found is not None
            action, params, echo = found.groups()
            self.calls.append(Call(request.path_qs, request.headers, action.decode(), params))
            if self._answer is not None:
                separator = b"," if len(self._answer) > len(b"{}") else b""
                await socket.send_str((self._answer[:-1] + separator + b'"echo":"' + echo + b'"}').decode())
        return socket


@asynccontextmanager
async def answering(answer: bytes | None = OK) -> AsyncIterator[Peer]:
    """Yield a server with both doors that gives every call this ANSWER."""
    peer = Peer(answer)
    async with serving("*", peer.serve) as url:
        peer.port = int(url.rpartition(":")[2])
        yield peer


@asynccontextmanager
async def speaking(serve: Raw) -> AsyncIterator[int]:
    """Yield the port of a server that speaks for itself, byte by byte."""
    connections: set[asyncio.Task[None]] = set()

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        connections.add(task)
        try:
            await serve(reader, writer)
        except (asyncio.IncompleteReadError, OSError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for task in connections:
            task.cancel()
        await asyncio.gather(*connections, return_exceptions=True)


async def silent(_: asyncio.StreamReader, __: asyncio.StreamWriter) -> None:
    """Take a connection and say nothing."""
    await asyncio.Event().wait()
