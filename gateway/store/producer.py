"""What a producer in another program does with Redis: push jobs, and read what was refused and what became of them."""

from typing import Any

from gateway.store.client import Clients, translated
from gateway.store.keys import RING, Keys


class Producer:
    """Pushes jobs the two ways DESIGN gives to producers; no more privileged than redis-cli."""

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

    async def refusal(self, entry: str) -> dict[str, str] | None:
        """Return how the entry with this id was refused; None when it was not, or not yet."""
        with translated():
            # It was refused after it came, and so what says it does not stand before its time.
            refused: Any = await self._redis.xrange(self._keys.invalid, min=entry.partition("-")[0])
        found = (_text(fields) for _, fields in refused if fields.get(b"entry") == entry.encode())
        return next(found, None)

    async def receipts(self, account: str = "main") -> list[bytes]:
        """Return every receipt in the account's stream, as JSON."""
        stream = self._keys.account(account)[RING.index("receipts")]
        return [fields[b"receipt"] for _, fields in await self._entries(stream)]

    async def _entries(self, stream: str) -> list[tuple[bytes, dict[bytes, bytes]]]:
        with translated():
            entries: Any = await self._redis.xrange(stream)
        return [(entry_id, fields) for entry_id, fields in entries]


def _text(fields: dict[bytes, bytes]) -> dict[str, str]:
    return {name.decode(): value.decode("utf-8", "replace") for name, value in fields.items()}
