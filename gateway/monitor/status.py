"""`/status` and the health checks: what goes on, what does not, and what to do about it."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from aiohttp import web

from gateway import __version__
from gateway.clock import Clock
from gateway.model.contact import Contact
from gateway.model.errors import StoreUnavailable
from gateway.model.instant import format_instant
from gateway.model.listening import Listening
from gateway.monitor.account_reasons import absent, of_account, of_events, of_newer
from gateway.monitor.documents import (
    account_document,
    backlog_document,
    contact_document,
    flow_document,
    redis_document,
    replicas_document,
    source_document,
    within_reach,
    within_sight,
)
from gateway.monitor.look import Look, Looks, Shared
from gateway.monitor.presence import Presence
from gateway.monitor.reasons import DOWN, Reason, of_redis, of_sources, reason, redis_lost
from gateway.settings import Key, Settings
from gateway.store.client import Clients
from gateway.store.replication import Replication
from gateway.store.server import ping
from gateway.store.sources import SourceNumbers
from gateway.supervise import Supervisor
from gateway.web import KEY


class Listens(Protocol):
    """What tells how it listens to the events of an account."""

    @property
    def state(self) -> Listening:
        """Return how it is right now."""


class Meets(Protocol):
    """What tells how the NapCat of an account is."""

    @property
    def contact(self) -> Contact:
        """Return what was found out last."""


class Reads(Protocol):
    """What reads a source when it is its turn."""

    @property
    def source(self) -> str:
        """Return the name of what it reads."""

    @property
    def holder(self) -> str:
        """Return what its lease says when it is its turn."""


class Tallies(NamedTuple):
    """What this process counted: by account its events, by hook its deliveries, taken and by why they were not."""

    events: Mapping[str, Mapping[str, int]]
    hooks: Mapping[str, Mapping[str, int]]


class Parts(NamedTuple):
    """The parts of this process that are asked how they are; by account, where there is one for each."""

    supervisor: Supervisor
    presence: Presence
    listeners: Mapping[str, Listens]
    watches: Mapping[str, Meets]
    readers: Sequence[Reads]
    tallies: Tallies
    replication: Replication | None = None


class Monitor:
    """Tells monitors and operators how this gateway is."""

    def __init__(
        self,
        settings: Settings,
        clients: Clients,
        looks: Looks,
        parts: Parts,
        clock: Clock,
        stopping: asyncio.Event,
        began: float,
    ) -> None:
        """Tell what LOOKS find in Redis, and how the PARTS of this process are, which BEGAN then (monotonic)."""
        self._settings = settings
        self._clients = clients
        self._looks = looks
        self._parts = parts
        self._clock = clock
        self._stopping = stopping
        self._began = began

    async def live(self, _request: web.Request) -> web.Response:
        """Answer `/healthz/live`: this loop turns."""
        return web.json_response({"status": "ok"})

    async def ready(self, _request: web.Request) -> web.Response:
        """Answer `/healthz/ready`: Redis answers and every task of this process works; 503 with the reasons else."""
        found = self._own_reasons()
        try:
            await ping(self._clients)
        except StoreUnavailable as error:
            found.append(redis_lost(str(error)))
        if found:
            return web.json_response({"status": "down", "reasons": found}, status=503)
        return web.json_response({"status": "ok"})

    async def get(self, request: web.Request) -> web.Response:
        """Answer `/status`; 503 when it is `down`."""
        document = await self.status(request.get(KEY))
        return web.json_response(document, status=503 if document["status"] == "down" else 200)

    async def get_flow(self, _request: web.Request) -> web.Response:
        """Answer `/v1/flow`: what happened in each minute of the last hour; 503 while Redis is away."""
        document = await self.flow()
        if document is None:
            raise StoreUnavailable("Redis does not answer")
        return web.json_response(document)

    async def flow(self) -> dict[str, Any] | None:
        """Return what happened in each minute of the last hour, by account; None while Redis is away."""
        shared = (await self._looks.latest()).shared
        if shared is None:
            return None
        latest = max((numbers.now for numbers in shared.accounts.values()), default=shared.server.now)
        return {
            "until": format_instant(latest // 60_000 * 60_000),
            "accounts": {name: flow_document(numbers) for name, numbers in shared.accounts.items()},
        }

    async def status(self, key: Key | None = None) -> dict[str, Any]:
        """Return the whole state, no older than a second: overall `ok`, `degraded` or `down`, then every part.

        Targets beyond the reach of KEY are left out.
        """
        look = await self._looks.latest()
        found = within_sight(self.reasons(look), key)
        document: dict[str, Any] = {
            "status": "degraded" if found else "ok",
            "reasons": found,
            "version": __version__,
            "uptime_s": round(self._uptime),
            "at": format_instant(look.at if look.shared is None else look.shared.server.now),
            "accounts": {},
            "sources": {},
            "hooks": {name: dict(tally) for name, tally in self._parts.tallies.hooks.items()},
            "backlog": {},
            "redis": {},
            "replicas": [],
            "tasks": {name: error or "ok" for name, error in self._parts.supervisor.errors.items()},
        }
        if any(one["code"] in DOWN for one in found):
            document["status"] = "down"
        if look.shared is not None:
            document |= self._shared(look.shared, key)
        return document

    @property
    def _uptime(self) -> float:
        return self._clock.monotonic() - self._began

    def _shared(self, shared: Shared, key: Key | None) -> dict[str, Any]:
        seen = {name: within_reach(numbers, key) for name, numbers in shared.accounts.items()}
        return {
            "accounts": {name: self._of_process(name) | account_document(name, seen[name]) for name in seen},
            "sources": {
                name: source_document(self._kind(name), source, shared.server.now, self._reader(name, source))
                for name, source in shared.sources.items()
            },
            "backlog": backlog_document(seen, everything=sum(one.queued for one in shared.accounts.values())),
            "redis": redis_document(shared.server),
            "replicas": replicas_document(shared.replicas),
        }

    def _of_process(self, account: str) -> dict[str, Any]:
        listener = self._parts.listeners.get(account)
        watch = self._parts.watches.get(account)  # None: it was removed while this look was taken
        return contact_document(watch.contact if watch else Contact()) | {
            "events": {**_events(listener), **self._parts.tallies.events[account]}
        }

    def _kind(self, name: str) -> str:
        return "list" if name in self._settings.intake.lists else "stream"

    def _reader(self, name: str, source: SourceNumbers) -> str:
        if not source.holder:
            return "none"
        here = {reader.holder for reader in self._parts.readers if reader.source == name}
        return "here" if source.holder in here else "elsewhere"

    def reasons(self, look: Look) -> list[Reason]:
        """Return what is not well, by LOOK and as this process knows it."""
        found = self._own_reasons() + of_redis(look, self._parts.presence.refused, self._parts.replication)
        if look.shared is None:
            return found
        found += of_newer(look.shared)
        most = self._settings.intake.max_queued
        for name, numbers in look.shared.accounts.items():
            found += of_account(name, numbers, most, self._uptime)
            if listener := self._parts.listeners.get(name):
                found += of_events(name, listener.state, self._clock.monotonic())
        found += [absent(name, queued) for name, queued in look.shared.absent.items()]
        return found + of_sources(look.shared, self._uptime, most)

    def _own_reasons(self) -> list[Reason]:
        """Return what is not well with this process."""
        stopping = [
            reason("stopping", "this process is stopping; it takes no new jobs", "none is needed: others go on")
        ]
        return (stopping if self._stopping.is_set() else []) + [
            reason("task_failing", f"{name}: {error}", "it is tried again with growing pauses; the log says more")
            for name, error in self._parts.supervisor.failing().items()
        ]


def _events(listener: Listens | None) -> dict[str, str]:
    if listener is None:
        return {"listening": "off"}
    listening = listener.state
    told = {"listening": listening.state, "since": format_instant(listening.since)}
    return {**told, "error": listening.error} if listening.error else told
