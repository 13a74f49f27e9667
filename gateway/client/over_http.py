"""A gateway by its HTTP API."""

import asyncio
import json
import sys
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import quote

from gateway.client.answers import Page, Replayed, Replays, Submitted, understood
from gateway.client.changes import Changes
from gateway.client.errors import Conflict, NotUnderstood, Unavailable, item_error
from gateway.client.http import Answer, Http
from gateway.client.patience import Patience, repeated
from gateway.client.writing import Moment, moment, rfc3339
from gateway.model.errors import Refused
from gateway.model.receipt import FINAL_STATES, Receipt

_LONGEST_WAIT_S = 60.0
_LET_GO_S = 0.2  # before it is asked again, by who was let go early, as by a gateway that stops
_MOST_JOBS = 1_000
_MOST_BYTES = 4 << 20  # of a batch; gateways take 8 MiB unless told otherwise
_PAGE = 500
_TOLD = "unknown,delivered,rejected,dead,unconfirmed,expired,cancelled"
"""The states whose changes the receipts streams tell."""
_REST = 4.0  # a look at very many records takes seconds: so many times as long the gateway is left in peace
_CLOCKS_DIFFER = timedelta(seconds=60)

Query = Mapping[str, str | None]
Outcome = Submitted | Refused | Unavailable


