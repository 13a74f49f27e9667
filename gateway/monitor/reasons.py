"""What is not well, and what to do about it: pure, from one look."""

from collections.abc import Iterator
from itertools import chain
from typing import Any

from gateway.model.instant import format_instant
from gateway.model.listening import Listening
from gateway.monitor.look import Look, Shared
from gateway.store.overview import AccountNumbers
from gateway.store.replication import Replication
from gateway.store.server import MASTERS, MOST_MEMORY, ServerNumbers
from gateway.store.sources import SourceNumbers

Reason = dict[str, Any]
"""{code, account or source where it is about one, detail, advice}"""

DOWN = frozenset({"redis_unavailable", "redis_takes_no_writes"})
"""Reasons for which nothing is sent and nothing taken."""

_RECENT_MS = 3_600_000  # answers that no rule knows, and callbacks given up, are a reason to look for this long
_STARTING_S = 10.0  # in which a source may have no reader yet
_MOVING_S = 30.0  # in which lanes may stand that had their turn before: who is logged in is asked first
_DEAF_S = 30.0  # how long NapCat's events may be missing before that is told
_OVERDUE_MS = 30_000  # how long a lane may be past its turn: ticks come each second
_UNREAD_MS = 60_000  # how long an entry may lie in its source
_MINUTES = 5  # over which the backlog and unclear answers are looked at
_BACKLOG = 100  # jobs that may wait whatever comes in
_UNCLEAR = 0.2  # share of answers that prove nothing, of _ANSWERS at least
_ANSWERS = 10

_PAUSED = {
    "bot_offline": "log the account in again in NapCat; it is asked every half minute at most, and goes on by itself",
    "bad_token": "set the account's token to the one in NapCat's network settings",
    "wrong_account": "another QQ number is logged in there; log the right one in, or resume to take this one",
    "account_restricted": "open QQ with this account and see what it asks for; then resume the account",
    "risk_control": "QQ confirms nothing any more, to several targets; write less from this account, and resume it",
    "muted_everywhere": "many groups at once say that the account is muted; see in QQ whether it is restricted",
}
"""What to do about a pause, by its reason."""


UNSEEN = "ask who has a key for all targets: the account's `unmatched` names a job whose receipt has NapCat's words"
"""What to do about answers that no rule knows, for a key that does not reach every target."""


def reason(code: str, detail: str, advice: str, **more: str) -> Reason:
    """Return one reason; MORE says what it is about."""
    return {"code": code, **more, "detail": detail, "advice": advice}


def of_redis(look: Look, refused: str, replication: Replication | None = None) -> list[Reason]:
    """Return what is not well with Redis; REFUSED is why it last took no write, "" when it did.

    REPLICATION knows whether the replicas follow, where that matters.
    """
    if look.shared is None:
        return [redis_lost(look.lost)]
    server = look.shared.server
    return list(chain(_writes(server, refused), _server(server), _replicated(replication)))


def redis_lost(why: str) -> Reason:
    """Return the reason of a Redis that does not answer."""
    return reason("redis_unavailable", why, "nothing accepted is lost; check redis.url and the server")


def of_account(name: str, numbers: AccountNumbers, most_queued: int, uptime_s: float) -> list[Reason]:
    """Return what is not well with an account, in which MOST_QUEUED jobs may wait; this process is up for so long."""
    about = chain(
        _paused(numbers),
        _slowed(numbers),
        _stuck(numbers) if uptime_s >= _MOVING_S else (),
        _full(numbers, most_queued),
        _growing(numbers),
        _unclear(numbers),
        _unmatched(name, numbers),
        _callbacks(numbers),
    )
    return [{"code": found["code"], "account": name} | found for found in about]


def of_newer(shared: Shared) -> list[Reason]:
    """Return which accounts only a newer gateway can serve."""
    return [
        reason(
            "data_newer",
            detail,
            "newer replicas serve it; end this one, or upgrade it: nothing it could do for this account would be safe",
            account=name,
        )
        for name, detail in shared.newer.items()
    ]


