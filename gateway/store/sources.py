"""Reading what producers push: streams, lists, and the stream of what was refused."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from redis.exceptions import ResponseError

from gateway.model.errors import StoreUnavailable
from gateway.store.client import Clients, translated
from gateway.store.keys import RING, Keys

GROUP = "gateway"
READER = "reader"  # one name for every replica: what one left unfinished, the next finds as its own
_RAW_LIMIT = 65_536


class Entry(NamedTuple):
    """One entry of a stream: its id, and its `job` field (None when it has none)."""

    id: str
    raw: bytes | None


@dataclass(frozen=True, slots=True)
class InvalidEntry:
    """An entry that cannot be a job, and why."""

    source: str
    entry: str
    raw: bytes
    code: str
    detail: str


class Sources:
    """The streams and lists producers write to; every call may raise StoreUnavailable."""

    def __init__(self, clients: Clients, keys: Keys) -> None:
        """Use the blocking client for waiting and the other for everything else."""
        self._clients = clients
        self._keys = keys

    async def prepare(self, stream: str) -> None:
        """Make sure that STREAM exists with our consumer group, which starts at its first entry."""
        try:
            with translated():
                await self._clients.commands.xgroup_create(stream, GROUP, id="0", mkstream=True)
        except ResponseError as error:
            if not str(error).startswith("BUSYGROUP"):
                raise

    async def unfinished(self, stream: str, most: int) -> list[Entry]:
        """Return entries that were read before and not finished, oldest first."""
        return await self._read(self._clients.commands, stream, "0", most, None)

    async def fresh(self, stream: str, most: int, wait_ms: int) -> list[Entry]:
        """Return entries not read before, waiting up to WAIT_MS for the first."""
        if wait_ms <= 0:
            return await self._read(self._clients.commands, stream, ">", most, None)
        return await self._read(self._clients.blocking, stream, ">", most, wait_ms)

    async def _read(self, client: Any, stream: str, start: str, most: int, block: int | None) -> list[Entry]:
        try:
            with translated():
                reply = await client.xreadgroup(GROUP, READER, {stream: start}, count=most, block=block)
        except ResponseError as error:
            if not str(error).startswith(("NOGROUP", "UNBLOCKED")):
                raise
            raise StoreUnavailable(f"{stream} was deleted; it is made anew") from error
        entries = next(iter(reply.values())) if reply else []
        # An entry without fields was deleted by its producer after it had been read.
        await self.finish(stream, [entry_id.decode() for entry_id, fields in entries if not fields])
        return [Entry(entry_id.decode(), fields.get(b"job")) for entry_id, fields in entries if fields]

    async def finish(self, stream: str, ids: Sequence[str]) -> None:
        """Take entries off STREAM: they are jobs now, or in the stream of refused ones."""
        if ids:
            with translated():
                async with self._clients.commands.pipeline(transaction=True) as pipe:
                    pipe.xack(stream, GROUP, *ids)
                    pipe.xdel(stream, *ids)
                    await pipe.execute()

    async def refuse(self, entries: Sequence[InvalidEntry]) -> None:
        """Write what cannot be a job into the public stream of refused entries."""
        if entries:
            with translated():
                async with self._clients.commands.pipeline(transaction=False) as pipe:
                    for one in entries:
                        fields: dict[Any, Any] = {
                            "source": one.source,
                            "entry": one.entry,
                            "raw": one.raw[:_RAW_LIMIT],
                            "code": one.code,
                            "detail": one.detail,
                        }
                        pipe.xadd(self._keys.invalid, fields, maxlen=10_000, approximate=True)
                    await pipe.execute()

    async def wait_for_list(self, name: str, seconds: int) -> bool:
        """Wait until the list NAME has an entry; return whether it has.

        Moving its first element to where it is already is the only blocking read that takes nothing out.
        """
        with translated():
            return await self._clients.blocking.blmove(name, name, seconds, "LEFT", "LEFT") is not None

    async def forget_stale_marks(self, source: str, stream: str, accounts: Sequence[str]) -> list[str]:
        """Reset the marks that lie above STREAM's own last id; return the accounts they were of.

        Such a stream was deleted or restored: its entries are new, whatever their ids say.
        """
        reset = []
        with translated():
            last = _numbers((await self._clients.commands.xinfo_stream(stream))["last-generated-id"])
            for account in accounts:
                marks = self._keys.account(account)[RING.index("marks")]
                mark = await self._clients.commands.hget(marks, source)
                if mark is not None and _numbers(mark) > last:
                    await self._clients.commands.hdel(marks, source)
                    reset.append(account)
        return reset

    async def depth(self, source: str) -> int:
        """Return how many entries SOURCE holds, be it a stream, a list or nothing yet."""
        with translated():
            kind = await self._clients.commands.type(source)
            if kind in (b"stream", "stream"):
                return int(await self._clients.commands.xlen(source))
            if kind in (b"list", "list"):
                moved = await self._clients.commands.xlen(self._keys.list_stream(source))
                return int(await self._clients.commands.llen(source)) + int(moved)
            return int(await self._clients.commands.xlen(self._keys.list_stream(source)))


def _numbers(entry: bytes | str) -> tuple[int, int]:
    text = entry.decode() if isinstance(entry, bytes) else entry
    ms, _, seq = text.partition("-")
    return int(ms), int(seq or 0)
