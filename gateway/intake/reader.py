"""Reading a Redis source: one leased reader, entries in order, nothing lost, nothing twice."""

import asyncio
from collections.abc import Iterator
from contextlib import suppress

from gateway.clock import Clock
from gateway.intake.admission import Admission, key_reused
from gateway.model.errors import NotReplicated, Refused, StoreRefuses, StoreUnavailable
from gateway.store.scripts.processes import ProcessScripts
from gateway.store.sources import Entry, InvalidEntry, Marks, Sources
from gateway.store.values import Submission
from gateway.telemetry import Event, Log

LEASE_MS = 5_000
START = "0-0"
_RENEW_MS = 1_000  # how old a lease may become before it is renewed; a read begun under it may wait another _WAIT_MS
_WAIT_MS = 1_000  # how long one blocking read waits
_MOST = 128  # entries read at once
_IN_A_ROW = 32  # entries checked before what is being sent has its turn
_BATCH_BYTES = 1024**2  # what is read, and then checked and admitted in one go, without looking at anything else


class SourceReader:
    """Admits the entries of one stream, in their order, while it holds the source's lease.

    Concurrent readers of one stream would break the order per target, so there is one at a time. A stale one does no
    harm: the admitting script skips entries that are not newer than the last, and an entry stays in the stream until
    it was admitted or refused.
    """

    def __init__(
        self,
        source: str,
        stream: str,
        accounts: list[str],
        admission: Admission,
        sources: Sources,
        scripts: ProcessScripts,
        clock: Clock,
    ) -> None:
        """Read what producers push to SOURCE from STREAM (the same, for a stream) for ACCOUNTS."""
        self.source = source
        self._stream = stream
        self._accounts = accounts
        self._admission = admission
        self._sources = sources
        self._scripts = scripts
        self._clock = clock
        self.holder = clock.token()
        self._log = Log(source=source)
        self._reading = False
        self._waiting = False
        self._renew_at = 0.0  # monotonic
        self._most = 8
        self._full: dict[str, str] = {}  # entries left in this sweep → their account
        self._known: dict[str, str] = {}  # the same of the sweep before
        self._away: set[str] = set()  # of these accounts, those that did not say whether they have room

    async def run(self) -> None:
        """Wait for the lease, then read until cancelled; raises StoreUnavailable when Redis is lost."""
        try:
            while True:
                try:
                    await self._turn()
                except (StoreRefuses, NotReplicated) as error:
                    await self._wait_for_room(str(error))
        except StoreUnavailable:
            # One that fails is no reader: another may do better, and whoever looks is to know.
            with suppress(StoreUnavailable):
                await self.release()
            raise
        finally:
            self._reading = False

    async def _turn(self) -> None:
        """Read what there is, if this is the reader; else wait a while for the lease."""
        if not await self._holds_lease():
            self._reading = False
            await asyncio.sleep(_WAIT_MS / 1000)
            return
        if not self._reading:
            await self._begin()
        await self._sweep()

    async def _holds_lease(self) -> bool:
        """Whether this is the reader, by a lease that it took or renewed within the last second."""
        now = self._clock.monotonic()
        if now >= self._renew_at:
            held = await self._scripts.lease("reader", self.source, self.holder, LEASE_MS)
            self._renew_at = now + _RENEW_MS / 1000 if held else 0.0
        return self._renew_at > 0.0

    async def release(self) -> None:
        """Give the lease back, so that another replica takes over at once."""
        self._renew_at = 0.0
        await self._scripts.lease("reader", self.source, self.holder, 0)

    async def _begin(self) -> None:
        await self._forget_stale_marks()
        self._reading = True
        self._log.info(Event.SOURCE_TAKEN)

    async def _forget_stale_marks(self) -> Marks:
        """Reset the marks of a stream that was deleted or restored, loudly; return what was found."""
        marks = await self._sources.stale_marks(self.source, self._stream, self._accounts)
        for account, mark in marks.stale.items():
            if await self._scripts.forget(account, self.source, mark):
                self._log.warning(
                    Event.SOURCE_RESET,
                    account=account,
                    detail="the stream's last id lies below what was admitted: it was deleted or restored",
                )
        return marks

    async def _sweep(self) -> None:
        """Read from the oldest entry to the newest, past those of full accounts, so that these hold up nobody else.

        Once an account is full, none of its entries is taken before the next sweep, or they would change places.
        """
        self._known, self._full = self._full, {}
        told, self._away = self._away, set()
        after, began = START, self._clock.monotonic()
        waited = 0.0  # seconds, for those that are away
        while entries := await self._entries(after):
            if not await self._scripts.secured(self.source, self.holder, LEASE_MS):
                self._renew_at = 0.0
                return
            for batch in self._batches(entries):
                away, asked = len(self._away), self._clock.monotonic()
                await self._take(batch)
                if len(self._away) > away:
                    waited += self._clock.monotonic() - asked
                if not await self._holds_lease():
                    return
            if not self._full:
                return
            after = entries[-1].id
        if not self._full:
            return
        self._tell(full=not self._known, away=self._away - told)
        # Looking past what stays costs time: no more than a quarter of it. Who waits for an answer costs none.
        looked = self._clock.monotonic() - began - waited
        await self._rest(max(_WAIT_MS / 1000, 3 * looked))

    def _tell(self, *, full: bool, away: set[str]) -> None:
        """Tell of whom entries stay: the FULL ones, if they are new, and who is AWAY now and was not before."""
        accounts = set(self._full.values()) - self._away
        if full and accounts:
            self._log.warning(
                Event.SOURCE_FULL,
                accounts=sorted(accounts),
                detail="they have intake.max_queued jobs; their entries stay where they are",
            )
        if away:
            self._log.warning(
                Event.SOURCE_AWAY,
                accounts=sorted(away),
                detail="their master does not answer, or takes nothing; their entries stay where they are",
            )

    async def _wait_for_room(self, reason: str) -> None:
        """Leave the entries where they are for a while; told once, until Redis has taken some again."""
        if not self._waiting:
            self._waiting = True
            self._log.warning(Event.SOURCE_WAITS, reason=reason, detail="the entries stay where they are")
        await asyncio.sleep(_WAIT_MS / 1000)

    async def _rest(self, seconds: float) -> None:
        ends_at = self._clock.monotonic() + seconds
        while (left := ends_at - self._clock.monotonic()) > 0:
            await self._holds_lease()
            await asyncio.sleep(min(left, _WAIT_MS / 1000))

    async def _entries(self, after: str) -> list[Entry]:
        """Return the next entries after the id AFTER; from the start, wait a while for the first."""
        return await self._sources.read(self._stream, after, self._most, _WAIT_MS if after == START else 0)

    def _batches(self, entries: list[Entry]) -> Iterator[list[Entry]]:
        """Cut ENTRIES into batches of bounded size, and fit the next read to what entries weigh here."""
        batch, size = [], 0
        for entry in entries:
            batch.append(entry)
            size += len(entry.raw or b"")
            if size >= _BATCH_BYTES:
                yield batch
                batch, size = [], 0
        if batch:
            yield batch
        if entries:
            mean = sum(len(entry.raw or b"") for entry in entries) // len(entries)
            self._most = max(1, min(_MOST, self._most * 4, 4 * _BATCH_BYTES // (mean + 1)))

    async def _take(self, entries: list[Entry]) -> None:
        submissions: list[Submission] = []
        invalid: list[InvalidEntry] = []
        full = set(self._full.values())
        for number, entry in enumerate(entries, 1):
            if number % _IN_A_ROW == 0:
                await asyncio.sleep(0)
            # Known from the last sweep to be of an account that is full in this one, too: no need to look inside.
            if self._known.get(entry.id) in full:
                self._full[entry.id] = self._known[entry.id]
                continue
            try:
                submission = await self._prepare(entry)
            except Refused as refusal:
                invalid.append(self._invalid(entry, refusal))
            else:
                if submission.account in full:
                    self._full[entry.id] = submission.account
                else:
                    submissions.append(submission)
        done = [one.entry for one in invalid]
        by_id = {entry.id: entry for entry in entries}
        taken: list[Submission] = []
        seen: list[Submission] = []
        admitted = await self._admission.admit(submissions, self.source)
        self._waiting = self._waiting and not admitted
        for submission, (outcome, _) in zip(submissions, admitted, strict=True):
            if outcome in {"full", "away"}:
                self._full[submission.entry] = submission.account
                self._away |= {submission.account} if outcome == "away" else set()
                continue
            if outcome == "conflict":
                invalid.append(self._invalid(by_id[submission.entry], key_reused(submission.key)))
            (seen if outcome == "seen" else taken).append(submission)
        done += [one.entry for one in taken] + await self._admitted_before(seen)
        await self._sources.refuse(invalid)
        await self._sources.finish(self._stream, done)

    async def _admitted_before(self, seen: list[Submission]) -> list[str]:
        """Return which entries of those SEEN are finished: all, unless their stream was deleted or restored meanwhile.

        Where an account's mark cannot be read now, nobody knows; its entries stay until it can.
        """
        marks = await self._forget_stale_marks() if seen else Marks({})
        if marks.stale:
            return []
        self._full |= {one.entry: one.account for one in seen if one.account in marks.unread}
        self._away |= {one.account for one in seen} & marks.unread
        return [one.entry for one in seen if one.account not in marks.unread]

    async def _prepare(self, entry: Entry) -> Submission:
        if entry.raw is None:
            raise Refused("entry_invalid", "the entry has no field `job`; push it as XADD … * job '<json>'")
        return await self._admission.prepare(entry.raw, entry=entry.id)

    def _invalid(self, entry: Entry, refusal: Refused) -> InvalidEntry:
        detail = str(refusal)[:4096]
        self._log.warning(Event.ENTRY_REFUSED, entry=entry.id, code=refusal.code, detail=detail[:300])
        return InvalidEntry(self.source, entry.id, entry.raw or entry.other, refusal.code, detail)


class ListReader(SourceReader):
    """The same for a list: its entries are moved into a stream in the list's own slot, which gives each an identity."""

    async def _entries(self, after: str) -> list[Entry]:
        entries = await self._sources.read(self._stream, after, self._most, 0)
        if entries or (after == START and not await self._sources.wait_for_list(self.source, _WAIT_MS // 1000)):
            return entries
        await self._scripts.move(self.source, self._most)
        return await self._sources.read(self._stream, after, self._most, 0)
