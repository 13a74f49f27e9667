"""What is not well with Redis and the sources, and what to do about it: pure, from one look."""

from collections.abc import Iterator
from itertools import chain
from typing import Any

from gateway.monitor.look import Look, Shared
from gateway.store.replication import Replication
from gateway.store.server import MASTERS, MOST_MEMORY, ServerNumbers
from gateway.store.sources import SourceNumbers

Reason = dict[str, Any]
"""{code, account or source where it is about one, detail, advice}"""

DOWN = frozenset({"redis_unavailable", "redis_takes_no_writes"})
"""Reasons for which nothing is sent and nothing taken."""

_STARTING_S = 10.0  # in which a source may have no reader yet
_UNREAD_MS = 60_000  # how long an entry may lie in its source


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


def of_sources(shared: Shared, uptime_s: float, most_queued: int) -> list[Reason]:
    """Return what is not well with what jobs are read from, by a process that is up for so long."""
    full = any(numbers.queued >= most_queued for numbers in shared.accounts.values())
    found = []
    for name, source in shared.sources.items():
        for one in _source(source, shared.server.now, uptime_s, full=full):
            found.append({"code": one["code"], "source": name} | one)  # noqa: PERF401 - a nested comprehension hides it
    return found


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