def of_sources(shared: Shared, uptime_s: float, most_queued: int) -> list[Reason]:
    """Return what is not well with what jobs are read from, by a process that is up for so long."""
    full = any(numbers.queued >= most_queued for numbers in shared.accounts.values())
    found = []
    for name, source in shared.sources.items():
        for one in _source(source, shared.server.now, uptime_s, full=full):
            found.append({"code": one["code"], "source": name} | one)  # noqa: PERF401 - a nested comprehension hides it
    return found


def absent(name: str, queued: int) -> Reason:
    """Return the reason of an account that was served once, and has QUEUED jobs that nobody here sends."""
    return reason(
        "account_absent",
        f"{queued} jobs wait for it, and it is none of accounts any more",
        "put it back into accounts and reload: they are sent then; until that they stay where they are, in Redis",
        account=name,
    )


def of_events(name: str, listening: Listening, monotonic: float) -> list[Reason]:
    """Return whether the events of an account have been missing for too long."""
    if listening.state != "connecting" or monotonic - listening.began < _DEAF_S:
        return []
    return [
        reason(
            "events_lost",
            f"no events since {format_instant(listening.since)}: {listening.error or 'no connection yet'}",
            "jobs go on, but unclear answers and mutes go unnoticed; check accounts[].events_url, NapCat's WebSocket "
            "server and the token",
            account=name,
        )
    ]


def _writes(server: ServerNumbers, refused: str) -> Iterator[Reason]:
    if server.role not in MASTERS:
        yield reason(
            "redis_takes_no_writes",
            f"redis.url leads to a {server.role}, which takes no writes; nothing is sent and nothing taken",
            "let redis.url lead to the master",
        )
    elif refused:
        yield reason(
            "redis_takes_no_writes",
            f"{refused}; nothing is sent and nothing taken, and nothing accepted is lost",
            "see Redis' log and the disk it writes to; it goes on by itself once it can write",
        )
    elif server.failing:
        yield reason(
            "redis_not_saving",
            f"Redis could not write its {server.failing} last time",
            "see Redis' log and the disk it writes to: what it cannot save, a restart loses",
        )


def _server(server: ServerNumbers) -> Iterator[Reason]:
    if server.maxmemory and server.used_memory >= MOST_MEMORY * server.maxmemory:
        yield reason(
            "redis_full",
            f"Redis uses {server.used_memory / server.maxmemory:.0%} of its maxmemory; new jobs stay in their source "
            "or get a 503, the others go on",
            "raise maxmemory, shorten results.keep, or see why jobs do not go (holds, rates)",
        )
    if server.aof is False:
        yield reason(
            "redis_not_persistent",
            "Redis keeps no append-only file: a restart loses queued jobs",
            "set `appendonly yes`",
        )


def _replicated(replication: Replication | None) -> Iterator[Reason]:
    if replication is not None and (missing := replication.reason) is not None:
        yield reason(
            "redis_not_replicated",
            f"{missing}; nothing is sent, and what is submitted gets a 503 or stays in its source",
            "start Redis' replicas again, or attach some to the new master, as many as redis.replicas says; it goes on "
            "by itself. With redis.durability: local it does without, and a failover may lose jobs or send them twice",
        )


def _paused(numbers: AccountNumbers) -> Iterator[Reason]:
    if (held := numbers.paused) is None:
        return
    if held.operator:
        yield reason(
            "account_paused",
            f"paused by an operator since {format_instant(held.since)}: {held.reason}",
            f"jobs wait until {format_instant(held.until)}, or until it is resumed",
        )
    else:
        yield reason(
            "account_paused",
            f"paused since {format_instant(held.since)}: {held.reason}",
            "jobs wait and lose no attempt; "
            + _PAUSED.get(held.reason, "check that NapCat runs, its address and its token"),
        )


def _slowed(numbers: AccountNumbers) -> Iterator[Reason]:
    for entry in numbers.slowed:
        if entry.name == "account":
            yield reason(
                "account_slowed",
                f"sends {entry.factor} times as slowly until {format_instant(entry.until)}: {entry.reason}",
                "it recovers by itself, step by step, when nothing more happens; look into QQ whether messages arrive",
            )


