"""Waiting for a job's end: told by the receipts streams, never asked for again and again."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from pydantic import BaseModel, ValidationError

from gateway.clock import Clock
from gateway.model.errors import StoreUnavailable
from gateway.model.identity import JobId, parse_job_id
from gateway.model.receipt import FINAL_STATES, Receipt, State
from gateway.store.feed import Feed
from gateway.store.scripts.readings import ReadingScripts
from gateway.supervise import end

_QUIET_MS = 10_000  # a read that brings nothing for so long forgets the accounts nobody waits for any more
_MOST = 500  # entries taken at once from a stream
_AGAIN = 1.0  # seconds until a record is looked at again that could not be read


class _Head(BaseModel):
    """What of a receipt says whether somebody waits for it."""

    id: str = ""
    state: State | None = None


class Endings:
    """Tells when jobs end, whichever replica delivers them.

    One task (`run`) reads the receipts streams of the accounts somebody waits for; while nobody waits it costs
    nothing. No end is missed: a waiter is known before the stream's last id is noted, that is noted before the record
    is looked at, and what ends after the look is in the stream after that id. Whenever reading begins anew, all that
    wait look at their records again.
    """

    def __init__(self, scripts: ReadingScripts, feed: Feed, clock: Clock) -> None:
        """Look at records with SCRIPTS and follow the streams of FEED."""
        self._scripts = scripts
        self._feed = feed
        self._clock = clock
        self._waiters: dict[JobId, set[asyncio.Future[Receipt | None]]] = {}
        self._after: dict[str, str] = {}  # account → id of the last entry that was read of its stream
        self._changed = asyncio.Event()
        self._stopping = False

    async def of(self, job: JobId, seconds: float) -> Receipt | None:
        """Return the receipt of JOB once it has ended.

        None: it has not within SECONDS, there is no such job, or the gateway is stopping. Raises nothing: while Redis
        is away it waits on, at most some seconds longer than it was told.
        """
        ends_at = self._clock.monotonic() + seconds
        while True:
            with self._waiter(job) as told:
                patience = float("inf")
                try:
                    receipt = await self._look(job)
                    if receipt is None or receipt.state in FINAL_STATES:
                        return receipt
                except StoreUnavailable:
                    patience = _AGAIN
                left = ends_at - self._clock.monotonic()
                if left <= 0 or self._stopping:
                    return None
                await asyncio.wait({told}, timeout=min(left, patience))
                if told.done() and (ended := told.result()) is not None:
                    return ended

    async def run(self) -> None:
        """Read until cancelled; raises StoreUnavailable when Redis is lost, and can be run again."""
        self._after.clear()  # after a loss of Redis its ids may be others
        self._all_look_again()
        while True:
            self._changed.clear()
            if not self._waiters:
                self._after.clear()
            if not self._after:
                await self._changed.wait()
                continue
            entries = await self._next()
            for account, entry, receipt in entries:
                self._after[account] = entry
                self._tell(receipt)
            if not entries:
                wanted = {job.account for job in self._waiters}
                self._after = {account: entry for account, entry in self._after.items() if account in wanted}

    def stop(self) -> None:
        """Let all that wait go, now and from now on: the gateway is stopping."""
        self._stopping = True
        self._all_look_again()

    @contextmanager
    def _waiter(self, job: JobId) -> Iterator[asyncio.Future[Receipt | None]]:
        """Yield what is told when JOB ends; None is told when its record has to be looked at again."""
        told = asyncio.get_running_loop().create_future()
        waiters = self._waiters.setdefault(job, set())
        waiters.add(told)
        try:
            yield told
        finally:
            waiters.discard(told)
            if not waiters:
                self._waiters.pop(job, None)

    async def _look(self, job: JobId) -> Receipt | None:
        """Return what is known of JOB, once its account is followed."""
        if job.account not in self._after:
            last = await self._feed.last(job.account)
            if job.account not in self._after:  # nobody was faster
                self._after[job.account] = last
                self._changed.set()
        document = await self._scripts.read(*job)
        return Receipt.model_validate_json(document) if document else None

    async def _next(self) -> list[tuple[str, str, bytes]]:
        """Return what comes next in the streams that are followed; nothing, when there is one more to follow."""
        reading = asyncio.create_task(self._feed.next(dict(self._after), _MOST, _QUIET_MS), name="endings read")
        changed = asyncio.create_task(self._changed.wait(), name="endings changed")
        try:
            await asyncio.wait({reading, changed}, return_when=asyncio.FIRST_COMPLETED)
            return list(reading.result()) if reading.done() else []
        finally:
            await end({reading, changed})

    def _tell(self, receipt: bytes) -> None:
        try:
            head = _Head.model_validate_json(receipt)
            job = parse_job_id(head.id)
            if job not in self._waiters or head.state not in FINAL_STATES:
                return
            ended = Receipt.model_validate_json(receipt)
        except ValidationError:  # anybody may write to a public stream
            return
        for told in self._waiters[job]:
            if not told.done():
                told.set_result(ended)

    def _all_look_again(self) -> None:
        for waiters in self._waiters.values():
            for told in waiters:
                if not told.done():
                    told.set_result(None)