class OverHttp:
    """What a gateway does over HTTP; each call is repeated for up to PATIENCE seconds while it is Unavailable."""

    def __init__(self, base_url: str, key: str | None, patience: float) -> None:
        """Prepare to call; nothing connects yet. Raises Refused for an address or a key that is none."""
        self._http = Http(base_url, key)
        self._patience = patience

    async def close(self) -> None:
        """Close every connection."""
        await self._http.close()

    async def send(self, job: dict[str, Any]) -> Submitted:
        """Submit one job, which has a key, and so may be submitted again when an answer was lost."""
        answer = await self._repeated("POST", "/v1/jobs", job)
        return _submitted(answer.document, job)

    async def batch(self, jobs: Sequence[dict[str, Any]]) -> list[Outcome]:
        """Submit jobs, each by itself; return what became of each, in their order."""
        outcomes: list[Outcome] = []
        for some in _bundles(jobs):
            outcomes += await self._bundle(some)
        return outcomes

    async def receipt(self, handle: str, account: str | None, wait_s: float) -> Receipt:
        """Return the receipt of a job id or `key:…`, once the job has ended or WAIT_S is over."""
        ends_at = time.monotonic() + wait_s
        while True:
            left = min(max(ends_at - time.monotonic(), 0.0), _LONGEST_WAIT_S)
            query = {"account": account, "wait": f"{round(left * 1000)}ms" if left else None}
            answer = await self._repeated("GET", f"/v1/jobs/{_escaped(handle)}", query=query, wait_s=left)
            receipt = understood(Receipt, answer.document)
            if receipt.state in FINAL_STATES or time.monotonic() >= ends_at:
                return receipt
            await asyncio.sleep(_LET_GO_S)

    async def receipts(self, account: str | None, since: Moment | None, every_s: float) -> AsyncIterator[Receipt]:
        """Yield jobs as they change, by listing what changed every EVERY_S seconds."""
        query: dict[str, str | None] = {"account": account, "state": _TOLD}
        changes = Changes(moment(since, "since") if since is not None else await self._now())
        told = since is not None
        while True:
            began = time.monotonic()
            try:
                async for page in self._pages({**query, "since": rfc3339(changes.since)}):
                    changes.page(page.items)
            except BaseException:
                changes.give_up()
                raise
            took = time.monotonic() - began
            for receipt in changes.end():
                if told:
                    yield receipt
            told = True
            await asyncio.sleep(max(every_s, took * _REST))

    async def jobs(self, query: Query, most: int | None) -> AsyncIterator[Receipt]:
        """Yield the jobs that QUERY asks for, newest first, page by page, and no more than MOST."""
        left = sys.maxsize if most is None else most
        if left <= 0:
            return
        async for page in self._pages({**query, "limit": str(min(left, _PAGE))}):
            for receipt in page.items[:left]:
                yield receipt
            left -= len(page.items)
            if left <= 0:
                return

    async def cancel(self, handle: str, account: str | None, *, recall: bool) -> Receipt:
        """Cancel a job, or take a delivered one back."""
        job = await self._id_of(handle, account)
        patience, uncertain = Patience(self._patience), False
        while True:
            try:
                query = {"recall": "true"} if recall else {}
                return understood(
                    Receipt, (await self._call("DELETE", f"/v1/jobs/{_escaped(job)}", query=query)).document
                )
            except Conflict:
                # The answer to the try before may have been lost, and it was that which cancelled the job.
                if not uncertain or (receipt := await self.receipt(job, None, 0.0)).state != "cancelled":
                    raise
                return receipt
            except Unavailable as error:
                if error.code == "recall_failed":
                    raise
                uncertain = uncertain or error.code == "unreachable"
                await patience.wait(error)

    async def replay(self, handle: str, account: str | None) -> Replayed:
        """Send an ended job again, as a new one; of a job replayed before return that new one."""
        job = await self._id_of(handle, account)
        document = (await self._repeated("POST", f"/v1/jobs/{_escaped(job)}/replay")).document
        return understood(Replayed, {"replay_of": job, **document} if isinstance(document, dict) else document)

    async def replay_many(self, wish: Mapping[str, Any]) -> Replays:
        """Replay the jobs that WISH names, up to 1,000, or only count them."""
        return understood(Replays, (await self._repeated("POST", "/v1/jobs/replay", dict(wish))).document)

    async def document(self, path: str, query: Query | None = None, also: tuple[int, ...] = ()) -> dict[str, Any]:
        """Return what a path tells, as it is."""
        return _object(path, (await self._repeated("GET", path, query=query, also=also)).document)

    async def reload(self) -> dict[str, Any]:
        """Have the settings applied, which may wait for the last calls of an account that left, and came back."""
        path = "/v1/reload"
        return _object(path, (await self._repeated("POST", path, wait_s=_LONGEST_WAIT_S)).document)

    async def _repeated(self, method: str, path: str, body: Any = None, **options: Any) -> Answer:
        return await repeated(lambda: self._call(method, path, body, **options), self._patience)

    async def _call(
        self, method: str, path: str, body: Any = None, *, query: Query | None = None, **options: Any
    ) -> Answer:
        given = {name: value for name, value in (query or {}).items() if value is not None}
        return await self._http.call(method, path, body, query=given, **options)

    async def _pages(self, query: Query) -> AsyncIterator[Page]:
        cursor: str | None = None
        while True:
            asked = {"limit": str(_PAGE), **query, "cursor": cursor}
            page = understood(Page, (await self._repeated("GET", "/v1/jobs", query=asked)).document)
            yield page
            if page.next_cursor is None:
                return
            if page.next_cursor == cursor:
                raise NotUnderstood("the list does not end: a page names itself as the next one")
            cursor = page.next_cursor

    async def _id_of(self, handle: str, account: str | None) -> str:
        return (await self.receipt(handle, account, 0.0)).id if handle.startswith("key:") else handle

    async def _now(self) -> datetime:
        """Return a time shortly before now, by the clock of the gateway, which is like that of its Redis."""
        date = (await self._repeated("GET", "/v1/jobs", query={"limit": "1"})).date
        try:
            return parsedate_to_datetime(date or "").astimezone(UTC) - _CLOCKS_DIFFER
        except ValueError:
            return datetime.now(UTC) - _CLOCKS_DIFFER

    async def _bundle(self, jobs: Sequence[dict[str, Any]]) -> list[Outcome]:
        outcomes: dict[int, Outcome] = {}
        left, patience = list(range(len(jobs))), Patience(self._patience)
        while left:
            try:
                told = await self._post([jobs[place] for place in left])
            except Unavailable as error:
                told = [error] * len(left)
            outcomes.update(zip(left, told, strict=True))
            later = [(place, outcome) for place in left if isinstance(outcome := outcomes[place], Unavailable)]
            left = [place for place, _ in later]
            if later:
                try:
                    await patience.wait(later[0][1])
                except Unavailable:
                    break
        return [outcomes[place] for place in range(len(jobs))]

    async def _post(self, jobs: Sequence[dict[str, Any]]) -> list[Outcome]:
        try:
            document = (await self._call("POST", "/v1/jobs/batch", {"jobs": jobs})).document
        except Refused as refusal:
            if refusal.code != "too_large":
                raise
            if len(jobs) == 1:
                return [refusal]
            half = len(jobs) // 2
            return [*await self._post(jobs[:half]), *await self._post(jobs[half:])]
        items = document.get("items") if isinstance(document, dict) else None
        if not isinstance(items, list) or len(items) != len(jobs) or not all(isinstance(item, dict) for item in items):
            raise NotUnderstood("a batch is answered with one item a job; is this the address of a gateway?")
        return [
            _submitted(item, job) if "id" in item else item_error(item) for item, job in zip(items, jobs, strict=True)
        ]


def _object(path: str, document: Any) -> dict[str, Any]:
    if not isinstance(document, dict):
        raise NotUnderstood(f"{path} answers no object; is this the address of a gateway?")
    return document


def _submitted(document: Any, job: Mapping[str, Any]) -> Submitted:
    return understood(Submitted, {**document, "key": job["key"]} if isinstance(document, dict) else document)


def _bundles(jobs: Sequence[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    """Yield JOBS in batches that a gateway takes, by their number and size."""
    bundle: list[dict[str, Any]] = []
    size = 0
    for job in jobs:
        length = len(json.dumps(job)) + 2
        if bundle and (len(bundle) >= _MOST_JOBS or size + length > _MOST_BYTES):
            yield bundle
            bundle, size = [], 0
        bundle.append(job)
        size += length
    if bundle:
        yield bundle


def _escaped(handle: str) -> str:
    return quote(handle, safe=":")