def _stuck(numbers: AccountNumbers) -> Iterator[Reason]:
    if numbers.overdue >= _OVERDUE_MS and numbers.paused is None and not _held_up(numbers):
        yield reason(
            "lanes_overdue",
            f"a target could go since {numbers.overdue // 1000} s, and nobody takes its turn",
            "see tasks and replicas: a process that moves the lanes of this account is missing or stuck; restart it",
        )


def _held_up(numbers: AccountNumbers) -> bool:
    """Whether the account's own rates, or a trial, keep everything waiting that could go, or something goes."""
    full = any(window.opens_at > numbers.now for window in numbers.windows) and not numbers.observed_account
    # A rate that opened just now, and a trial after a pause, let one go after the other.
    just_opened = 0 <= numbers.now - numbers.opened < _OVERDUE_MS
    return full or just_opened or numbers.breaker == "half_open" or numbers.in_flight > 0


def _full(numbers: AccountNumbers, most: int) -> Iterator[Reason]:
    if numbers.queued >= most:
        yield reason(
            "account_full",
            f"{numbers.queued} jobs wait, as many as intake.max_queued allows; new ones stay in their source or get a "
            "503",
            "see why they do not go (holds, rates), or raise intake.max_queued",
        )


def _growing(numbers: AccountNumbers) -> Iterator[Reason]:
    ready = numbers.queued - numbers.scheduled
    came, went = numbers.came(_MINUTES), numbers.went(_MINUTES)
    if ready < _BACKLOG or came - went < max(_BACKLOG, came // 4):
        return
    ahead = f"at that pace the last goes in {ready * _MINUTES / went:.0f} min" if went else "none of them goes"
    yield reason(
        "backlog_growing",
        f"{ready} jobs wait; in the last {_MINUTES} min {came} came and {went} ended: {ahead}",
        "see backlog.targets for where, and holds and rates for why; raise limits that are too narrow, or send less",
    )


def _unclear(numbers: AccountNumbers) -> Iterator[Reason]:
    answers = numbers.answered(_MINUTES)
    total = sum(answers.values())
    if total >= _ANSWERS and answers["unknown"] >= _UNCLEAR * total:
        yield reason(
            "answers_unclear",
            f"{answers['unknown']} of {total} answers in the last {_MINUTES} min prove nothing",
            "NapCat or QQ is slow, or drops the connection; what is unclear is settled by evidence, not sent twice",
        )


def _unmatched(account: str, numbers: AccountNumbers) -> Iterator[Reason]:
    answers = numbers.unmatched
    latest = max(answers, key=lambda answer: answer.last, default=None)
    if latest is not None and latest.last >= numbers.now - _RECENT_MS:
        yield reason(
            "answers_unmatched",
            f"{sum(answer.times for answer in answers)} answers that no rule knows, {len(answers)} wordings, "
            f"the last at {format_instant(latest.last)}",
            f"see what NapCat says in the receipt of {account}.{latest.job_id}, and add a rule to delivery.rules",
        )


def _callbacks(numbers: AccountNumbers) -> Iterator[Reason]:
    callbacks = numbers.callbacks
    if callbacks.given_up_at >= numbers.now - _RECENT_MS:
        yield reason(
            "callbacks_failing",
            f"{callbacks.given_up} callbacks given up lately, the last at {format_instant(callbacks.given_up_at)}",
            "look for callback.given_up in the log: it names job, host and answer; the receipts can still be read",
        )


def _source(source: SourceNumbers, now: int, uptime_s: float, *, full: bool) -> Iterator[Reason]:
    age = source.age(now) or 0
    if source.error:
        yield reason(
            "source_unreadable",
            source.error,
            "the key is of another type than the settings say; move it away, or name another source in intake",
        )
    elif not source.holder and uptime_s >= _STARTING_S:
        yield reason(
            "source_unread",
            f"nobody reads it; {source.depth} entries wait",
            "see tasks: a reader fails, or no replica runs; what is in the source stays there",
        )
    elif age >= _UNREAD_MS and not full:
        yield reason(
            "source_behind",
            f"its oldest entry lies there since {age // 1000} s",
            "producers are faster than jobs are taken in, or the reader is stuck: see tasks and redis.latency_ms",
        )
