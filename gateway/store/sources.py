"""Reading what producers push: streams, lists, and the stream of what was refused."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from redis.exceptions import ResponseError

from gateway.store.client import Clients, answered_within, raise_when_all_failed, translated
from gateway.store.keys import Keys

_RAW_LIMIT = 65_536


class Entry(NamedTuple):
    """One entry of a stream: its id, its `job` field (None when it has none), and what it has instead."""

    id: str
    raw: bytes | None
    other: bytes = b""


@dataclass(frozen=True, slots=True)
class InvalidEntry:
    """An entry that cannot be a job, and why."""

    source: str
    entry: str
    raw: bytes
    code: str
    detail: str


class SourceNumbers(NamedTuple):
    """How many entries a source holds, and when the oldest of its stream came (epoch ms; None: it is empty).

    holder  token of who reads it, "" when nobody does
    error   what Redis says against reading it, "" when it can be read
    """

    depth: int
    oldest: int | None
    holder: str
    error: str = ""

    def age(self, now: int) -> int | None:
        """Return how many milliseconds the oldest entry has lain there at NOW; None: the stream is empty."""
        return max(0, now - self.oldest) if self.oldest is not None else None


class Marks(NamedTuple):
    """What was found of a source's marks, by account: those above the stream's last id, and whose could not be read."""

    stale: dict[str, str]
    unread: frozenset[str] = frozenset()


class Sources:
    """The streams and lists producers write to; every call may raise StoreUnavailable."""

    def __init__(self, clients: Clients, keys: Keys) -> None:
        """Use the blocking client for waiting and the other for everything else."""
        self._clients = clients
        self._keys = keys

    async def read(self, stream: str, after: str, most: int, wait_ms: int) -> list[Entry]:
        """Return up to MOST entries of STREAM after the id AFTER, oldest first, waiting up to WAIT_MS for the first.

        What is in the stream is what is not finished: reading takes nothing out, so a reader that stalls, dies or
        comes back late never holds an entry that another one does not see.
        """
        client = self._clients.blocking if wait_ms else self._clients.commands
        async with answered_within(wait_ms / 1000 + 5):
            with translated():
                reply: Any = await client.xread({stream: after}, count=most, block=wait_ms or None)
        entries = next(iter(reply.values())) if reply else []
        return [_entry(entry_id, fields) for entry_id, fields in entries]

    async def finish(self, stream: str, ids: Sequence[str]) -> None:
        """Take entries off STREAM: they are jobs now, or in the stream of refused ones."""
        if ids:
            with translated():
                await self._clients.commands.xdel(stream, *ids)

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
        async with answered_within(seconds + 5):
            with translated():
                return await self._clients.blocking.blmove(name, name, seconds, "LEFT", "LEFT") is not None

    async def stale_marks(self, source: str, stream: str, accounts: Sequence[str]) -> Marks:
        """Return, by account, the marks of SOURCE that lie above STREAM's own last id.

        Such a stream was deleted or restored: its entries are new, whatever their ids say. The marks are read before
        the last id, which only grows meanwhile, so that no good mark is taken for a stale one. ACCOUNTS may change
        meanwhile, as a reload changes those of a reader: asked are those of the beginning. The mark of an account
        whose master is away, while others answer, is `unread`.
        """
        with translated():
            redis = self._clients.commands
            keys = {account: self._keys.of(account, "marks") for account in accounts}
            marks = await asyncio.gather(*(redis.hget(key, source) for key in keys.values()), return_exceptions=True)
            raise_when_all_failed(marks)
            exists = await redis.exists(stream)
            last = _numbers((await redis.xinfo_stream(stream))["last-generated-id"]) if exists else (0, 0)
        found = dict(zip(keys, marks, strict=True))
        read = {account: mark.decode() for account, mark in found.items() if isinstance(mark, bytes)}
        return Marks(
            {account: mark for account, mark in read.items() if _numbers(mark) > last},
            frozenset(account for account, mark in found.items() if isinstance(mark, BaseException)),
        )

    async def numbers(self, streams: Sequence[str], lists: Sequence[str]) -> dict[str, SourceNumbers]:
        """Return what each source holds, and who reads it; one that is of another type holds nothing."""
        names = [*streams, *lists]
        with translated():
            async with self._clients.commands.pipeline(transaction=False) as pipe:
                for name in names:
                    stream = self._keys.list_stream(name) if name in lists else name
                    pipe.xlen(stream)
                    pipe.xrange(stream, count=1)
                    pipe.llen(name) if name in lists else pipe.exists(name)
                    pipe.get(self._keys.reader(name))
                replies = await pipe.execute(raise_on_error=False)
            for reply in replies:
                if isinstance(reply, Exception) and not isinstance(reply, ResponseError):
                    raise reply
        found = {}
        for at, name in enumerate(names):
            in_stream, first, in_list, holder = replies[4 * at : 4 * at + 4]
            failed = next((one for one in (in_stream, first, in_list, holder) if isinstance(one, ResponseError)), None)
            if failed is not None:
                found[name] = SourceNumbers(0, None, "", str(failed))
                continue
            waiting = in_stream + (in_list if name in lists else 0)
            oldest = _numbers(first[0][0])[0] if first else None
            found[name] = SourceNumbers(waiting, oldest, holder.decode() if holder else "")
        return found


def _entry(entry_id: bytes, fields: dict[bytes, bytes]) -> Entry:
    raw = fields.get(b"job")
    other = b" ".join(word for pair in fields.items() for word in pair) if raw is None else b""
    return Entry(entry_id.decode(), raw, other)


def _numbers(entry: bytes | str) -> tuple[int, int]:
    text = entry.decode() if isinstance(entry, bytes) else entry
    ms, _, seq = text.partition("-")
    return int(ms), int(seq or 0)
