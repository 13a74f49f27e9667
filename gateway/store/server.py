"""The Redis server behind the gateway, as the status page tells it."""

import asyncio
import json
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from redis.asyncio import Redis

from gateway.model.instant import format_instant
from gateway.store.client import Clients, translated
from gateway.store.keys import Keys

OLDEST = (6, 2)
"""The oldest Redis that knows every command used here (BLMOVE, LPOP with a count)."""

MASTERS = frozenset({"master", "primary"})
"""The roles of a server that takes writes."""

MOST_MEMORY = 0.85
"""Of `maxmemory` before intake waits; the rest is for what the jobs that are in already still need."""

_SOON = 1.0  # seconds in which one of several servers says how full it is


@dataclass(frozen=True, slots=True)
class ServerNumbers:
    """Version, role, memory (bytes) and persistence of the server; `compatible` is the Redis version it is like.

    now      epoch milliseconds by its clock
    failing  what it could not save last, "" when it could: the append-only file (`aof`) or a snapshot (`rdb`)
    took     seconds it took to answer
    address  where it listens, "" when only `redis.url` tells
    nodes    the masters of a cluster, or the one that sentinels name; of several, the other fields say the worst:
             of memory that of the one which has least left
    """

    version: str
    compatible: tuple[int, ...]
    role: str
    used_memory: int
    maxmemory: int
    aof_enabled: bool
    failing: str
    now: int
    took: float
    address: str = ""
    nodes: tuple["ServerNumbers", ...] = ()

    @property
    def fullness(self) -> tuple[float, int]:
        """How full it is, to compare it with others: of its limit, and where there is none in bytes."""
        return _fullness(self.used_memory, self.maxmemory)


class Replica(NamedTuple):
    """A process that serves this gateway: what it told of itself, and when last (epoch ms of Redis' clock).

    format  the newest one of the data that it knows
    """

    id: str
    host: str
    pid: int
    version: str
    began_at: int
    seen_at: int
    format: int = 1


async def ping(clients: Clients) -> None:
    """Ask Redis for a sign of life; raises StoreUnavailable."""
    with translated():
        await clients.commands.ping()


async def memory(clients: Clients) -> tuple[int, int]:
    """Return used and most memory in bytes, the latter 0 when it is not limited; of several servers the fullest's.

    One of several that does not answer says so to who needs it.
    """
    with translated():
        masters = (await clients.masters()).values()
        answers = await asyncio.gather(*(_memory(master, len(masters)) for master in masters), return_exceptions=True)
        told: list[dict[str, Any]] = [answer for answer in answers if isinstance(answer, dict)]
        for answer in answers if not told else ():
            if isinstance(answer, BaseException):
                raise answer
    numbers = [(int(info.get("used_memory", 0)), int(info.get("maxmemory", 0))) for info in told]
    return max(numbers, key=lambda pair: _fullness(*pair))


def _fullness(used: int, most: int) -> tuple[float, int]:
    return (used / most if most else 0.0, used)


def compatible(info: Mapping[str, Any]) -> tuple[int, ...]:
    """Return the Redis version, its first two numbers, that a server is like by its INFO; () where it does not tell."""
    return tuple(map(int, re.findall(r"[0-9]+", str(info.get("redis_version", "")))[:2]))


async def _memory(master: Redis, masters: int) -> dict[str, Any]:
    """Return what one of so many MASTERS says; admits wait for this, so not for long where others tell, too."""
    async with asyncio.timeout(_SOON if masters > 1 else None):
        told: dict[str, Any] = await master.info("memory")
    return told


async def server_numbers(clients: Clients) -> ServerNumbers:
    """Return what the server says of itself, or the masters together; raises StoreUnavailable."""
    with translated():
        masters = await clients.masters()
        told = await asyncio.gather(*(_numbers(address, redis) for address, redis in masters.items()))
    if [one.address for one in told] == [""]:
        return told[0]
    fullest = max(told, key=lambda one: one.fullness)
    oldest = min(told, key=lambda one: one.compatible)
    return replace(
        fullest,
        version=oldest.version,
        compatible=oldest.compatible,
        role=next((one.role for one in told if one.role not in MASTERS), fullest.role),
        aof_enabled=all(one.aof_enabled for one in told),
        failing=next((one.failing for one in told if one.failing), ""),
        took=max(one.took for one in told),
        address="",
        nodes=tuple(told),
    )


async def _numbers(address: str, redis: Redis) -> ServerNumbers:
    began = time.monotonic()
    seconds, microseconds = await redis.time()
    took = time.monotonic() - began
    info: dict[str, Any] = await redis.info()
    # Redis as a service leaves some fields out: what it does not tell is no reason to worry.
    saved = {"aof": info.get("aof_last_write_status", "ok"), "rdb": info.get("rdb_last_bgsave_status", "ok")}
    return ServerNumbers(
        version=str(info.get("valkey_version") or info.get("redis_version", "unknown")),
        compatible=compatible(info),
        role=str(info.get("role", "master")),
        used_memory=int(info.get("used_memory", 0)),
        maxmemory=int(info.get("maxmemory", 0)),
        aof_enabled=bool(info.get("aof_enabled", True)),
        failing=next((what for what, status in saved.items() if status != "ok"), ""),
        now=seconds * 1000 + microseconds // 1000,
        took=took,
        address=address,
    )


async def mode(clients: Clients) -> str:
    """Return whether the server at a `redis://` URL is `standalone`, part of a `cluster`, or a `sentinel`."""
    with translated():
        info: dict[str, Any] = await clients.commands.info("server")
    return str(info.get("redis_mode") or info.get("server_mode", "standalone"))


async def replicas(clients: Clients, keys: Keys) -> list[Replica]:
    """Return the processes that said they live, the one that began first before the others."""
    with translated():
        told: dict[Any, Any] = await clients.commands.hgetall(keys.replicas)
    found = [replica for name, text in told.items() if (replica := _replica(name, text)) is not None]
    return sorted(found, key=lambda replica: (replica.began_at, replica.id))


def _replica(name: bytes, text: bytes) -> Replica | None:
    """Return what another process told of itself; None when it cannot be read. One of another version may tell more."""
    seen, _, document = text.decode("utf-8", "replace").partition(" ")
    try:
        told = json.loads(document)
        began_at, seen_at = int(told["began_at"]), int(seen)
        format_instant(began_at), format_instant(seen_at)
        return Replica(
            name.decode("utf-8", "replace"),
            str(told["host"]),
            int(told["pid"]),
            str(told["version"]),
            began_at,
            seen_at,
            int(told.get("format", 1)),
        )
    except (ValueError, TypeError, KeyError, OverflowError, RecursionError):
        return None
