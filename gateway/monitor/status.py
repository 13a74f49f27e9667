"""`/status` and the health checks: what goes on, what does not, and what to do about it."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple, Protocol

from aiohttp import web

from gateway import __version__
from gateway.clock import Clock
from gateway.model.errors import StoreUnavailable
from gateway.model.instant import format_instant
from gateway.model.listening import Listening
from gateway.settings import Key, Settings
from gateway.store.client import Clients
from gateway.store.scripts import Scripts
from gateway.store.server import MOST_MEMORY, ping, server_numbers
from gateway.store.sources import Sources
from gateway.store.values import AccountNumbers, CallbackNumbers, Hold, Slowed, Unmatched
from gateway.supervise import Supervisor
from gateway.web import KEY, may_use, reaches_all

Reason = dict[str, Any]
_RECENT_MS = 3_600_000  # answers that no rule knows, and callbacks given up, are a reason to look for this long
_DEAF_S = 30.0  # how long NapCat's events may be missing before that is told


class Listens(Protocol):
    """What tells how it listens to the events of an account."""

    @property
    def state(self) -> Listening:
        """Return how it is right now."""


class Tallies(NamedTuple):
    """What this process counted: by account its events, by hook its deliveries, taken and by why they were not."""

    events: Mapping[str, Mapping[str, int]]
    hooks: Mapping[str, Mapping[str, int]]


class Monitor:
    """Tells monitors and operators how this gateway is."""

    def __init__(
        self,
        settings: Settings,
        clients: Clients,
        scripts: Scripts,
        sources: Sources,
        supervisor: Supervisor,
        listeners: Mapping[str, Listens],
        tallies: Tallies,
        clock: Clock,
        stopping: asyncio.Event,
    ) -> None:
        """Ask Redis for numbers, SUPERVISOR for the tasks of this process, LISTENERS for each account's events.

        TALLIES counts what came in, and what was refused, by reason.
        """
        self._settings = settings
        self._clients = clients
        self._scripts = scripts
        self._sources = sources
        self._supervisor = supervisor
        self._listeners = listeners
        self._tallies = tallies
        self._clock = clock
        self._stopping = stopping
        self._began = clock.monotonic()

    async def live(self, _request: web.Request) -> web.Response:
        """Answer `/healthz/live`: this loop turns."""
        return web.json_response({"status": "ok"})

    async def ready(self, _request: web.Request) -> web.Response:
        """Answer `/healthz/ready`: Redis answers and every task of this process works; 503 with the reasons else."""
        reasons = self._own_reasons()
        try:
            await ping(self._clients)
        except StoreUnavailable as error:
            reasons.append(_redis_lost(error))
        if reasons:
            return web.json_response({"status": "down", "reasons": reasons}, status=503)
        return web.json_response({"status": "ok"})

    async def get(self, request: web.Request) -> web.Response:
        """Answer `/status`; 503 when it is `down`."""
        document = await self.status(request.get(KEY))
        return web.json_response(document, status=503 if document["status"] == "down" else 200)

    async def status(self, key: Key | None = None) -> dict[str, Any]:
        """Return the whole state: overall `ok`, `degraded` or `down` with reasons, then every part.

        Targets beyond the reach of KEY are left out.
        """
        document: dict[str, Any] = {
            "status": "ok",
            "reasons": self._own_reasons(),
            "version": __version__,
            "uptime_s": round(self._clock.monotonic() - self._began),
            "accounts": {},
            "sources": {},
            "hooks": {name: dict(tally) for name, tally in self._tallies.hooks.items()},
            "backlog": {},
            "redis": {},
            "tasks": {name: error or "ok" for name, error in self._supervisor.errors.items()},
        }
        try:
            for account in self._settings.accounts:
                numbers = within_reach(await self._scripts.overview(account.name), key)
                listener = self._listeners.get(account.name)
                document["accounts"][account.name] = account_document(account.name, numbers) | {
                    "events": {**_events(listener), **self._tallies.events[account.name]}
                }
                document["reasons"] += _paused(account.name, numbers.holds)
                document["reasons"] += _slowed(account.name, numbers.slowed)
                document["reasons"] += _unmatched(account.name, numbers.unmatched, self._clock.epoch_ms())
                document["reasons"] += _callbacks_failing(account.name, numbers.callbacks, self._clock.epoch_ms())
                if listener and self._is_deaf(listener.state):
                    document["reasons"].append(_events_lost(account.name, listener.state))
                if numbers.queued >= self._settings.intake.max_queued:
                    document["reasons"].append(_full(account.name, numbers.queued))
            for source in (*self._settings.intake.streams, *self._settings.intake.lists):
                document["sources"][source] = {"depth": await self._sources.depth(source)}
            server = await server_numbers(self._clients)
        except StoreUnavailable as error:
            document["reasons"].append(_redis_lost(error))
            document["status"] = "down"
            return document
        document["backlog"] = {"queued": sum(account["queued"] for account in document["accounts"].values())}
        document["redis"] = {
            "version": server.version,
            "role": server.role,
            "used_memory": server.used_memory,
            "maxmemory": server.maxmemory,
            "aof_enabled": server.aof_enabled,
        }
        if server.maxmemory and server.used_memory >= MOST_MEMORY * server.maxmemory:
            document["reasons"].append(_short_of_memory(server.used_memory / server.maxmemory))
        if not server.aof_enabled:
            document["reasons"].append(
                _reason(
                    "redis_not_persistent",
                    "Redis keeps no append-only file: a restart loses queued jobs",
                    "set `appendonly yes`",
                )
            )
        document["status"] = "degraded" if document["reasons"] else "ok"
        return document

    def _is_deaf(self, listening: Listening) -> bool:
        return listening.state == "connecting" and self._clock.monotonic() - listening.began >= _DEAF_S

    def _own_reasons(self) -> list[Reason]:
        """Return what is not well with this process."""
        stopping = [
            _reason("stopping", "this process is stopping; it takes no new jobs", "none is needed: others go on")
        ]
        return (stopping if self._stopping.is_set() else []) + [
            _reason("task_failing", f"{name}: {error}", "it is tried again with growing pauses; the log says more")
            for name, error in self._supervisor.failing().items()
        ]


def within_reach(numbers: AccountNumbers, key: Key | None) -> AccountNumbers:
    """Return NUMBERS without what they tell of single targets that KEY does not reach."""
    if reaches_all(key):
        return numbers
    return replace(
        numbers,
        holds=[hold for hold in numbers.holds if hold.name == "account" or may_use(key, hold.name)],
        slowed=[slowed for slowed in numbers.slowed if slowed.name == "account" or may_use(key, slowed.name)],
        unmatched=[],
    )


def lasting(held: Hold | Slowed) -> dict[str, str]:
    """Return why something is held or slowed, since when and until when, as it is told everywhere."""
    return {"reason": held.reason, "since": format_instant(held.since), "until": format_instant(held.until)}


def account_document(account: str, numbers: AccountNumbers) -> dict[str, Any]:
    """Return what ACCOUNT holds as /status and /v1/accounts tell it."""
    return {
        "login": numbers.login or None,
        "breaker": numbers.breaker,
        "queued": numbers.queued,
        "lanes": numbers.lanes,
        "in_flight": numbers.in_flight,
        "scheduled": numbers.scheduled,
        "overdue_ms": numbers.overdue,
        "ended": numbers.ended,
        "observed": numbers.observed,
        "receipts": numbers.receipts,
        "holds": [{"target": hold.name, **lasting(hold)} for hold in numbers.holds],
        "slowed": [{"target": slowed.name, **lasting(slowed), "factor": slowed.factor} for slowed in numbers.slowed],
        "unmatched": [
            {
                "fingerprint": answer.fingerprint,
                "times": answer.times,
                "since": format_instant(answer.since),
                "last_at": format_instant(answer.last),
                "retcode": answer.retcode,
                "last_job": f"{account}.{answer.job_id}",
            }
            for answer in numbers.unmatched
        ],
        "callbacks": {
            "waiting": numbers.callbacks.waiting,
            **({"oldest_age_ms": numbers.callbacks.oldest} if numbers.callbacks.waiting else {}),
        },
    }


def _events(listener: Listens | None) -> dict[str, str]:
    if listener is None:
        return {"listening": "off"}
    listening = listener.state
    told = {"listening": listening.state, "since": format_instant(listening.since)}
    return {**told, "error": listening.error} if listening.error else told


def _events_lost(account: str, listening: Listening) -> Reason:
    return _reason(
        "events_lost",
        f"no events since {format_instant(listening.since)}: {listening.error or 'no connection yet'}",
        "jobs go on, but unclear answers and mutes go unnoticed; check accounts[].events_url, NapCat's WebSocket "
        "server and the token",
        account=account,
    )


_ADVICE = {
    "bot_offline": "log the account in again in NapCat; it is asked every half minute at most, and goes on by itself",
    "bad_token": "set the account's token to the one in NapCat's network settings",
    "wrong_account": "another QQ number is logged in there; log the right one in, or resume to take this one",
    "account_restricted": "open QQ with this account and see what it asks for; then resume the account",
    "risk_control": "QQ confirms nothing any more, to several targets; write less from this account, and resume it",
    "muted_everywhere": "many groups at once say that the account is muted; see in QQ whether it is restricted",
}
"""What to do about a pause, by its reason."""


def _paused(account: str, holds: Sequence[Hold]) -> list[Reason]:
    return [
        _reason(
            "account_paused",
            f"paused since {format_instant(hold.since)}: {hold.reason}",
            "jobs wait and lose no attempt; "
            + _ADVICE.get(hold.reason, "check that NapCat runs, its address and its token"),
            account=account,
        )
        for hold in holds
        if hold.name == "account"
    ]


def _slowed(account: str, slowed: Sequence[Slowed]) -> list[Reason]:
    return [
        _reason(
            "account_slowed",
            f"sends {entry.factor} times as slowly until {format_instant(entry.until)}: {entry.reason}",
            "it recovers by itself, step by step, when nothing more happens; look into QQ whether messages arrive",
            account=account,
        )
        for entry in slowed
        if entry.name == "account"
    ]


def _unmatched(account: str, answers: Sequence[Unmatched], now: int) -> list[Reason]:
    latest = max(answers, key=lambda answer: answer.last, default=None)
    if latest is None or latest.last < now - _RECENT_MS:
        return []
    return [
        _reason(
            "answers_unmatched",
            f"{sum(answer.times for answer in answers)} answers that no rule knows, {len(answers)} wordings, "
            f"the last at {format_instant(latest.last)}",
            f"see what NapCat says in the receipt of {account}.{latest.job_id}, and add a rule to delivery.rules",
            account=account,
        )
    ]


def _callbacks_failing(account: str, callbacks: CallbackNumbers, now: int) -> list[Reason]:
    if callbacks.given_up_at < now - _RECENT_MS:
        return []
    return [
        _reason(
            "callbacks_failing",
            f"{callbacks.given_up} callbacks given up lately, the last at {format_instant(callbacks.given_up_at)}",
            "look for callback.given_up in the log: it names job, host and answer; the receipts can still be read",
            account=account,
        )
    ]


def _full(account: str, queued: int) -> Reason:
    return _reason(
        "account_full",
        f"{queued} jobs wait, as many as intake.max_queued allows; new ones stay in their source or get a 503",
        "see why they do not go (holds, rates), or raise intake.max_queued",
        account=account,
    )


def _short_of_memory(share: float) -> Reason:
    return _reason(
        "redis_full",
        f"Redis uses {share:.0%} of its maxmemory; new jobs stay in their source or get a 503, the others go on",
        "raise maxmemory, shorten results.keep, or see why jobs do not go (holds, rates)",
    )


def _redis_lost(error: StoreUnavailable) -> Reason:
    return _reason("redis_unavailable", str(error), "nothing accepted is lost; check redis.url and the server")


def _reason(code: str, detail: str, advice: str, **more: str) -> Reason:
    return {"code": code, **more, "detail": detail, "advice": advice}
