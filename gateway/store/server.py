"""The Redis server behind the gateway, or the servers, and what they tell of themselves."""

import asyncio
import re
import time
from dataclasses import dataclass, replace
from typing import Any

from redis.asyncio import Redis

from gateway.store.client import Clients, raise_when_all_failed, translated

OLDEST = (6, 2)
"""The oldest Redis that knows every command used here (BLMOVE, LPOP with a count)."""

MASTERS = frozenset({"master", "primary"})
"""The roles of a server that takes writes."""

MOST_MEMORY = 0.85
"""Of `maxmemory` before intake waits; the rest is for what the jobs that are in already still need."""

_SAVED = {"append-only file": "aof_last_write_status", "snapshot": "rdb_last_bgsave_status"}
_SOON = 1.0  # seconds in which one of several servers says how full it is


@dataclass(frozen=True, slots=True)
class ServerNumbers:
    """What a server tells of itself; None where it does not tell.

    version     of the program; `compatible` is the Redis version it is like, () when it does not tell
    aof         whether it keeps an append-only file
    failing     what it could not save last, "" when it could
    now         epoch milliseconds by its clock; `ahead_ms` is that less ours
    took        seconds it took to answer
    used_memory and the other two are bytes: in use, allowed (0: any), of the machine (0: not known)
    redis_replicas  how many are connected
    policy      what it does when it is full (`maxmemory-policy`)
    address     where it listens, "" when only `redis.url` tells
    nodes       the masters of a cluster, or the one that sentinels name; of several, the other fields say the worst:
                of memory that of the one which has least left
    """

    program: str
    version: str
    compatible: tuple[int, ...]
    role: str
    aof: bool | None
    failing: str
    now: int
    ahead_ms: int
    took: float
    used_memory: int
    maxmemory: int
    machine_memory: int = 0
    redis_replicas: int = 0
    policy: str | None = None
    address: str = ""
    nodes: tuple["ServerNumbers", ...] = ()

    @property
    def fullness(self) -> tuple[float, int]:
        """How full it is, to compare it with others: of its limit, and where there is none in bytes."""
        return _fullness(self.used_memory, self.maxmemory)


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
        raise_when_all_failed(answers)
    told = [answer for answer in answers if isinstance(answer, dict)]
    numbers = [(int(info.get("used_memory", 0)), int(info.get("maxmemory", 0))) for info in told]
    return max(numbers, key=lambda pair: _fullness(*pair))


def _fullness(used: int, most: int) -> tuple[float, int]:
    return (used / most if most else 0.0, used)


async def _memory(master: Redis, masters: int) -> dict[str, Any]:
    """Return what one of so many MASTERS says; admits wait for this, so not for long where others tell, too."""
    async with asyncio.timeout(_SOON if masters > 1 else None):
        told: dict[str, Any] = await master.info("memory")
    return told


async def server_numbers(clients: Clients) -> ServerNumbers:
    """Return what the server says of itself, or the masters together; raises StoreUnavailable."""
    with translated():
        masters = await clients.masters()
        told = await asyncio.gather(*(ask(redis, address) for address, redis in masters.items()))
    if [one.address for one in told] == [""]:
        return told[0]
    fullest = max(told, key=lambda one: one.fullness)
    oldest = min(told, key=lambda one: one.compatible)
    return replace(
        fullest,
        version=oldest.version,
        compatible=oldest.compatible,
        role=next((one.role for one in told if one.role not in MASTERS), fullest.role),
        aof=False if any(one.aof is False for one in told) else fullest.aof,
        failing=next((one.failing for one in told if one.failing), ""),
        took=max(one.took for one in told),
        address="",
        nodes=tuple(told),
    )


async def ask(redis: Redis, address: str = "") -> ServerNumbers:
    """Ask one server, at ADDRESS, how it is; raises redis' errors."""
    began, local = time.monotonic(), time.time()
    seconds, microseconds = await redis.time()
    took = time.monotonic() - began
    now = seconds * 1000 + microseconds // 1000
    info: dict[str, Any] = await redis.info()
    return ServerNumbers(
        program="Valkey" if "valkey_version" in info else "Redis",
        version=str(info.get("valkey_version") or info.get("redis_version", "unknown")),
        compatible=tuple(map(int, re.findall(r"[0-9]+", str(info.get("redis_version", "")))[:2])),
        role=str(info.get("role", "master")),
        aof=bool(info["aof_enabled"]) if "aof_enabled" in info else None,
        failing=next((what for what, field in _SAVED.items() if info.get(field, "ok") != "ok"), ""),
        now=now,
        ahead_ms=round(now - (local + took / 2) * 1000),
        took=took,
        used_memory=int(info.get("used_memory", 0)),
        maxmemory=int(info.get("maxmemory", 0)),
        machine_memory=int(info.get("total_system_memory", 0)),
        redis_replicas=int(info.get("connected_slaves", 0)),
        policy=info.get("maxmemory_policy"),
        address=address,
    )


async def mode(clients: Clients) -> str:
    """Return whether the server at a `redis://` URL is `standalone`, part of a `cluster`, or a `sentinel`."""
    with translated():
        info: dict[str, Any] = await clients.commands.info("server")
    return str(info.get("redis_mode") or info.get("server_mode", "standalone"))
