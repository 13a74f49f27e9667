"""`POST /v1/jobs/batch`: many jobs in one call, each taken or refused by itself."""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from aiohttp import web

from gateway.convert import split_document
from gateway.intake.admission import Admission, Admitted, check_reach, why_not
from gateway.model.errors import Fault, NotReplicated, QueueFull, Refused, StoreUnavailable
from gateway.store.values import Submission
from gateway.web import KEY, NOT_REPLICATED, Guard, why_not_replicated

MOST_JOBS = 1_000
_AT_ONCE = 128  # put into their lanes in one go: bounds the time Redis is held
_LARGE = 64 * 1024  # bytes of a batch that is read in a thread

Item = dict[str, Any]


class BatchIntake:
    """Takes `{"jobs": [...]}`: what is wrong with one job is told in its place and keeps back no other."""

    def __init__(self, admission: Admission, guard: Guard) -> None:
        """Admit through the one door; GUARD knows how many a key may send."""
        self._admission = admission
        self._guard = guard

    async def post(self, request: web.Request) -> web.Response:
        """Answer 202 with one result a job, in their order: `{id, state, duplicate}` or `{code, detail, errors}`."""
        if request.content_type != "application/json":
            raise Refused("content_type", f"send the batch as application/json, not {request.content_type}")
        if "Idempotency-Key" in request.headers:
            raise Refused("batch_invalid", "an Idempotency-Key is for one job; give each job of a batch its own `key`")
        jobs = await _jobs(await request.read())
        items: list[Item | None] = [None] * len(jobs)
        submissions: dict[int, Submission] = {}
        for place, job in enumerate(jobs):
            try:
                submissions[place] = await self._prepare(request, job, first=place == 0)
            except Refused as refusal:
                items[place] = _refused(refusal)
            if place % 16 == 15:
                await asyncio.sleep(0)  # a thousand jobs take a tenth of a second; the lanes go on meanwhile
        for some in _in_turn(submissions):
            for place, item in zip(some, await self._admit([submissions[one] for one in some]), strict=True):
                items[place] = item
        return web.json_response({"items": items}, status=202)

    async def _prepare(self, request: web.Request, job: str, *, first: bool) -> Submission:
        """Return a job ready to be admitted; raises Refused. Each job counts by itself in the rate of the key."""
        key = request.get(KEY)
        if not first and (later := self._guard.too_many(key)) is not None:
            raise Refused(later.code, later.detail)
        submission = await self._admission.prepare(job.encode())
        check_reach(key, submission)
        return submission

    async def _admit(self, submissions: Sequence[Submission]) -> list[Item]:
        try:
            admitted = await self._admission.admit(submissions)
        except NotReplicated as error:
            return [_refusal(NOT_REPLICATED, why_not_replicated(error))] * len(submissions)
        except StoreUnavailable as error:
            return [_refusal("store_unavailable", f"{error}; send it again, with the same key")] * len(submissions)
        return [await self._told(*one) for one in zip(submissions, admitted, strict=True)]

    async def _told(self, submission: Submission, admitted: Admitted) -> Item:
        if (error := why_not(submission, admitted)) is not None:
            return _refusal(error.code, str(error)) if isinstance(error, QueueFull) else _refused(error)
        try:
            state = await self._admission.state(admitted)
        except StoreUnavailable:
            state = "queued"  # it is admitted, which is what counts
        return {"id": admitted.id, "state": state, "duplicate": admitted.outcome == "duplicate"}


def _in_turn(submissions: Mapping[int, Submission]) -> Iterator[list[int]]:
    """Yield the places of SUBMISSIONS in batches of one account each.

    When Redis is lost between two of them, what is told of each job is true of it.
    """
    by_account: dict[str, list[int]] = {}
    for place, submission in submissions.items():
        by_account.setdefault(submission.account, []).append(place)
    for places in by_account.values():
        for start in range(0, len(places), _AT_ONCE):
            yield places[start : start + _AT_ONCE]


async def _jobs(raw: bytes) -> list[str]:
    """Return the text of each job of a batch, still to be looked at; raises Refused when this is no batch."""
    large = len(raw) >= _LARGE
    document, jobs = await asyncio.to_thread(split_document, raw, "jobs") if large else split_document(raw, "jobs")
    faults = [
        Fault(name, "unknown field; a batch is {jobs: […]}", "unknown_field") for name in document.keys() - {"jobs"}
    ]
    if not jobs:
        faults.append(Fault("jobs", "give one list of jobs", "list"))
    elif len(jobs) > MOST_JOBS:
        faults.append(Fault("jobs", f"give at most {MOST_JOBS} jobs, and the rest in another batch", "too_long"))
    if faults:
        raise Refused("batch_invalid", "this is no batch of jobs", faults)
    return jobs


def _refused(refusal: Refused) -> Item:
    return _refusal(refusal.code, refusal.detail, refusal.errors)


def _refusal(code: str, detail: str, errors: Sequence[Fault] = ()) -> Item:
    told: Item = {"code": code, "detail": detail}
    return told | {"errors": [asdict(fault) for fault in errors]} if errors else told
