"""The stand-in NapCat: a OneBot 11 server on a real socket that behaves, and misbehaves, like NapCat 4.18.19.

It knows nothing of the gateway: it follows NAPCAT.md and writes down what it received.
"""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, Self

from aiohttp import web

from gateway.sandbox.actions import Actions
from gateway.sandbox.adapters import Adapters
from gateway.sandbox.behaviour import Script
from gateway.sandbox.control import control_routes
from gateway.sandbox.events import Event, Publisher, bot_offline, group_ban
from gateway.sandbox.journal import Delivered, Journal, Received
from gateway.sandbox.kernel import Kernel
from gateway.sandbox.tasks import Tasks

_MAX_BODY = 64 * 2**20


class StandIn:
    """One NapCat with one account.

    host, port           where it listens; port 0: a free one, kept over restarts
    token                empty: open
    self_id              the account's QQ number
    answer_ms            how long a normal send takes inside QQ
    events_url           where events are posted, signed with `events_secret`; empty: WebSocket listeners only
    report_self_message  whether `message_sent` events are reported
    heartbeat_ms         between two heartbeats on a WebSocket
    seed                 same seed, same message ids and echoes
    app_name             what `get_version_info` calls the program
    """

    def __init__(
        self, *, host: str = "127.0.0.1", port: int = 0, token: str = "", self_id: str = "10001",
        answer_ms: int = 0, events_url: str = "", events_secret: str = "", report_self_message: bool = True,
        heartbeat_ms: int = 30_000, seed: int = 0, app_name: str = "NapCat.Onebot",
    ) -> None:  # fmt: skip
        """Prepare the stand-in; nothing listens before `start` or `serve`."""
        self.host = host
        self.port = port
        self.self_id = self_id
        self._journal = Journal()
        self._script = Script()
        self._tasks = Tasks()
        self._publisher = Publisher(self_id, events_url, events_secret)
        self._kernel = Kernel(
            self_id=self_id, answer_ms=answer_ms, seed=seed, report_self_message=report_self_message,
            journal=self._journal, tasks=self._tasks, publisher=self._publisher,
        )  # fmt: skip
        self._actions = Actions(self_id, self._kernel, self._script, self._tasks, self._publisher, app_name)
        self._adapters = Adapters(
            self_id=self_id, token=token, seed=seed, heartbeat_ms=heartbeat_ms, actions=self._actions,
            script=self._script, journal=self._journal, tasks=self._tasks, publisher=self._publisher,
        )  # fmt: skip
        self._runner: web.AppRunner | None = None

    @property
    def url(self) -> str:
        """Where it can be reached while it runs, without a slash at the end."""
        return f"http://{self.host}:{self.port}"

    @property
    def token(self) -> str:
        """The token asked for; a new one is for requests and connections to come: an open WebSocket stays."""
        return self._adapters.token

    @token.setter
    def token(self, token: str) -> None:
        self._adapters.token = token

    @property
    def received(self) -> list[Received]:
        """All send calls that arrived, refused ones too, in order of arrival."""
        return self._journal.received

    @property
    def delivered(self) -> list[Delivered]:
        """All messages QQ shows, in the order in which they appeared."""
        return self._journal.delivered

    @property
    def recalled(self) -> list[int]:
        """The ids of messages taken back by `delete_msg`."""
        return self._journal.recalled

    def texts(self, target: str) -> list[str]:
        """Return the texts of all sends received for `group:…` or `private:…`, in order of arrival."""
        return self._journal.texts(target)

    async def start(self) -> None:
        """Listen; after `stop` on the same port again. Message ids from before are not resolved any more."""
        self._socket = socket.create_server((self.host, self.port), backlog=128)
        self._socket.setblocking(False)
        app = web.Application(client_max_size=_MAX_BODY)
        app.add_routes(control_routes(self))
        app.router.add_route("*", "/{path:.*}", self._adapters.handle)
        runner = web.AppRunner(app, access_log=None, keepalive_timeout=5, shutdown_timeout=0.1, auto_decompress=False)
        await runner.setup()
        self._runner = runner
        await web.SockSite(runner, self._socket).start()
        self.port = runner.addresses[0][1]
        self._kernel.forget_ids()
        self._publisher.open()

    async def stop(self) -> None:
        """Stop as a killed process does: connections drop, calls stay unanswered, nothing comes late."""
        if self._runner is None:
            return
        runner, self._runner = self._runner, None
        # A connection that is just being accepted must be one before its server closes, or asyncio loses it.
        asyncio.get_running_loop().remove_reader(self._socket)
        await asyncio.sleep(0.01)
        for site in runner.sites:
            await site.stop()
        await self._tasks.end()
        await runner.cleanup()
        await self._tasks.end()
        await self._publisher.close()

    def drop(self) -> None:
        """Abort every open connection, HTTP and WebSocket, as a lost network does; what is under way goes on."""
        server = self._runner.server if self._runner is not None else None
        for connection in server.connections if server is not None else ():
            if connection.transport is not None:
                connection.transport.abort()

    def forget(self) -> None:
        """Drop all state: records, history, mutes and misbehaviours."""
        self._journal.forget()
        self._kernel.forget()
        self._script.clear()

    @asynccontextmanager
    async def serve(self) -> AsyncIterator[Self]:
        """Run for the length of an `async with` block."""
        try:
            await self.start()
            yield self
        finally:
            await self.stop()

    async def run_forever(self, started: Callable[[str], object] = lambda url: None) -> None:
        """Run until cancelled; `started` is called once with the URL when it listens."""
        async with self.serve():
            started(self.url)
            await asyncio.Event().wait()

    def behave(self, target: str, behaviour: str, times: int | None = None, **options: Any) -> None:
        """Misbehave to `group:…`, `private:…` or `*` (all), for `times` sends or until `clear`.

        Names and options: `behaviour.BEHAVIOURS` and the fields of `behaviour.Behaviour`. Several of one
        target are played one after the other; a target's own come before those of `*`. `behave("*", "offline")`
        also turns `get_status` to offline and reports `bot_offline`.
        Raises ValueError for an unknown name, TypeError for an unknown option.
        """
        self._script.behave(target, behaviour, times, options)
        if (target, behaviour) == ("*", "offline") and self._publisher.is_heard:
            self._tasks.own(self._publisher.publish(bot_offline(self.self_id, "你已被踢下线")), "bot_offline")

    def clear(self, target: str | None = None) -> None:
        """End the misbehaviours of one target, of `*`, or of all; mutes made by `emit_group_ban` stay."""
        self._script.clear(target)

    async def emit_group_ban(self, group: str, duration: int, user_id: str | None = None) -> None:
        """Mute the account (user "0": the whole group) for `duration` seconds and report it.

        Sends fail with result 120 until then, and `get_group_member_info` tells the time. A negative duration
        lasts until lifted; 0 lifts it. Returns when the event has been taken.
        """
        user = self.self_id if user_id is None else user_id
        self._kernel.ban(group, user, duration)
        if not duration:
            self._script.clear(f"group:{group}", "mute")
        await self.emit(group_ban(self.self_id, group, user, duration, lift=not duration))

    async def emit_lift_ban(self, group: str, user_id: str | None = None) -> None:
        """End a mute, however it was made, and report `lift_ban`."""
        await self.emit_group_ban(group, 0, user_id)

    def report_to(self, url: str, secret: str = "") -> None:
        """Post events to another URL from now on; empty: nowhere."""
        self._publisher.report_to(url, secret)

    async def emit(self, event: Event) -> None:
        """Report any event; returns when the post was answered and every WebSocket has its frame."""
        await self._publisher.publish(event)
