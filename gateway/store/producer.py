"""What a producer in another program does with Redis: push jobs, and read what was refused and what became of them."""

from typing import Any

from gateway.store.client import Clients, translated
from gateway.store.keys import Keys


class Producer:
    """Pushes jobs into a stream or a list as any producer does; no more privileged than redis-cli."""

    def __init__(self, clients: Clients, prefix: str = "gw") -> None:
        """Push with CLIENTS."""
        self._redis = clients.commands
        self._keys = Keys(prefix)

    async def add(self, *jobs: str | bytes, stream: str = "gw:jobs") -> list[str]:
        """`XADD stream * job <json>` for each of JOBS; return the entry ids."""
        with translated():
            async with self._redis.pipeline(transaction=False) as pipe:
                for job in jobs:
                    pipe.xadd(stream, {"job": job})
                return [entry.decode() for entry in await pipe.execute()]

    async def push(self, *jobs: str | bytes, name: str = "gw:jobs:list") -> None:
        """`RPUSH name <json> …`."""
        with translated():
            await self._redis.rpush(name, *jobs)

    async def invalid(self) -> list[dict[str, str]]:
        """Return every refused entry: `source`, `entry`, `raw`, `code`, `detail`."""
        return [_text(fields) for _, fields in await self._entries(self._keys.invalid)]

    async def refusals(self, after: str, most: int) -> list[tuple[str, dict[str, str]]]:
        """Return up to MOST refused entries that were told after the id AFTER, each with the id it was told under."""
        with translated():
            entries: Any = await self._redis.xrange(self._keys.invalid, min=f"({after}", count=most)
        return [(told.decode(), _text(fields)) for told, fields in entries]

    async def receipts(self, account: str = "main") -> list[bytes]:
        """Return every receipt in the account's stream, as JSON."""
        return [fields[b"receipt"] for _, fields in await self._entries(self._keys.of(account, "receipts"))]

    async def _entries(self, stream: str) -> list[tuple[bytes, dict[bytes, bytes]]]:
        with translated():
            entries: Any = await self._redis.xrange(stream)
        return [(entry_id, fields) for entry_id, fields in entries]


def _text(fields: dict[bytes, bytes]) -> dict[str, str]:
    return {name.decode(): value.decode("utf-8", "replace") for name, value in fields.items()}
