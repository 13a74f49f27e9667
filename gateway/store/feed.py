"""The receipts streams, followed: what became of jobs, as it happens."""

import asyncio
import time
from collections.abc import Mapping
from typing import Any, NamedTuple

from gateway.store.client import Clients, answered_within, raise_when_all_failed, translated
from gateway.store.keys import Keys

_FIRST_LOOK, _LONGEST_LOOK = 0.01, 0.1  # seconds between two looks at streams that cannot be waited for together


class Told(NamedTuple):
    """One entry of an account's receipts stream: its id, and the receipt as JSON."""

    account: str
    entry: str
    receipt: bytes


class Feed:
    """The receipts streams of all accounts; every call may raise StoreUnavailable."""

    def __init__(self, clients: Clients, keys: Keys) -> None:
        """Use the blocking client for waiting and the other for everything else."""
        self._clients = clients
        self._keys = keys

    async def last(self, account: str) -> str:
        """Return the id of the last entry in the stream of ACCOUNT, `0-0` when there is none."""
        with translated():
            entries: Any = await self._clients.commands.xrevrange(self._stream(account), count=1)
        return entries[0][0].decode() if entries else "0-0"

    async def earlier(self, account: str, before: str, most: int) -> list[Told]:
        """Return up to MOST entries of ACCOUNT that precede the id BEFORE (`+`: the last of all), newest first."""
        end = before if before == "+" else f"({before}"
        with translated():
            entries: Any = await self._clients.commands.xrevrange(self._stream(account), max=end, count=most)
        return [Told(account, entry.decode(), fields.get(b"receipt", b"{}")) for entry, fields in entries]

    async def next(self, after: Mapping[str, str], most: int, wait_ms: int) -> list[Told]:
        """Return up to MOST entries of each account in AFTER that follow the id given there, oldest first.

        Waits up to WAIT_MS for the first one of any account.
        """
        if self._clients.kind == "cluster" and len(after) > 1:
            return await self._looked_up(after, most, wait_ms)
        streams = {self._stream(account): account for account in after}
        # mypy: a dict's key type is not covariant
        positions: dict[Any, Any] = {stream: after[account] for stream, account in streams.items()}
        async with answered_within(wait_ms / 1000 + 5):
            with translated():
                reply: Any = await self._clients.blocking.xread(positions, count=most, block=wait_ms)
        return _told(reply, streams)

    async def _looked_up(self, after: Mapping[str, str], most: int, wait_ms: int) -> list[Told]:
        """Do the same in a cluster, where no read waits for streams of several slots: look, and look again.

        Accounts whose master is away, while others answer, are left out for the rest of the call.
        """
        streams = {self._stream(account): account for account in after}
        ends_at, pause = time.monotonic() + wait_ms / 1000, _FIRST_LOOK
        while True:
            with translated():
                async with self._clients.commands.pipeline(transaction=False) as pipe:
                    for stream, account in streams.items():
                        pipe.xread({stream: after[account]}, count=most)
                    replies: list[Any] = await pipe.execute(raise_on_error=False)
                raise_when_all_failed(replies)
            found = {at: reply for at, reply in zip(streams, replies, strict=True) if not isinstance(reply, Exception)}
            streams = {stream: streams[stream] for stream in found}
            told = [one for reply in found.values() for one in _told(reply, streams)]
            left = ends_at - time.monotonic()
            if told or left <= 0:
                return told
            await asyncio.sleep(min(pause, left))
            pause = min(2 * pause, _LONGEST_LOOK)

    def _stream(self, account: str) -> str:
        return self._keys.of(account, "receipts")


def _told(reply: Any, streams: Mapping[str, str]) -> list[Told]:
    """Return the entries of a reply to a read; STREAMS says of which account each stream is."""
    return [
        Told(streams[stream.decode()], entry.decode(), fields.get(b"receipt", b"{}"))
        for stream, entries in (reply or {}).items()
        for entry, fields in entries
    ]
