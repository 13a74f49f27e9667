"""Sending again what ended undelivered: one job, or all that are meant."""

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any

from aiohttp import web
from pydantic import ValidationError, field_validator

from gateway.clock import Clock
from gateway.convert import parse_document
from gateway.model.errors import Fault, Refused, StoreUnavailable
from gateway.model.identity import parse_job_id
from gateway.model.receipt import Receipt, State
from gateway.model.wording import place, reason
from gateway.results.receipts import Receipts, job_not_found
from gateway.results.search import UNDELIVERED, Filter, Hit, Search, States
from gateway.settings import Key, Settings
from gateway.store.bell import Bell
from gateway.store.scripts import Scripts
from gateway.store.values import Replayed
from gateway.telemetry import Event, Log
from gateway.web import KEY, problem

MOST = 1_000
"""Jobs replayed in one call."""
_AT_ONCE = 128  # replayed in one go: bounds the time Redis is held
_SAMPLE = 10
_PAGE = 500
_LONGEST = 5.0  # seconds a page may take to find

_REFUSED = {
    "not_ended": (409, "not_ended"),
    "nothing_left": (409, "nothing_left"),
    "gone": (410, "job_gone"),
    "full": (503, "queue_full"),
}
"""What a job is not replayed for, as it is told: HTTP status and code."""
_WHY = {
    "not_ended": "it has not ended; what is under way is not sent again",
    "nothing_left": "all of it was delivered; nothing is left to send",
    "gone": "its record has been dropped (results.keep), or there never was such a job; submit it anew",
    "full": "its account has intake.max_queued jobs waiting; try again later",
}


class Wish(Filter):
    """Which jobs are replayed: `state` says from which endings; with `dry_run` they are only counted."""

    state: States
    dry_run: bool = False

    @field_validator("state")
    @classmethod
    def _ended_undelivered(cls, states: tuple[State, ...]) -> tuple[State, ...]:
        if not states or not UNDELIVERED.issuperset(states):
            raise ValueError(f"name one or more of {', '.join(sorted(UNDELIVERED))}; nothing else is sent again")
        return states


class Replay:
    """Replays what ended undelivered: as new jobs that name the old ones, with the parts that are missing.

    A job is replayed once: asked again, its replay answers for it, unless that one ended undelivered, too; then that
    one is replayed. So a call whose answer was lost can be made again.
    """

    def __init__(
        self, settings: Settings, scripts: Scripts, receipts: Receipts, search: Search, bell: Bell, clock: Clock
    ) -> None:
        """Find one job by RECEIPTS, or many by SEARCH; ring the BELL when there is work."""
        self._settings = settings
        self._scripts = scripts
        self._receipts = receipts
        self._search = search
        self._bell = bell
        self._clock = clock
        self._log = Log()

    async def one(self, request: web.Request) -> web.Response:
        """Answer `POST /v1/jobs/{id}/replay`: 202 `{id, state, duplicate}`, 409 or 410 with the reason."""
        found = await self._receipts.found(request)
        if found is None and parse_job_id(request.match_info["id"]) is None:
            return job_not_found()
        if found is None:
            return problem(410, "job_gone", _WHY["gone"])
        job = parse_job_id(found[0].id)
        assert job is not None  # noqa: S101 - it comes from a record of ours
        (outcome,) = await self._replay(job.account, [job.token])
        if outcome.outcome in _REFUSED:
            status, code = _REFUSED[outcome.outcome]
            return problem(status, code, _WHY[outcome.outcome])
        public = f"{job.account}.{outcome.job_id}"
        duplicate = outcome.outcome == "duplicate"
        replay = await self._receipts.by_id(public) if duplicate else None
        state = Receipt.model_validate_json(replay).state if replay else "queued"
        told = {"id": public, "state": state, "duplicate": duplicate}
        return web.json_response(told, status=202, headers={"Location": f"/v1/jobs/{public}"})

    async def many(self, request: web.Request) -> web.Response:
        """Answer `POST /v1/jobs/replay`: with `dry_run` `{count, sample}`, else `{count, items}`, oldest first.

        One call replays up to 1,000; when `count`, of all that were meant, is more, it is called again.
        """
        wish = _wish(await request.read())
        hits = await self._meant(wish, request.get(KEY))
        if wish.dry_run:
            sample = b",".join(hit.found.receipt for hit in hits[:_SAMPLE])
            body = b'{"count":%d,"sample":[%b]}' % (len(hits), sample)
            return web.Response(body=body, content_type="application/json")
        items: list[dict[str, Any]] = []
        for account, jobs in _in_turn(hits[-MOST:][::-1]):
            items += [
                _item(account, job, told) for job, told in zip(jobs, await self._replay(account, jobs), strict=True)
            ]
        return web.json_response({"count": len(hits), "items": items})

    async def _meant(self, wish: Wish, key: Key | None) -> list[Hit]:
        """Return all that WISH means, newest end first."""
        wanted = wish.wanted(key, unreplayed=True)
        page = await self._search.page(wanted, wish.account, None, _PAGE, _LONGEST)
        hits = page.hits
        while page.after is not None:
            page = await self._search.page(wanted, wish.account, page.after, _PAGE, _LONGEST)
            hits += page.hits
        return hits

    async def _replay(self, account: str, jobs: Sequence[str]) -> list[Replayed]:
        pairs = [(job, self._clock.token()) for job in jobs]
        most, max_age = self._settings.intake.max_queued, self._settings.delivery.max_age
        try:
            outcomes = await self._scripts.replay(account, pairs, most, max_age)
        except StoreUnavailable:
            self._bell.wake([account])  # the answer may have been lost, and the jobs be there
            raise
        for (job, _), outcome in zip(pairs, outcomes, strict=True):
            if outcome.outcome == "replayed":
                self._log.info(Event.JOB_REPLAYED, job=f"{account}.{job}", replay=f"{account}.{outcome.job_id}")
        await self._bell.ring([account])
        return outcomes


def _in_turn(hits: Sequence[Hit]) -> Iterator[tuple[str, list[str]]]:
    """Return the jobs of HITS in their order, in batches of one account each."""
    for account, run in groupby(hits, key=lambda hit: hit.account):
        jobs = [hit.found.job_id for hit in run]
        for start in range(0, len(jobs), _AT_ONCE):
            yield account, jobs[start : start + _AT_ONCE]


def _item(account: str, job: str, told: Replayed) -> dict[str, Any]:
    item: dict[str, Any] = {"replay_of": f"{account}.{job}"}
    if told.outcome in _REFUSED:
        return item | {"code": _REFUSED[told.outcome][1], "detail": _WHY[told.outcome]}
    return {"id": f"{account}.{told.job_id}", **item}


def _wish(body: bytes) -> Wish:
    try:
        return Wish.model_validate(parse_document(body))
    except ValidationError as error:
        faults = [
            Fault(place(found["loc"]), reason(found), found["type"]) for found in error.errors(include_url=False)[:20]
        ]
        raise Refused("replay_invalid", "this says of no jobs to replay", faults) from None
