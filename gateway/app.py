"""The composition root: wires the rooms together and owns their beginning and end; nothing else."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass

from aiohttp import web

from gateway.clock import Clock
from gateway.forward.endpoint import events_address
from gateway.forward.events import Events
from gateway.forward.forwarder import Forwarder
from gateway.forward.listener import Listener
from gateway.forward.napcat import napcat_of
from gateway.forward.reconcile import Reconciler
from gateway.forward.rules import load_rules
from gateway.forward.watch import Watch
from gateway.intake.admission import Admission
from gateway.intake.hooks.hooks import Hooks
from gateway.intake.reader import ListReader, SourceReader
from gateway.lanes.policy import tick_policy
from gateway.lanes.runner import Errands, LaneRunner
from gateway.loop_lag import measure_lag
from gateway.metrics import Metrics
from gateway.model.action import Ask
from gateway.model.errors import Refused, SettingsInvalid, StoreUnavailable
from gateway.model.veil import Veil
from gateway.model.words import Words
from gateway.monitor.dashboard import Stream
from gateway.monitor.look import Looks
from gateway.monitor.metrics import Exposition
from gateway.monitor.presence import Presence
from gateway.monitor.status import Monitor, Parts, Tallies
from gateway.results.callbacks import Callbacks
from gateway.results.outbound import Outbound
from gateway.results.waiting import Endings
from gateway.routes import Works, routes
from gateway.settings import Settings, secrets_of
from gateway.store.bell import Bell
from gateway.store.client import Clients
from gateway.store.due import Due
from gateway.store.feed import Feed
from gateway.store.format import refuse_unknown
from gateway.store.keys import Keys
from gateway.store.opening import opened
from gateway.store.pressure import Pressure
from gateway.store.raising import Raising
from gateway.store.replication import Replication
from gateway.store.scripts import Scripts
from gateway.store.shared import shared_secret
from gateway.store.sources import Sources
from gateway.store.values import TickPolicy
from gateway.supervise import Supervisor
from gateway.telemetry import Event, Log
from gateway.web import Guard, Sessions, add_routes, in_time, keep_private, server_limits, speak_problem

SETTINGS = web.AppKey("settings", Settings)
CLOCK = web.AppKey("clock", Clock)
STOPPING = web.AppKey("stopping", asyncio.Event)
"""Set as soon as the end has begun: from then on no new job is taken."""
WORK = web.AppKey("work", AsyncExitStack)
"""What reads jobs, moves lanes and hears events; it ends before the rest."""
STOPPERS = web.AppKey("stoppers", list[Callable[[], None]])
"""What lets requests go that wait for something, when the server stops."""


def create_app(settings: Settings, clock: Clock | None = None) -> web.Application:
    """Return the gateway as an aiohttp application; it starts and stops with the server that runs it.

    Starting raises SettingsInvalid when Redis cannot be reached or is too old.
    """
    app = web.Application(
        middlewares=[speak_problem, in_time(settings.http)],
        handler_args=server_limits(settings.http),
        client_max_size=settings.http.max_body,
    )
    app[SETTINGS] = settings
    app[CLOCK] = clock or Clock()
    app[STOPPING] = asyncio.Event()
    app[WORK] = AsyncExitStack()
    app[STOPPERS] = []
    app.cleanup_ctx.append(_gateway)
    app.on_response_prepare.append(keep_private)
    app.on_shutdown.extend([_stop_taking, _let_go])
    return app


async def wind_down(app: web.Application) -> None:
    """Take no more jobs and let what is in flight end, while HTTP still tells how things are.

    Submissions are answered with 503 `stopping`. A server that is stopped without this just does not answer any more.
    """
    await _stop_taking(app)
    await app[WORK].aclose()


async def _stop_taking(app: web.Application) -> None:
    app[STOPPING].set()


async def _let_go(app: web.Application) -> None:
    for stop in app[STOPPERS]:
        stop()


async def _gateway(app: web.Application) -> AsyncIterator[None]:
    settings, clock = app[SETTINGS], app[CLOCK]
    async with AsyncExitStack() as stack:
        clients = await stack.enter_async_context(opened(settings.redis))
        supervisor = Supervisor(clock)
        keys = Keys(settings.redis.prefix)
        await refuse_unknown(clients, keys, [account.name for account in settings.accounts])
        due, metrics, words = Due(), Metrics(), Words(settings.log.text, Veil(secrets_of(settings)))
        metrics.expect(account.name for account in settings.accounts)
        replicated = settings.redis.durability == "replicated"
        replication = Replication(settings.redis.replicas, clock) if replicated else None
        scripts = Scripts(clients.commands, keys, due.note, metrics, words, replication)
        inner = Scripts(clients.lanes, keys, due.note, metrics, words, replication)
        sources = Sources(clients, keys)
        policies = {account.name: tick_policy(settings, account) for account in settings.accounts}

        replica = clock.token()
        senders = await _senders(stack, settings, policies, inner, clock, replica, metrics, words)
        runners, watches = senders.runners, senders.watches
        bell = Bell(clients, keys, {name: runner.wake for name, runner in runners.items()})
        known = {account.name: account for account in settings.accounts}
        events = Events(known, policies, inner, bell, clock, watches, runners)
        listeners = {
            account.name: Listener(account, events.take, runners[account.name].recheck, inner, clock)
            for account in settings.accounts
            if events_address(account)
        }
        work = app[WORK]
        await stack.enter_async_context(work)
        # Ended after the lanes: they take nothing new once the end has begun, so that both end at the same time.
        await work.enter_async_context(_callbacks(settings, supervisor, scripts, due, clock, app[STOPPING]))
        # Ended after the lanes: what they have in flight may be settled by an event.
        await work.enter_async_context(
            _leased(supervisor, {f"events {name}": listener for name, listener in listeners.items()})
        )
        await work.enter_async_context(_lanes(settings, supervisor, runners, bell))

        supervisor.start("loop lag", lambda: measure_lag(metrics.loop_lag_seconds))
        endings = Endings(scripts, Feed(clients, keys), clock)
        supervisor.start("endings", endings.run)
        app[STOPPERS].append(endings.stop)

        pressure = Pressure(clients, clock)
        admission = Admission(settings, scripts, bell, pressure, clock)
        readers = _readers(settings, keys, list(runners), admission, sources, inner, clock)
        await work.enter_async_context(_leased(supervisor, {f"source {reader.source}": reader for reader in readers}))

        stopping = app[STOPPING]
        guard = await _guard(app, clients, keys)
        presence = Presence(replica, inner, clock)
        await work.enter_async_context(_present(supervisor, presence))
        supervisor.start("format", Raising(list(runners), clients, keys, inner, clock).run)
        hooks = _hooks(settings, admission, sources, guard, clock)
        tallies = Tallies(events.tallies, hooks.tallies)
        parts = Parts(supervisor, presence, listeners, watches, readers, tallies, replication)
        looks = Looks(settings, policies, clients, keys, scripts, sources, clock)
        stack.push_async_callback(looks.close)
        monitor = Monitor(settings, clients, looks, parts, clock, stopping)
        works = Works(
            settings,
            clock,
            scripts,
            policies,
            senders.asks,
            bell,
            endings,
            pressure,
            admission,
            events,
            monitor,
            Exposition(looks, monitor, parts, metrics),
            hooks,
            _stream(app, supervisor, monitor),
        )
        add_routes(app, routes(works, guard))
        yield


@dataclass(frozen=True)
class _Senders:
    """What sends, by account: the loop that moves its lanes, who knows how its NapCat is, and how that is asked."""

    runners: dict[str, LaneRunner]
    watches: dict[str, Watch]
    asks: dict[str, Ask]


async def _senders(
    stack: AsyncExitStack,
    settings: Settings,
    policies: Mapping[str, TickPolicy],
    scripts: Scripts,
    clock: Clock,
    replica: str,
    metrics: Metrics,
    words: Words,
) -> _Senders:
    """Return what sends; STACK ends it."""
    senders, rules = _Senders({}, {}, {}), load_rules(settings.delivery.rules)
    for account in settings.accounts:
        name, policy = account.name, policies[account.name]
        napcat = await stack.enter_async_context(napcat_of(account, settings.delivery.slack))
        watch = Watch(account, napcat, rules, scripts, clock)
        stack.push_async_callback(watch.close)
        forwarder = Forwarder(name, napcat, watch, rules, settings.delivery.retry, clock, metrics, words)
        reconciler = Reconciler(name, napcat, watch, policy, scripts, trust=settings.delivery.trust_history)
        errands = Errands(forwarder.forward, reconciler.look, watch.probe, watch.examine)
        senders.runners[name] = LaneRunner(name, policy, scripts, errands, clock, replica)
        senders.watches[name] = watch
        senders.asks[name] = napcat.ask
    return senders


async def _guard(app: web.Application, clients: Clients, keys: Keys) -> Guard:
    """Return who lets requests in, by a key or by a session that any replica began."""
    settings, clock = app[SETTINGS], app[CLOCK]
    # Without keys there are no sessions.
    sessions = Sessions(await shared_secret(clients, keys) if settings.auth.keys else b"", clock)
    guard = Guard(settings.auth, clock, app[STOPPING], sessions, settings.http.host)
    app.on_response_prepare.append(guard.tell_rate)
    return guard


def _stream(app: web.Application, supervisor: Supervisor, monitor: Monitor) -> Stream:
    """Return what the dashboard watches; it looks by MONITOR, and ends with the server."""
    stream = Stream(monitor.status, monitor.flow, app[CLOCK])
    supervisor.start("dashboard", stream.run)
    app[STOPPERS].append(stream.stop)
    return stream


def _readers(
    settings: Settings,
    keys: Keys,
    accounts: list[str],
    admission: Admission,
    sources: Sources,
    scripts: Scripts,
    clock: Clock,
) -> list[SourceReader]:
    """Return who reads each source."""
    readers: list[SourceReader] = [
        SourceReader(name, name, accounts, admission, sources, scripts, clock) for name in settings.intake.streams
    ]
    readers += [
        ListReader(name, keys.list_stream(name), accounts, admission, sources, scripts, clock)
        for name in settings.intake.lists
    ]
    return readers


def _hooks(settings: Settings, admission: Admission, sources: Sources, guard: Guard, clock: Clock) -> Hooks:
    try:
        return Hooks(settings.hooks, admission, sources, guard, clock)
    except Refused as refusal:
        raise SettingsInvalid(refusal.detail) from None


@asynccontextmanager
async def _lanes(
    settings: Settings, supervisor: Supervisor, runners: dict[str, LaneRunner], bell: Bell
) -> AsyncIterator[None]:
    """Move the lanes of every account; in the end let what is in flight finish and hand the rest back."""

    supervisor.start("bell", bell.listen)
    for name, runner in runners.items():
        supervisor.start(f"lanes {name}", runner.run)
    try:
        yield
    finally:
        grace = (settings.delivery.timeout + settings.delivery.slack) / 1000
        Log().info(Event.GATEWAY_STOPPING, grace_s=grace)
        await asyncio.gather(*(runner.drain(grace) for runner in runners.values()))
        await supervisor.finish(5.0, *(f"lanes {name}" for name in runners))
        await supervisor.stop()


@asynccontextmanager
async def _callbacks(
    settings: Settings, supervisor: Supervisor, scripts: Scripts, due: Due, clock: Clock, stopping: asyncio.Event
) -> AsyncIterator[None]:
    """Post callbacks, if they can be signed; in the end let what is being posted finish."""
    if not settings.callbacks.secrets:
        yield
        return
    accounts = [account.name for account in settings.accounts]
    async with Outbound(settings.callbacks.timeout, allow_private=settings.callbacks.allow_private) as outbound:
        callbacks = Callbacks(settings.callbacks, accounts, scripts, due, outbound, clock, stopping)
        supervisor.start("callbacks", callbacks.run)
        try:
            yield
        finally:
            await supervisor.stop("callbacks")
            await callbacks.drain()


@asynccontextmanager
async def _present(supervisor: Supervisor, presence: Presence) -> AsyncIterator[None]:
    """Tell the others that this process lives, until it ends."""
    supervisor.start("presence", presence.run)
    try:
        yield
    finally:
        await supervisor.stop("presence")
        await presence.leave()


@asynccontextmanager
async def _leased(
    supervisor: Supervisor, holders: Mapping[str, SourceReader] | Mapping[str, Listener]
) -> AsyncIterator[None]:
    """Run what one replica at a time does; in the end give the leases back, so that another takes over at once."""
    for name, holder in holders.items():
        supervisor.start(name, holder.run)
    try:
        yield
    finally:
        if holders:
            await supervisor.stop(*holders)
        with suppress(StoreUnavailable):
            await asyncio.gather(*(holder.release() for holder in holders.values()))
