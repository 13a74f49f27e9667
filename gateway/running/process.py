"""A running gateway: what lives as long as the process, and what its settings of the moment make of it."""

import asyncio
from collections.abc import Mapping
from contextlib import AsyncExitStack, suppress
from functools import partial
from typing import Any

from aiohttp import web

from gateway.clock import Clock
from gateway.forward.events import Events
from gateway.intake.admission import Admission
from gateway.intake.hooks.hook import Hook
from gateway.intake.hooks.hooks import Hooks
from gateway.lanes.policy import tick_policy
from gateway.loop_lag import measure_lag
from gateway.metrics import Metrics
from gateway.model.errors import Refused, StoreUnavailable
from gateway.model.veil import Veil
from gateway.model.words import Words
from gateway.monitor.dashboard import Page, SignIn, Stream
from gateway.monitor.look import Looks
from gateway.monitor.metrics import Exposition
from gateway.monitor.presence import Presence
from gateway.monitor.status import Monitor, Parts, Tallies
from gateway.results.waiting import Endings
from gateway.routes import Works, routes
from gateway.running.callbacks import CallbackTask
from gateway.running.leased import Listeners, Readers
from gateway.running.senders import Sender, Senders
from gateway.running.serving import Serving
from gateway.settings import Auth, Key, Settings, secrets_of
from gateway.store.bell import Bell
from gateway.store.client import Clients
from gateway.store.due import Due
from gateway.store.feed import Feed
from gateway.store.format import refuse_unknown
from gateway.store.keys import Keys
from gateway.store.pressure import Pressure
from gateway.store.raising import Raising
from gateway.store.replication import Replication
from gateway.store.roster import enrol, left_queued
from gateway.store.scripts import Scripts
from gateway.store.shared import shared_secret
from gateway.store.sources import Sources
from gateway.store.values import TickPolicy
from gateway.supervise import Remains, Supervisor
from gateway.telemetry import Event, Log, tune_logging
from gateway.web import Guard, Handler, Sessions

_REMAINS = 5.0  # seconds that what was replaced has to end when all ends


