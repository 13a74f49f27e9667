"""`GET /dashboard/stream`: how the gateway is, once a second, as server-sent events."""

import asyncio
import math
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from aiohttp_sse import EventSourceResponse, sse_response
from pydantic_core import to_json

from gateway.clock import Clock
from gateway.settings import Key
from gateway.web import KEY, SESSION, problem, reaches_all

Status = Callable[[Key | None], Awaitable[dict[str, Any]]]
Flow = Callable[[], Awaitable[dict[str, Any] | None]]
_EVERY_S = 1.0
_FLOW_EVERY = 5  # looks; only its last minute changes
_AGAIN_MS = 1_000  # after which a browser that was cut off comes back


@dataclass
class _Reach:
    """What all who reach the same targets are shown; each text is written once, with the number of its look."""

    key: Key | None
    watchers: int = 0
    looks: int = 0
    status: str = ""
    flow: str = ""
    flow_changed: int = 0  # the look that changed it
    changed: asyncio.Event = field(default_factory=asyncio.Event)


class Stream:
    """Looks once a second for everybody who looks on, however many these are; while nobody does it costs nothing.

    Everyone gets the latest look as soon as it takes it: who is slow misses some, and keeps nobody waiting.

    most         streams at once in this process
    patience_s   seconds until a client that takes nothing is given up
    heartbeat_s  seconds between comments that keep proxies from closing what is idle
    """

    def __init__(
        self,
        status: Status,
        flow: Flow,
        clock: Clock,
        knows: Callable[[Key | None], bool] = lambda _: True,
        *,
        most: int = 64,
        patience_s: float = 10.0,
        heartbeat_s: float = 15.0,
    ) -> None:
        """Look by STATUS and by FLOW, which is None while nobody knows, for as long as it KNOWS who looks on."""
        self._most = most
        self._patience_s = patience_s
        self._heartbeat_s = heartbeat_s
        self._status = status
        self._flow = flow
        self._clock = clock
        self._knows = knows
        self._reaches: dict[tuple[str, ...] | None, _Reach] = {}
        self._wanted = asyncio.Event()
        self._stopping = False

    async def run(self) -> None:
        """Look until cancelled, for those who look on."""
        while True:
            await self._wanted.wait()
            began = self._clock.monotonic()
            for reach in list(self._reaches.values()):
                await self._look(reach)
            await asyncio.sleep(max(0.0, _EVERY_S - (self._clock.monotonic() - began)))

    def stop(self) -> None:
        """End all streams, now and from now on: the gateway is stopping."""
        self._stopping = True
        for reach in self._reaches.values():
            reach.changed.set()

    async def get(self, request: web.Request) -> web.StreamResponse:
        """Answer events without end: `status` with the document of `/status`, `flow` with that of `/v1/flow`.

        Both come at once, then `status` each second and `flow` when it changed. It ends with the session it is watched
        by, and with its key, when a reload takes that away. 503 `streams_full` when there are too many.
        """
        if self._stopping or sum(reach.watchers for reach in self._reaches.values()) >= self._most:
            detail = f"{self._most} streams are open in this process; close one, or read /status"
            return problem(503, "streams_full", detail, headers={"Retry-After": "5"})
        key, session = request.get(KEY), request.get(SESSION)
        # None, not (): a key without any target sees less than everybody, not as much as who sees everything.
        name = None if key is None or reaches_all(key) else tuple(sorted(key.targets))
        reach = self._reaches.setdefault(name, _Reach(key))
        reach.watchers += 1
        self._wanted.set()
        response: web.StreamResponse | None = None
        try:
            if not reach.looks:
                await self._look(reach)
            if request.transport is None:  # gone meanwhile: there is nobody to begin for
                return web.Response(status=204)
            # What a client that is gone or does not read brings about is its own end.
            with suppress(ConnectionResetError, TimeoutError):
                async with sse_response(
                    request, sep="\n", send_timeout=self._patience_s, ping_interval=self._heartbeat_s
                ) as response:
                    await self._tell(response, reach, key, session.ends_at if session else None)
        finally:
            reach.watchers -= 1
            if not reach.watchers:
                self._reaches.pop(name, None)
            if not self._reaches:
                self._wanted.clear()
        return response if response is not None else web.Response(status=204)

    async def _tell(self, response: EventSourceResponse, reach: _Reach, key: Key | None, ends_at: int | None) -> None:
        told = 0
        ended = ends_at if ends_at is not None else math.inf
        while not self._stopping and response.is_connected() and self._clock.epoch_ms() < ended and self._knows(key):
            changed, number = reach.changed, reach.looks
            if reach.flow and reach.flow_changed > told:
                await response.send(reach.flow, event="flow")
            if number > told:
                await response.send(reach.status, event="status", retry=None if told else _AGAIN_MS)
            told = number
            if reach.looks == number:
                # While no look succeeds, who has left is found out all the same, and makes room.
                with suppress(TimeoutError):
                    await asyncio.wait_for(changed.wait(), self._heartbeat_s)

    async def _look(self, reach: _Reach) -> None:
        """Look anew for REACH, and wake those who wait for it."""
        status = to_json(await self._status(reach.key)).decode()
        flow = reach.flow
        if reach.looks % _FLOW_EVERY == 0 or not flow:
            latest = await self._flow()
            flow = to_json(latest).decode() if latest is not None else flow
        reach.looks += 1
        reach.status = status
        if flow != reach.flow:
            reach.flow, reach.flow_changed = flow, reach.looks
        changed, reach.changed = reach.changed, asyncio.Event()
        changed.set()
