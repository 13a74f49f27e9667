"""The Redis server behind the gateway, as the status page tells it."""

from dataclasses import dataclass
from typing import Any

from gateway.store.client import Clients, translated

OLDEST = (6, 2)
"""The oldest Redis that knows every command used here (BLMOVE, LPOP with a count)."""

MOST_MEMORY = 0.85
"""Of `maxmemory` before intake waits; the rest is for what the jobs that are in already still need."""


@dataclass(frozen=True, slots=True)
class ServerNumbers:
    """Version, role, memory (bytes) and persistence of the server; `compatible` is the Redis version it is like."""

    version: str
    compatible: tuple[int, ...]
    role: str
    used_memory: int
    maxmemory: int
    aof_enabled: bool


async def ping(clients: Clients) -> None:
    """Ask Redis for a sign of life; raises StoreUnavailable."""
    with translated():
        await clients.commands.ping()


async def memory(clients: Clients) -> tuple[int, int]:
    """Return used and most memory of the server in bytes, the latter 0 when it is not limited."""
    with translated():
        info: dict[str, Any] = await clients.commands.info("memory")
    return int(info["used_memory"]), int(info["maxmemory"])


async def server_numbers(clients: Clients) -> ServerNumbers:
    """Return what the server says of itself; raises StoreUnavailable."""
    with translated():
        info: dict[str, Any] = await clients.commands.info()
    return ServerNumbers(
        version=str(info.get("valkey_version") or info.get("redis_version")),
        compatible=tuple(int(number) for number in str(info["redis_version"]).split(".")[:2]),
        role=str(info["role"]),
        used_memory=int(info["used_memory"]),
        maxmemory=int(info["maxmemory"]),
        aof_enabled=bool(info["aof_enabled"]),
    )