class Running:
    """One process of the gateway, from when Redis is reached to its end.

    `become` applies settings, the first as all later ones: everything that can fail is done before anything changes;
    then all changes at once, as far as a request or a tick can tell; then what was replaced ends in its own time.
    Lanes, claims, windows, leases, waiting requests and counts belong to the process and outlive its settings.
    """

    def __init__(
        self, settings: Settings, clients: Clients, clock: Clock, stopping: asyncio.Event, reload: Handler
    ) -> None:
        """Prepare to run with SETTINGS; RELOAD serves the wish for others."""
        self.settings = settings
        self._clients = clients
        self._clock = clock
        self._stopping = stopping
        self._reload = reload
        self._began = clock.monotonic()
        self._supervisor = Supervisor(clock)
        self._remains = Remains()
        self._keys = keys = Keys(settings.redis.prefix)
        self._metrics = metrics = Metrics()
        self._words = words = Words(settings.log.text, Veil(secrets_of(settings)))
        due = Due()
        replicated = settings.redis.durability == "replicated"
        self._replication = Replication(settings.redis.replicas, clock) if replicated else None
        scripts = partial(
            Scripts, keys=keys, announce=due.note, metrics=metrics, words=words, replication=self._replication
        )
        self._scripts = scripts(clients.commands)
        self._lanes = lanes = scripts(clients.lanes)
        self._sources = Sources(clients, keys)
        self._pressure = Pressure(clients, clock)
        self._senders = senders = Senders(lanes, self._supervisor, self._remains, clock, metrics, words)
        self._bell = bell = Bell(clients, keys, senders.wakes)
        self._events = Events(senders.accounts, senders.policies, lanes, bell, clock, senders.watches, senders.runners)
        self._listeners = Listeners(self._supervisor, self._events, senders.runners, lanes, clock)
        self._callbacks = CallbackTask(self._supervisor, self._remains, self._scripts, due, clock, stopping)
        self._admission = Admission(settings, self._scripts, bell, self._pressure, clock)
        self._readers = Readers(self._supervisor, self._admission, self._sources, lanes, keys, clock)
        self._endings = Endings(self._scripts, Feed(clients, keys), clock)
        self._presence = Presence(clock.token(), lanes, clock)
        self.guard = Guard(Auth(), clock, stopping, Sessions(b"", clock), settings.http.host)
        self._secret = b""
        self._page, self._sign_in = Page(self.guard), SignIn(self.guard, clock)
        self._stream = Stream(self._status, self._flow, clock, self.guard.knows)
        self._serving: Serving | None = None
        self._work = AsyncExitStack()
        self._turn = asyncio.Lock()  # what has begun to end begins nothing more
        self._ending = False

    async def start(self, hooks: Mapping[str, Hook]) -> None:
        """Begin to serve, read and send, with HOOKS; raises SettingsInvalid when the settings cannot be used."""
        # Ended in this order from the last to the first: what the lanes have in flight may be settled by an event, and
        # callbacks take nothing new once the end has begun, so that both end at the same time.
        for ending in (self._remain, self._callbacks.end, self._listeners.end, self._stop_lanes, self._readers.end):
            self._work.push_async_callback(ending)
        self._work.push_async_callback(self._absent)
        await self.become(self.settings, hooks)
        for name, work in (
            ("bell", self._bell.listen),
            ("loop lag", lambda: measure_lag(self._metrics.loop_lag_seconds)),
            ("endings", self._endings.run),
            ("dashboard", self._stream.run),
            ("presence", self._presence.run),
        ):
            self._supervisor.start(name, work)

    async def become(self, settings: Settings, hooks: Mapping[str, Hook]) -> None:
        """Run by SETTINGS from now on, and by HOOKS, which are theirs.

        Raises SettingsInvalid when that cannot be, and then all is as it was; once the end began, Refused `stopping`.
        To be called by one at a time.
        """
        await self._senders.returnable(settings)
        known = self._senders.accounts
        if added := [account.name for account in settings.accounts if account.name not in known]:
            await refuse_unknown(self._clients, self._keys, added)
        async with self._turn:
            if self._ending:
                raise Refused("stopping", "this gateway is stopping")
            await self._become(settings, hooks)

    async def _become(self, settings: Settings, compiled: Mapping[str, Hook]) -> None:
        if settings.auth.keys and not self._secret:
            self._secret = await shared_secret(self._clients, self._keys)
        policies = {account.name: tick_policy(settings, account) for account in settings.accounts}
        fresh: dict[str, Sender] = {}
        try:
            self._senders.prepare(settings, fresh)
            serving = self._served_by(settings, policies, compiled)
        except BaseException:
            for sender in fresh.values():
                await sender.close()
            raise
        # No request and no tick is served between here ...
        before, self._serving = self._serving, serving
        secrets = secrets_of(settings) | secrets_of(self.settings)  # what is under way may still tell the former ones
        self._words.become(settings.log.text, Veil(secrets))
        if before is not None:
            tune_logging(settings.log.level, Veil(secrets))
            self._remains.end("a look", before.looks.end())
        self.settings = settings
        self._metrics.expect(policies)
        self.guard.become(settings.auth, Sessions(self._secret, self._clock))
        self._admission.become(settings)
        self._senders.become(settings, policies, fresh)
        # ... and here.
        await self._raise()
        await self._listeners.become(self._senders.accounts)
        await self._readers.become(settings.intake, self._senders.accounts)
        await self._callbacks.become(settings)
        with suppress(StoreUnavailable):
            await enrol(self._clients, self._keys, policies)

    def routes(self) -> list[web.RouteDef]:
        """Return every path, served by the settings that count when a request comes."""

        def latest(route: web.RouteDef) -> web.RouteDef:
            async def serve(request: web.Request) -> web.StreamResponse:
                return await self.serving.handlers[route.method, route.path](request)

            return web.RouteDef(route.method, route.path, serve, route.kwargs)

        return [latest(route) for route in self.serving.routes]

    @property
    def serving(self) -> Serving:
        """What requests are served with now."""
        assert self._serving is not None  # noqa: S101 - it has started
        return self._serving

    async def waiting(self) -> dict[str, int]:
        """Return how many jobs wait for each account that is served no more; raises StoreUnavailable."""
        return await left_queued(self._clients, self._keys, self._senders.accounts)

    def let_go(self) -> None:
        """Let requests go that wait for something: the server stops."""
        self._endings.stop()
        self._stream.stop()

    async def wind_down(self) -> None:
        """Take and send nothing more, and let what is in flight end; what is asked over HTTP is still answered."""
        self._ending = True
        async with self._turn:
            await self._work.aclose()

    async def close(self) -> None:
        """End all."""
        await self.wind_down()
        if self._serving is not None:
            await self._serving.looks.close()
        await self._senders.close()

    def _served_by(
        self, settings: Settings, policies: Mapping[str, TickPolicy], compiled: Mapping[str, Hook]
    ) -> Serving:
        """Return what requests are served with by SETTINGS."""
        before = None if self._serving is None else self._serving.hooks
        hooks = Hooks(compiled, self._admission, self._sources, self.guard, self._clock, before)
        looks = Looks(settings, policies, self._clients, self._keys, self._scripts, self._sources, self._clock)
        parts = Parts(
            self._supervisor,
            self._presence,
            self._listeners.by_account,
            self._senders.watches,
            self._readers.all,
            Tallies(self._events.tallies, hooks.tallies),
            self._replication,
        )
        monitor = Monitor(settings, self._clients, looks, parts, self._clock, self._stopping, self._began)
        works = Works(
            settings,
            self._clock,
            self._scripts,
            policies,
            {name: self._senders.ask_of(name) for name in policies},
            self._bell,
            self._endings,
            self._pressure,
            self._admission,
            self._events,
            monitor,
            Exposition(looks, monitor, parts, self._metrics),
            hooks,
            self._stream,
            self._page,
            self._sign_in,
            self._reload,
        )
        return Serving(hooks, looks, monitor, routes(works, self.guard))

    async def _status(self, key: Key | None) -> dict[str, Any]:
        return await self.serving.monitor.status(key)

    async def _flow(self) -> dict[str, Any] | None:
        return await self.serving.monitor.flow()

    async def _raise(self) -> None:
        """Raise the data of these accounts to the newest format, when no replica needs the old one any more."""
        await self._supervisor.retire("format")
        raising = Raising(list(self._senders.accounts), self._clients, self._keys, self._lanes, self._clock)
        self._supervisor.start("format", raising.run)

    async def _absent(self) -> None:
        """Say that this process ends."""
        await self._supervisor.stop("presence")
        await self._presence.leave()

    async def _stop_lanes(self) -> None:
        """Let what is in flight finish, and hand the rest back."""
        grace = (self.settings.delivery.timeout + self.settings.delivery.slack) / 1000
        Log().info(Event.GATEWAY_STOPPING, grace_s=grace)
        await self._senders.drain(grace)
        await self._supervisor.close()

    async def _remain(self) -> None:
        await self._remains.close(_REMAINS)
