"""Reading a Redis source: one leased reader, entries in order, nothing lost, nothing twice."""

import asyncio

from gateway.clock import Clock
from gateway.intake.admission import Admission, key_reused
from gateway.model.errors import Refused
from gateway.store.scripts import Scripts
from gateway.store.sources import Entry, InvalidEntry, Sources
from gateway.store.values import Submission
from gateway.telemetry import Event, Log

LEASE_MS = 5_000
_WAIT_MS = 1_000  # how long one blocking read waits; the lease is renewed after each
_BATCH = 128


class SourceReader:
    """Admits the entries of one stream, in their order, while it holds the source's lease.

    Concurrent readers of one stream would break the order per target, so there is one at a time. What is admitted is
    safe against a stale reader anyway: the admitting script skips entries that are not newer than the last.
    """

    def __init__(
        self, stream: str, accounts: list[str], admission: Admission, sources: Sources, scripts: Scripts, clock: Clock
    ) -> None:
        """Read STREAM for ACCOUNTS."""
        self.source = stream
        self._stream = stream
        self._accounts = accounts
        self._admission = admission
        self._sources = sources
        self._scripts = scripts
        self._holder = clock.token()
        self._log = Log(source=stream)
        self._leftovers = True
        self.reading = False
        self.full = False

    async def run(self) -> None:
        """Wait for the lease, then read until cancelled; raises StoreUnavailable when Redis is lost."""
        try:
            while True:
                if not await self._scripts.lease(self.source, self._holder, LEASE_MS):
                    self.reading = False
                    await asyncio.sleep(_WAIT_MS / 1000)
                    continue
                if not self.reading:
                    await self._begin()
                await self._read()
        finally:
            self.reading = False

    async def release(self) -> None:
        """Give the lease back, so that another replica takes over at once."""
        await self._scripts.lease(self.source, self._holder, 0)

    async def _begin(self) -> None:
        await self._sources.prepare(self._stream)
        for account in await self._sources.forget_stale_marks(self.source, self._stream, self._accounts):
            self._log.warning(
                Event.SOURCE_RESET,
                account=account,
                detail="the stream's last id lies below what was admitted: it was deleted or restored",
            )
        self.reading = self._leftovers = True
        self._log.info(Event.SOURCE_TAKEN)

    async def _read(self) -> None:
        # What was read and not finished comes first: by a reader that died, or because an account was full.
        entries = await self._sources.unfinished(self._stream, _BATCH) if self._leftovers else []
        self._leftovers = bool(entries)
        if not entries:
            entries = await self._fresh()
        if entries:
            await self._take(entries)

    async def _fresh(self) -> list[Entry]:
        return await self._sources.fresh(self._stream, _BATCH, _WAIT_MS)

    async def _take(self, entries: list[Entry]) -> None:
        submissions: list[Submission] = []
        invalid: list[InvalidEntry] = []
        for entry in entries:
            try:
                submissions.append(self._prepare(entry))
            except Refused as refusal:
                invalid.append(self._invalid(entry, refusal))
        done = [one.entry for one in invalid]
        raw = {entry.id: entry for entry in entries}
        full = False
        for submission, admitted in zip(
            submissions, await self._admission.admit(submissions, self.source), strict=True
        ):
            if admitted.outcome == "full":
                full = True
                continue
            if admitted.outcome == "conflict":
                invalid.append(self._invalid(raw[submission.entry], key_reused(submission.key)))
            done.append(submission.entry)
        await self._sources.refuse(invalid)
        await self._sources.finish(self._stream, done)
        await self._rest_while(full)

    def _prepare(self, entry: Entry) -> Submission:
        if entry.raw is None:
            raise Refused("entry_invalid", "the entry has no field `job`: XADD … * job '<json>'")
        return self._admission.prepare(entry.raw, entry=entry.id)

    def _invalid(self, entry: Entry, refusal: Refused) -> InvalidEntry:
        self._log.warning(Event.ENTRY_REFUSED, entry=entry.id, code=refusal.code, detail=str(refusal))
        return InvalidEntry(self.source, entry.id, entry.raw or b"", refusal.code, str(refusal))

    async def _rest_while(self, full: bool) -> None:
        """Let a full account drain; its entries stay where they are, in order."""
        if full and not self.full:
            self._log.warning(Event.SOURCE_FULL, detail="an account has intake.max_queued jobs; reading waits")
        self.full = full
        if full:
            self._leftovers = True
            await asyncio.sleep(_WAIT_MS / 1000)


class ListReader(SourceReader):
    """The same for a list: its entries are moved into a stream in the list's own slot, which gives each an identity."""

    def __init__(
        self,
        name: str,
        stream: str,
        accounts: list[str],
        admission: Admission,
        sources: Sources,
        scripts: Scripts,
        clock: Clock,
    ) -> None:
        """Read the list NAME through STREAM."""
        super().__init__(stream, accounts, admission, sources, scripts, clock)
        self.source = name
        self._log = Log(source=name)

    async def _fresh(self) -> list[Entry]:
        entries = await self._sources.fresh(self._stream, _BATCH, 0)
        if entries or not await self._sources.wait_for_list(self.source, _WAIT_MS // 1000):
            return entries
        await self._scripts.move(self.source, _BATCH)
        return await self._sources.fresh(self._stream, _BATCH, 0)
