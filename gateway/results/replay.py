"""Sending again what ended undelivered: one job, or all that are meant."""

from collections.abc import Iterator, Sequence
from itertools import groupby, takewhile
from typing import Any

from aiohttp import web
from pydantic import ValidationError, field_validator

from gateway.clock import Clock
from gateway.convert import parse_document
from gateway.model.errors import Refused, StoreUnavailable
from gateway.model.identity import parse_job_id
from gateway.model.receipt import UNDELIVERED, Receipt, State
from gateway.model.wording import faults_of
from gateway.results.receipts import Receipts, job_not_found
from gateway.results.search import Filter, Search, States
from gateway.settings import Settings
from gateway.store.bell import Bell
from gateway.store.pressure import Pressure
from gateway.store.scripts import Scripts
from gateway.store.scripts.wishes import Replayed
from gateway.telemetry import Event, Log
from gateway.web import KEY, problem, read_small

MOST = 1_000
"""Jobs replayed in one call."""
_AT_ONCE = 128  # replayed in one go: bounds the time Redis is held
_SAMPLE = 10

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
    "gone": "no record is left of it, or of its replay (results.keep), or there never was such a job; submit it anew",
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
        self,
        settings: Settings,
        scripts: Scripts,
        receipts: Receipts,
        search: Search,
        pressure: Pressure,
        bell: Bell,
        clock: Clock,
    ) -> None:
        """Find one job by RECEIPTS, or many by SEARCH; replay while PRESSURE allows it, and ring the BELL."""
        self._settings = settings
        self._scripts = scripts
        self._receipts = receipts
        self._search = search
        self._pressure = pressure
        self._bell = bell
        self._clock = clock
        self._log = Log()

    async def one(self, request: web.Request) -> web.Response:
        """Answer `POST /v1/jobs/{id}/replay`: 202 `{id, state, duplicate}`, 409 or 410 with the reason."""
        known = await self._receipts.of(request)
        if known is None and parse_job_id(request.match_info["id"]) is None:
            return job_not_found()
        if known is None:
            return problem(410, "job_gone", _WHY["gone"])
        account = known.job.account
        (outcome,) = await self._replay(account, [known.job.token])
        if outcome.outcome in _REFUSED:
            status, code = _REFUSED[outcome.outcome]
            return problem(status, code, _WHY[outcome.outcome])
        public = f"{account}.{outcome.job_id}"
        duplicate = outcome.outcome == "duplicate"
        replay = await self._scripts.read(account, outcome.job_id) if duplicate else None
        state = Receipt.model_validate_json(replay).state if replay else "queued"
        told = {"id": public, "state": state, "duplicate": duplicate}
        return web.json_response(told, status=202, headers={"Location": f"/v1/jobs/{public}"})

    async def many(self, request: web.Request) -> web.Response:
        """Answer `POST /v1/jobs/replay`: with `dry_run` `{count, sample}`, else `{count, items, more}`, oldest first.

        One call replays up to 1,000, and says whether there are more: then it is called again.
        """
        wish = _wish(await read_small(request))
        jobs: list[tuple[str, str]] = []
        sample: list[bytes] = []
        count = 0
        async for hit in self._search.oldest(wish.wanted(request.get(KEY), unreplayed=True), wish.account):
            count += 1
            if wish.dry_run and count <= _SAMPLE:
                sample.append(hit.found.receipt)
            elif not wish.dry_run and count > MOST:
                break
            elif not wish.dry_run:
                jobs.append((hit.account, hit.found.job_id))
        if wish.dry_run:
            body = b'{"count":%d,"sample":[%b]}' % (count, b",".join(sample))
            return web.Response(body=body, content_type="application/json")
        items: list[dict[str, Any]] = []
        for account, some in _in_turn(jobs):
            told = await self._replay(account, some)
            items += [_item(account, job, one) for job, one in zip(some, told, strict=True)]
        return web.json_response({"count": len(items), "items": items, "more": count > MOST})

    async def _replay(self, account: str, jobs: Sequence[str]) -> list[Replayed]:
        pairs = [(job, self._clock.token()) for job in jobs]
        most, max_age = self._settings.intake.max_queued, self._settings.delivery.max_age
        outcomes: list[Replayed] = []
        try:
            while len(outcomes) < len(pairs):
                await self._pressure.check()
                told = await self._scripts.replay(account, pairs[len(outcomes) :], most, max_age)
                outcomes += takewhile(lambda one: one.outcome != "later", told)
        except StoreUnavailable:
            self._bell.wake([account])  # the answer may have been lost, and the jobs be there
            raise
        for (job, _), outcome in zip(pairs, outcomes, strict=True):
            if outcome.outcome == "replayed":
                self._log.info(Event.JOB_REPLAYED, job=f"{account}.{job}", replay=f"{account}.{outcome.job_id}")
        await self._bell.ring([account])
        return outcomes


def _in_turn(jobs: Sequence[tuple[str, str]]) -> Iterator[tuple[str, list[str]]]:
    """Yield JOBS (account, id) in their order, in batches of one account each."""
    for account, run in groupby(jobs, key=lambda job: job[0]):
        names = [name for _, name in run]
        for start in range(0, len(names), _AT_ONCE):
            yield account, names[start : start + _AT_ONCE]


def _item(account: str, job: str, told: Replayed) -> dict[str, Any]:
    item: dict[str, Any] = {"replay_of": f"{account}.{job}"}
    if told.outcome in _REFUSED:
        return item | {"code": _REFUSED[told.outcome][1], "detail": _WHY[told.outcome]}
    return {"id": f"{account}.{told.job_id}", **item}


def _wish(body: bytes) -> Wish:
    try:
        return Wish.model_validate(parse_document(body))
    except ValidationError as error:
        raise Refused("replay_invalid", "the filter cannot be used", faults_of(error)) from None
