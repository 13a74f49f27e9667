"""NapCat's two front doors on one port: HTTP, and WebSocket for who asks for an upgrade (NAPCAT.md §1)."""

import asyncio
import random
import time
from contextlib import suppress
from typing import Any

from aiohttp import WSMsgType, web

from gateway.sandbox.actions import UNKNOWN_ACTION, Actions
from gateway.sandbox.behaviour import FORBIDDEN, NORMAL, Behaviour, Script
from gateway.sandbox.events import Publisher, heartbeat, lifecycle
from gateway.sandbox.journal import Journal, Received
from gateway.sandbox.kernel import pause
from gateway.sandbox.message import address, send_kind, text_of
from gateway.sandbox.tasks import Tasks
from gateway.sandbox.wire import ActionError, dump, envelope, parse_body, parse_json5

_HEADERS = {"Access-Control-Allow-Origin": "*", "Keep-Alive": "timeout=5"}
_WRONG_TOKEN = "token验证失败"  # noqa: S105 - it says that one is wrong
_MAX_FRAME = 50 * 2**20
_BASE36 = "0123456789abcdefghijklmnopqrstuvwxyz"


class Adapters:
    """Answers requests as NapCat's adapters do; every send is written down before anything happens to it."""

    def __init__(
        self, *, self_id: str, token: str, seed: int, heartbeat_ms: int, actions: Actions, script: Script,
        journal: Journal, tasks: Tasks, publisher: Publisher,
    ) -> None:  # fmt: skip
        """Take what stands behind the doors."""
        self.token = token
        self._self_id = self_id
        self._heartbeat_ms = heartbeat_ms
        self._chance = random.Random(seed)  # noqa: S311 - echoes, not secrets
        self._actions = actions
        self._script = script
        self._journal = journal
        self._tasks = tasks
        self._publisher = publisher

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Answer one HTTP request, or hold one WebSocket connection until it ends."""
        with self._tasks.adopt_current():
            if request.method == "OPTIONS":
                return web.Response(status=204, headers=_HEADERS)
            if request.headers.get("Upgrade", "").lower() == "websocket":
                return await self._hold(request)
            return await self._answer(request)

    async def _answer(self, request: web.Request) -> web.Response:
        raw = await request.read()
        at = time.monotonic()
        try:
            body = parse_body(raw, form=request.content_type == "application/x-www-form-urlencoded")
        except ValueError:
            return _html(400, "Invalid JSON")
        if request.method == "GET":
            body = {}
        if request.query_string:
            body = {**body, **request.query}
        action = request.path.split("/")[1]
        accepted = self._accepts(request)
        target = self._write_down(request, at, action, body, raw, accepted=accepted)
        if not accepted:
            return _html(403, FORBIDDEN)
        echo = body.get("echo")
        if echo is None:
            echo = "".join(self._chance.choices(_BASE36, k=11))
        if request.path == "/":
            return _json(envelope({}, echo, text="NapCat4 Is Running"))
        met = self._meets(target)
        if met.replaces_the_answer:
            await self._before_replacing(action, body, met)
            if met.step == "reply":
                return _json(_played(met, None if met.retcode == 400 else echo))
            return await _broken(request, met)
        return _json(await self._envelope(action, body, met, echo))

    async def _envelope(self, action: str, body: dict[str, Any], met: Behaviour, echo: Any) -> dict[str, Any]:
        try:
            return envelope(await self._actions.run(action, body, met), echo)
        except ActionError as failure:
            echo = None if failure.retcode == 400 else echo
            return envelope(None, echo, retcode=failure.retcode, text=failure.text)

    async def _hold(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse(max_msg_size=_MAX_FRAME)
        await socket.prepare(request)
        if not self._accepts(request):
            await _refuse(socket)
            return socket
        if request.path.rstrip("/") == "/api":
            await self._answer_frames(request, socket)
            return socket
        await socket.send_str(dump(lifecycle(self._self_id)))
        self._publisher.listeners.add(socket)
        beating = self._tasks.own(self._beat(socket), "heartbeat")
        try:
            await self._answer_frames(request, socket)
        finally:
            beating.cancel()
            self._publisher.listeners.discard(socket)
        return socket

    async def _answer_frames(self, request: web.Request, socket: web.WebSocketResponse) -> None:
        async for frame in socket:
            if frame.type is WSMsgType.TEXT:
                self._tasks.own(self._answer_frame(request, socket, frame.data), "frame")

    async def _answer_frame(self, request: web.Request, socket: web.WebSocketResponse, frame: str) -> None:
        at = time.monotonic()
        reply: dict[str, Any] | None
        try:
            call = parse_json5(frame)
            action, body, echo = str(call.get("action", "undefined")), call.get("params") or {}, call.get("echo", "")
        except (ValueError, AttributeError):
            reply = envelope(None, None, retcode=1400, text="json解析失败,请检查数据格式")
        else:
            target = self._write_down(request, at, action, body, frame.encode(), accepted=True, over_ws=True)
            met = self._meets(target)
            if met.replaces_the_answer:
                await self._before_replacing(action, body, met)
                reply = _played_frame(met, echo)
                if reply is None:
                    return await _broken_socket(request, socket, met)
            else:
                reply = await self._frame_envelope(action, body, met, echo)
        if reply is not None:
            with suppress(ConnectionError):  # the send went on without the caller; nobody is left to be told
                await socket.send_str(dump(reply))
        return None

    async def _frame_envelope(
        self, action: str, body: dict[str, Any], met: Behaviour, echo: Any
    ) -> dict[str, Any] | None:
        """Return the answer with WebSocket's own retcodes; None where NapCat never answers."""
        try:
            return envelope(await self._actions.run(action, body, met), echo)
        except ActionError as failure:
            if failure.mute_over_ws:
                return None
            if failure.text.startswith(UNKNOWN_ACTION):
                return envelope(None, echo, retcode=1404, text=f"不支持的API {action}")
            return envelope(None, echo, retcode=1000 + failure.retcode, text=failure.text)

    async def _beat(self, socket: web.WebSocketResponse) -> None:
        with suppress(ConnectionError):
            while not socket.closed:
                await asyncio.sleep(self._heartbeat_ms / 1000)
                event = heartbeat(self._self_id, self._heartbeat_ms, online=self._actions.is_online)
                await socket.send_str(dump(event))

    def _accepts(self, request: web.Request) -> bool:
        if not self.token:
            return True
        given = request.query.get("access_token") or request.headers.get("Authorization", "").split("Bearer ")[-1]
        return given == self.token

    def _write_down(
        self, request: web.Request, at: float, action: str, body: dict[str, Any], raw: bytes,
        *, accepted: bool, over_ws: bool = False,
    ) -> str | None:  # fmt: skip
        """Record a send call and return its target; None for any other action."""
        kind = send_kind(action)
        if kind is None:
            return None
        try:
            target = address(kind, body)
        except ActionError:
            target = ""
        text = text_of(body.get("message"))
        authorization = "Authorization" in request.headers
        self._journal.received.append(
            Received(at, action, target, text, body, raw, authorization, accepted, "ws" if over_ws else "http")
        )
        return target

    def _meets(self, target: str | None) -> Behaviour:
        return NORMAL if target is None else self._script.take(target)

    async def _before_replacing(self, action: str, body: dict[str, Any], met: Behaviour) -> None:
        await pause(met.ms)
        if met.deliver:
            with suppress(ActionError):
                await self._actions.run(action, body)


