"""A gateway by its public streams in Redis."""

import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any, TypeVar

from pydantic import ValidationError

from gateway.client.answers import Submitted
from gateway.client.errors import NotFound, Unavailable
from gateway.client.patience import Patience, repeated
from gateway.client.writing import Moment, moment, rfc3339
from gateway.intake.preparation import parse_job
from gateway.model.errors import Refused, SettingsInvalid, StoreRefuses, StoreUnavailable
from gateway.model.instant import parse_instant
from gateway.model.receipt import FINAL_STATES, Receipt
from gateway.store.client import Clients
from gateway.store.feed import Feed, Told
from gateway.store.keys import Keys
from gateway.store.producer import Producer

Result = TypeVar("Result")
_SOME = 500
_FEW = 50  # refused entries, which carry what was refused
_QUIET_MS = 5_000
_LOOK_MS = 500  # how often a refusal is looked for


class OverRedis:
    """What a producer does over Redis; each call is repeated for up to PATIENCE seconds while Redis is away."""

    def __init__(self, url: str, prefix: str, stream: str, accounts: Sequence[str], patience: float) -> None:
        """Prepare to push to STREAM and read the receipts of ACCOUNTS; nothing connects yet."""
        try:
            self._clients = Clients(url)
        except SettingsInvalid as error:
            raise Refused("url_invalid", str(error).replace("redis.url", "redis_url")) from None
        self._producer = Producer(self._clients, prefix)
        self._feed = Feed(self._clients, Keys(prefix))
        self._stream = stream
        self._accounts = tuple(accounts)
        self._patience = patience

    async def close(self) -> None:
        """Close every connection."""
        await self._clients.close()

    async def send(self, job: dict[str, Any]) -> Submitted:
        """Push one job; it has a key, so pushing it again is safe when Redis' answer was lost."""
        (outcome,) = await self.batch([job])
        if isinstance(outcome, Submitted):
            return outcome
        raise outcome

    async def batch(self, jobs: Sequence[dict[str, Any]]) -> list[Submitted | Refused | Unavailable]:
        """Push jobs in their order; what is none is refused here, and told in its place."""
        outcomes: list[Submitted | Refused | Unavailable | None] = [_refusal(job) for job in jobs]
        good = [place for place, refusal in enumerate(outcomes) if refusal is None]
        for start in range(0, len(good), _SOME):
            some = good[start : start + _SOME]
            written = [json.dumps(jobs[place]) for place in some]
            try:
                entries = await self._repeated(partial(self._producer.add, *written, stream=self._stream))
            except Unavailable as error:
                outcomes = [error if outcome is None else outcome for outcome in outcomes]  # none of the rest either
                break
            for place, entry in zip(some, entries, strict=True):
                outcomes[place] = Submitted(key=jobs[place]["key"], entry=entry)
        return [outcome for outcome in outcomes if outcome is not None]

    async def receipt(self, handle: str, account: str | None, wait_s: float, entry: str | None = None) -> Receipt:
        """Return the last receipt in the stream of a job id or `key:…`, once it is final or WAIT_S is over."""
        ends_at = time.monotonic() + wait_s
        accounts = self._read(account)
        after = {name: await self._last(name) for name in accounts}
        found = await self._find(handle, accounts)
        # It was refused after it came, so what says it was not told before.
        looked = f"{entry.partition('-')[0]}-0" if entry is not None else ""
        while True:
            if found is not None and found.state in FINAL_STATES:
                return found
            if found is None and entry is not None:
                looked = await self._refused(entry, looked)
            left = ends_at - time.monotonic()
            if left <= 0:
                break
            for told in await self._next(after, min(_LOOK_MS, round(left * 1000) + 1)):
                after[told.account] = told.entry
                found = _receipt(told, handle) or found
        if found is None:
            raise NotFound(
                "receipt_unknown",
                f"the receipts of {', '.join(accounts)} have nothing on {handle}: it waits or is on its way, or it "
                "changed so long ago that its receipt was dropped (results.stream); GET /v1/jobs/… knows more",
            )
        return found

    async def receipts(self, account: str | None, since: Moment | None) -> AsyncIterator[Receipt]:
        """Yield what the receipts streams tell, from the id or time SINCE on, else from now on."""
        after = {
            name: _position(since) if since is not None else await self._last(name) for name in self._read(account)
        }
        patience = Patience(self._patience)
        while True:
            try:
                entries = await self._next(after, _QUIET_MS, once=True)
            except Unavailable as error:
                await patience.wait(error)
                continue
            patience = Patience(self._patience)
            for told in entries:
                after[told.account] = told.entry
                if (receipt := _receipt(told)) is not None:
                    yield receipt

    def _read(self, account: str | None) -> tuple[str, ...]:
        return self._accounts if account is None else (account,)

    async def _find(self, handle: str, accounts: Sequence[str]) -> Receipt | None:
        """Look through the streams from their ends for what was told last of a job."""
        for account in accounts:
            before = "+"
            while entries := await self._repeated(partial(self._feed.earlier, account, before, _SOME)):
                for told in entries:
                    if (receipt := _receipt(told, handle)) is not None:
                        return receipt
                before = entries[-1].entry
        return None

    async def _last(self, account: str) -> str:
        return await self._repeated(lambda: self._feed.last(account))

    async def _next(self, after: dict[str, str], wait_ms: int, *, once: bool = False) -> list[Told]:
        async def read() -> list[Told]:
            with _told():
                return await self._feed.next(after, _SOME, wait_ms)

        return await (read() if once else repeated(read, self._patience))

    async def _refused(self, entry: str, after: str) -> str:
        """Raise how ENTRY was refused, if what was told after AFTER says so; return where to go on looking."""
        while refusals := await self._repeated(partial(self._producer.refusals, after, _FEW)):
            for _, refusal in refusals:
                if refusal.get("entry") == entry:
                    raise Refused(refusal.get("code", "refused"), refusal.get("detail", "the gateway refused it"))
            after = refusals[-1][0]
        return after

    async def _repeated(self, call: Callable[[], Awaitable[Result]]) -> Result:
        async def once() -> Result:
            with _told():
                return await call()

        return await repeated(once, self._patience)


@contextmanager
def _told() -> Iterator[None]:
    """Turn the store's error into the client's."""
    try:
        yield
    except StoreUnavailable as error:
        code = "store_refuses" if isinstance(error, StoreRefuses) else "unreachable"
        raise Unavailable(code, str(error)) from error


def _refusal(job: dict[str, Any]) -> Refused | None:
    """Return why the gateway would refuse a job for its form; it would say so only in `gw:invalid`."""
    try:
        parse_job(job)
    except Refused as refusal:
        return refusal
    return None


def _receipt(told: Told, handle: str | None = None) -> Receipt | None:
    """Return the receipt in an entry, if it is one, and of the job that is asked for."""
    try:
        receipt = Receipt.model_validate_json(told.receipt, extra="ignore")
    except ValidationError:  # anybody may write to a public stream
        return None
    if handle is None or handle in {receipt.id, f"key:{receipt.key}"}:
        return receipt
    return None


def _position(since: Moment) -> str:
    """Return the entry id after which SINCE begins: an id is taken as it is, of a time all its entries come."""
    if isinstance(since, str) and since.replace("-", "", 1).isdecimal():
        return since
    milliseconds = parse_instant(rfc3339(moment(since, "since")))
    return f"{max(milliseconds - 1, 0)}-{2**64 - 1}"
