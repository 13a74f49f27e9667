"""The processes that serve one gateway, as they tell of themselves; each is a replica of it."""

import json
from typing import Any, NamedTuple

from gateway.model.instant import format_instant
from gateway.store.client import Clients, translated
from gateway.store.keys import Keys


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