def _json(answer: dict[str, Any]) -> web.Response:
    return web.Response(body=dump(answer).encode(), content_type="application/json", charset="utf-8", headers=_HEADERS)


def _html(status: int, text: str) -> web.Response:
    return web.Response(status=status, text=text, content_type="text/html", headers=_HEADERS)


async def _broken(request: web.Request, met: Behaviour) -> web.Response:
    """Answer with something else than an envelope, close the connection, or never answer."""
    if met.step == "hang":
        await asyncio.Event().wait()
    if met.step == "reset" and request.transport is not None:
        request.transport.abort()
    return web.Response(status=met.status, text=met.body, content_type=met.content_type, headers=_HEADERS)


def _played(met: Behaviour, echo: Any) -> dict[str, Any]:
    return envelope(met.data, echo, retcode=met.retcode, text=met.message, status=met.envelope_status)


def _played_frame(met: Behaviour, echo: Any) -> dict[str, Any] | None:
    """Return the frame asked for; None when there is none.

    A token is refused when a connection begins, and that refuses all of it; `forbidden` means one call, as over HTTP.
    """
    if met.step == "reply":
        return _played(met, echo)
    if met.step == "answer" and met.status == 403:
        return envelope(None, echo, retcode=1403, text=_WRONG_TOKEN)
    return None


async def _broken_socket(request: web.Request, socket: web.WebSocketResponse, met: Behaviour) -> None:
    """Do what comes closest over WebSocket: send what is no envelope, drop, or stay silent."""
    if met.step == "answer" and met.status == 200:
        with suppress(ConnectionError):
            await socket.send_str(met.body)
    elif met.step != "hang" and request.transport is not None:
        request.transport.abort()


async def _refuse(socket: web.WebSocketResponse) -> None:
    await socket.send_str(dump(envelope(None, None, retcode=1403, text=_WRONG_TOKEN)))
    await socket.close()
