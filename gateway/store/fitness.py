"""Whether a server is fit to keep jobs: pure, from what it tells of itself; and the asking.

A server that loses what it took is refused at start. Redis as a service often forbids CONFIG: what cannot be known is
told as advice, and refuses nothing.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import ResponseError

from gateway.model.errors import SettingsInvalid
from gateway.model.finding import Finding
from gateway.settings import Redis as RedisSettings
from gateway.store.client import Clients, translated
from gateway.store.server import MASTERS, MOST_MEMORY, OLDEST, compatible, mode
from gateway.telemetry import Event, Log

_MOST_SKEW_MS = 2_000  # between the clocks of two machines that keep the same time
_ROLES = {"slave": "replica"}
_ASKED = ("save", "appendfsync", "maxmemory-policy")
_OTHERS = {
    "cluster": (
        "the server there is a node of a cluster",
        "write redis+cluster://host:port (or rediss+cluster), without a database number",
    ),
    "sentinel": (
        "a sentinel listens there",
        "write redis+sentinel://host:port/<service> (or rediss+sentinel), with the name of the master behind it",
    ),
}
"""What a URL of one server may lead to instead, and what to do about it."""


@dataclass(frozen=True, slots=True)
class Told:
    """What a server tells of itself; None where it does not tell.

    version      of Redis, or of the Redis it is like, () when it does not tell; name says which program it is
    replicas     how many replicas are connected
    aof, fsync   whether it keeps an append-only file, and when it is forced to disk
    saves        its snapshot points, "" for none
    failing      what it could not save last, "" when it could
    policy       what it does when it is full (`maxmemory-policy`)
    memory       bytes in use, allowed (0: any), and of the machine (0: not known)
    clock_ms     its clock, epoch milliseconds, less ours
    """

    name: str
    version: tuple[int, ...]
    role: str
    replicas: int
    aof: bool | None
    fsync: str | None
    saves: str | None
    failing: str
    policy: str | None
    memory: tuple[int, int, int]
    clock_ms: int


async def told_by(redis: Redis) -> Told:
    """Ask one server how it is; raises StoreUnavailable when it does not answer."""
    with translated():
        began = time.time()
        seconds, microseconds = await redis.time()
        here = (began + time.time()) / 2
        info: dict[str, Any] = await redis.info()
        config = await _config(redis)

    def number(field: str) -> int:
        return int(info.get(field, 0))

    saving = {"append-only file": "aof_last_write_status", "snapshot": "rdb_last_bgsave_status"}
    return Told(
        name=f"Valkey {info['valkey_version']}"
        if "valkey_version" in info
        else f"Redis {info.get('redis_version', 'of no known version')}",
        version=compatible(info),
        role=str(info.get("role", "master")),
        replicas=int(info.get("connected_slaves", 0)),
        aof=bool(info["aof_enabled"]) if "aof_enabled" in info else None,
        fsync=config.get("appendfsync"),
        saves=config.get("save"),
        failing=next((what for what, field in saving.items() if info.get(field, "ok") != "ok"), ""),
        policy=info.get("maxmemory_policy") or config.get("maxmemory-policy"),
        memory=(number("used_memory"), number("maxmemory"), number("total_system_memory")),
        clock_ms=round((seconds + microseconds / 1e6 - here) * 1000),
    )


async def _config(redis: Redis) -> dict[str, str]:
    """Return the settings of a server that bear on us; none where CONFIG is forbidden or unknown."""
    told: dict[str, str] = {}
    for name in _ASKED:  # one at a time: Redis takes several names from 7.0 on
        try:
            found: dict[Any, Any] = await redis.config_get(name)
        except ResponseError:
            continue
        told |= {_text(one): _text(value) for one, value in found.items()}
    return told


def _text(value: Any) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def findings(told: Told, settings: RedisSettings, where: str = "") -> list[Finding]:
    """Return what is fine with a server, what could bite, what must not be; WHERE it is, if it is one of several."""
    parts = (_program(told), _replicas(told, settings), _persistence(told, settings), _memory(told), _clock(told))
    found = chain.from_iterable(parts)
    return [one._replace(detail=f"{where}: {one.detail}") for one in found] if where else list(found)


async def judged(clients: Clients, settings: RedisSettings) -> list[Finding]:
    """Return what is to be said of each server that CLIENTS lead to; raises StoreUnavailable when one is silent."""
    if clients.kind == "server" and (found := await mode(clients)) in _OTHERS:
        return [_refusal("redis.url", *_OTHERS[found])]
    with translated():
        masters = await clients.masters()
    judgements = [findings(await told_by(master), settings, address) for address, master in masters.items()]
    return list(chain.from_iterable(judgements))


async def assure(clients: Clients, settings: RedisSettings) -> None:
    """Raise SettingsInvalid, a line for each fault, when a server behind CLIENTS must not be used; log the advice.

    Raises StoreUnavailable when one does not answer.
    """
    found = await judged(clients, settings)
    if faults := [str(finding) for finding in found if finding.refuses]:
        raise SettingsInvalid("\n".join(faults))
    for finding in found if settings.url else ():  # how the embedded server is set up is no business of the operator
        if finding.level != "fine":
            Log().info(Event.SERVER_ADVISED, setting=finding.key, detail=finding.detail, advice=finding.remedy)


def _program(told: Told) -> Iterator[Finding]:
    need = ".".join(map(str, OLDEST))
    if not told.version:
        yield Finding("advice", "redis.url", "the server does not tell its version", f"see that it is {need} or newer")
    if told.version and told.version < OLDEST:
        yield _refusal("redis.url", f"{told.name} is too old", f"use Redis {need} or newer, or Valkey")
    elif told.role not in MASTERS:
        yield _refusal(
            "redis.url",
            f"leads to a {_ROLES.get(told.role, told.role)}, which takes no writes",
            "let redis.url lead to its master",
        )
    else:
        yield Finding("fine", "redis.url", f"{told.name}, a {told.role}")


def _replicas(told: Told, settings: RedisSettings) -> Iterator[Finding]:
    if settings.durability == "local":
        return
    if told.replicas < settings.replicas:
        yield Finding(
            "fault",
            "redis.durability",
            f"is {settings.durability}, and {told.replicas} of {settings.replicas} replicas are connected",
            "connect them, or write redis.durability: local",
        )
    elif told.replicas > settings.replicas:
        yield Finding(
            "advice",
            "redis.replicas",
            f"{told.replicas} replicas are connected, and a job counts with {settings.replicas} of them: a failover "
            "may make one the master that has not got it",
            f"write redis.replicas: {told.replicas}; with fewer, give all the same replica-priority, so that the one "
            "which has most is preferred",
        )
    else:
        yield Finding("fine", "redis.durability", f"{told.replicas} connected replicas")


def _persistence(told: Told, settings: RedisSettings) -> Iterator[Finding]:
    key = "redis.persistence"
    if told.failing:
        yield Finding(
            "fault",
            key,
            f"Redis could not write its {told.failing} last time",
            "see Redis' log and the disk it writes to",
        )
    if told.aof:
        if told.fsync == "no":
            yield Finding(
                "advice",
                key,
                "an append-only file that is never forced to disk (appendfsync no)",
                "run `CONFIG SET appendfsync everysec`, and write it into Redis' configuration",
            )
        else:
            yield Finding("fine", key, f"an append-only file (appendfsync {told.fsync or 'not told'})")
    elif told.aof is None:
        yield Finding(
            "advice", key, "the server does not tell whether it keeps what it took", "see that it is persistent"
        )
    elif told.saves == "" and settings.persistence == "required":
        yield _refusal(
            key,
            "Redis keeps neither an append-only file nor snapshots, so its restart loses every job",
            "set `appendonly yes` there, or write redis.persistence: any to have it so",
        )
    else:
        loses = {"": "loses every job", None: "may lose every job"}.get(
            told.saves, "loses what came since the last snapshot"
        )
        yield Finding(
            "advice", key, f"Redis keeps no append-only file: its restart {loses}", "set `appendonly yes` there"
        )


def _memory(told: Told) -> Iterator[Finding]:
    used, most, machine = told.memory
    evicts = told.policy is not None and told.policy != "noeviction"
    remedy = "set `maxmemory-policy noeviction` there, so that a full Redis refuses instead of forgetting"
    if evicts and most:
        yield _refusal("redis.url", f"Redis drops keys when it is full (maxmemory-policy {told.policy})", remedy)
    elif evicts:
        yield Finding(
            "advice",
            "redis.url",
            f"Redis would drop keys if it had a maxmemory (maxmemory-policy {told.policy})",
            remedy,
        )
    elif told.policy is None:
        yield Finding("advice", "redis.url", "the server does not tell its maxmemory-policy", "see that it evicts none")
    if not most:
        yield Finding(
            "advice",
            "redis.url",
            f"no maxmemory: {_mib(used)} in use, and it may grow until the machine{_of(machine)} ends it",
            "set maxmemory below what the machine can spare; the gateway then takes no more jobs instead",
        )
    elif used >= MOST_MEMORY * most:
        yield Finding(
            "fault",
            "redis.url",
            f"{used / most:.0%} of its maxmemory ({_mib(most)}) is in use; from {MOST_MEMORY:.0%} on no job is taken",
            "raise maxmemory, or shorten results.keep",
        )
    else:
        yield Finding("fine", "redis.url", f"{used / most:.0%} of its maxmemory ({_mib(most)}) is in use")


def _clock(told: Told) -> Iterator[Finding]:
    ahead = abs(told.clock_ms)
    if ahead > _MOST_SKEW_MS:
        yield Finding(
            "advice",
            "redis.url",
            f"its clock is {ahead / 1000:.0f} s {'ahead of' if told.clock_ms > 0 else 'behind'} the one here",
            "let both machines keep their time by NTP; receipts are dated by Redis",
        )


def _refusal(key: str, detail: str, remedy: str) -> Finding:
    return Finding("fault", key, detail, remedy, refuses=True)


def _mib(size: int) -> str:
    return f"{size / 1024**2:,.0f} MiB"


def _of(machine: int) -> str:
    return f" ({_mib(machine)})" if machine else ""
