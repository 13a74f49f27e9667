"""Whether a server is fit to keep jobs: pure, from what it tells of itself; and the asking.

A server that loses what it took is refused at start. Redis as a service often forbids CONFIG: what cannot be known is
told as advice, and refuses nothing.
"""

from collections.abc import Iterator, Mapping
from itertools import chain
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import ResponseError

from gateway.model.errors import SettingsInvalid
from gateway.model.finding import Finding
from gateway.settings import Redis as RedisSettings
from gateway.store.client import Clients, translated
from gateway.store.server import MASTERS, MOST_MEMORY, OLDEST, ServerNumbers, ask, mode
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


async def configured(redis: Redis) -> dict[str, str]:
    """Return the settings of a server that bear on us; what it does not tell is missing."""
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


def findings(server: ServerNumbers, config: Mapping[str, str], settings: RedisSettings) -> list[Finding]:
    """Return what is fine with a SERVER that is set up by CONFIG, what could bite and what must not be."""
    parts = (
        _program(server),
        _replicas(server, settings),
        _persistence(server, config, settings),
        _memory(server, server.policy or config.get("maxmemory-policy")),
        _clock(server),
    )
    found = chain.from_iterable(parts)
    where = server.address
    return [one._replace(detail=f"{where}: {one.detail}") for one in found] if where else list(found)


async def judged(clients: Clients, settings: RedisSettings) -> list[Finding]:
    """Return what is to be said of each server that CLIENTS lead to; raises StoreUnavailable when one is silent."""
    if clients.kind == "server" and (found := await mode(clients)) in _OTHERS:
        return [_refusal("redis.url", *_OTHERS[found])]
    with translated():
        return [
            finding
            for address, master in (await clients.masters()).items()
            for finding in findings(await ask(master, address), await configured(master), settings)
        ]


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


def _program(server: ServerNumbers) -> Iterator[Finding]:
    name = f"{server.program} {server.version}" if server.compatible else "Redis of no known version"
    need = ".".join(map(str, OLDEST))
    if not server.compatible:
        yield Finding("advice", "redis.url", "the server does not tell its version", f"see that it is {need} or newer")
    if server.compatible and server.compatible < OLDEST:
        yield _refusal("redis.url", f"{name} is too old", f"use Redis {need} or newer, or Valkey")
    elif server.role not in MASTERS:
        yield _refusal(
            "redis.url",
            f"leads to a {_ROLES.get(server.role, server.role)}, which takes no writes",
            "let redis.url lead to its master",
        )
    else:
        yield Finding("fine", "redis.url", f"{name}, a {server.role}")


def _replicas(server: ServerNumbers, settings: RedisSettings) -> Iterator[Finding]:
    if settings.durability == "local":
        return
    connected = server.redis_replicas
    if connected < settings.replicas:
        yield Finding(
            "fault",
            "redis.durability",
            f"is {settings.durability}, and {connected} of {settings.replicas} replicas are connected",
            "connect them, or write redis.durability: local",
        )
    elif connected > settings.replicas:
        yield Finding(
            "advice",
            "redis.replicas",
            f"{connected} replicas are connected, and a job counts with {settings.replicas} of them: a failover "
            "may make one the master that has not got it",
            f"write redis.replicas: {connected}; with fewer, give all the same replica-priority, so that the one "
            "which has most is preferred",
        )
    else:
        yield Finding("fine", "redis.durability", f"{connected} connected replicas")


def _persistence(server: ServerNumbers, config: Mapping[str, str], settings: RedisSettings) -> Iterator[Finding]:
    key, fsync, saves = "redis.persistence", config.get("appendfsync"), config.get("save")
    if server.failing:
        yield Finding(
            "fault",
            key,
            f"Redis could not write its {server.failing} last time",
            "see Redis' log and the disk it writes to",
        )
    if server.aof:
        if fsync == "no":
            yield Finding(
                "advice",
                key,
                "an append-only file that is never forced to disk (appendfsync no)",
                "run `CONFIG SET appendfsync everysec`, and write it into Redis' configuration",
            )
        else:
            yield Finding("fine", key, f"an append-only file (appendfsync {fsync or 'not told'})")
    elif server.aof is None:
        yield Finding(
            "advice", key, "the server does not tell whether it keeps what it took", "see that it is persistent"
        )
    elif saves == "" and settings.persistence == "required":
        yield _refusal(
            key,
            "Redis keeps neither an append-only file nor snapshots, so its restart loses every job",
            "set `appendonly yes` there, or write redis.persistence: any to have it so",
        )
    else:
        loses = {"": "loses every job", None: "may lose every job"}.get(
            saves, "loses what came since the last snapshot"
        )
        yield Finding(
            "advice", key, f"Redis keeps no append-only file: its restart {loses}", "set `appendonly yes` there"
        )


def _memory(server: ServerNumbers, policy: str | None) -> Iterator[Finding]:
    used, most, machine = server.used_memory, server.maxmemory, server.machine_memory
    evicts = policy is not None and policy != "noeviction"
    remedy = "set `maxmemory-policy noeviction` there, so that a full Redis refuses instead of forgetting"
    if evicts and most:
        yield _refusal("redis.url", f"Redis drops keys when it is full (maxmemory-policy {policy})", remedy)
    elif evicts:
        yield Finding(
            "advice",
            "redis.url",
            f"Redis would drop keys if it had a maxmemory (maxmemory-policy {policy})",
            remedy,
        )
    elif policy is None:
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


def _clock(server: ServerNumbers) -> Iterator[Finding]:
    ahead = abs(server.ahead_ms)
    if ahead > _MOST_SKEW_MS:
        yield Finding(
            "advice",
            "redis.url",
            f"its clock is {ahead / 1000:.0f} s {'ahead of' if server.ahead_ms > 0 else 'behind'} the one here",
            "let both machines keep their time by NTP; receipts are dated by Redis",
        )


def _refusal(key: str, detail: str, remedy: str) -> Finding:
    return Finding("fault", key, detail, remedy, refuses=True)


def _mib(size: int) -> str:
    return f"{size / 1024**2:,.0f} MiB"


def _of(machine: int) -> str:
    return f" ({_mib(machine)})" if machine else ""
