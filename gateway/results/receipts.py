"""What became of a job: its receipt, by id or by idempotency key, at once or when the job has ended."""

import re
from typing import NamedTuple

from aiohttp import web

from gateway.model.duration import parse_duration
from gateway.model.errors import Fault, Refused
from gateway.model.identity import JobId, parse_job_id
from gateway.model.receipt import FINAL_STATES, Receipt
from gateway.results.named import named
from gateway.results.waiting import Endings
from gateway.store.scripts.readings import ReadingScripts
from gateway.web import KEY, may_use, problem

_LONGEST_WAIT = 60_000  # ms


class Known(NamedTuple):
    """A job that was found: its id, its receipt, and that as it is answered."""

    job: JobId
    receipt: Receipt
    document: bytes


class Receipts:
    """Reads receipts from the accounts' records."""

    def __init__(self, scripts: ReadingScripts, endings: Endings, accounts: list[str]) -> None:
        """Look into ACCOUNTS; the first is where a key is looked up when the caller names none."""
        self._scripts = scripts
        self._endings = endings
        self._accounts = accounts

    async def get(self, request: web.Request) -> web.Response:
        """Answer `GET /v1/jobs/{id}`; see `named` for what may be in its place.

        With `?wait=20s` the answer comes when the job has ended, or when that time is over, with the receipt as it is
        then.
        """
        wait_ms = _wait_of(request)
        known = await self.of(request)
        if known is None:
            return job_not_found()
        document = known.document
        if wait_ms and known.receipt.state not in FINAL_STATES:
            await self._endings.of(known.job, wait_ms / 1000)
            document = await self._scripts.read(*known.job) or document
        return web.Response(body=document, content_type="application/json")

    async def of(self, request: web.Request) -> Known | None:
        """Return what is known of the job in the path of REQUEST, if its key reaches such a job."""
        where = named(request, self._accounts)
        document = await self._scripts.read(*where) if where else None
        if document is None:
            return None
        receipt = Receipt.model_validate_json(document)
        job = parse_job_id(receipt.id)
        return Known(job, receipt, document) if job and may_use(request.get(KEY), receipt.target) else None


def job_not_found() -> web.Response:
    """Return the answer to who asks for a job that is not there, or not within reach."""
    return problem(404, "job_not_found", "there is no such job, or its record has been dropped (results.keep)")


def _wait_of(request: web.Request) -> int:
    """Return how many milliseconds the answer may wait; raises Refused when that is none, or too long."""
    text = request.query.get("wait", "0s")
    try:
        wait_ms = parse_duration(float(text) if re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,3})?", text) else text)
        if wait_ms <= _LONGEST_WAIT:
            return wait_ms
        reason = "wait at most 60s, and ask again"
    except ValueError as error:
        reason = str(error)
    raise Refused("query_invalid", "wait cannot be used", [Fault("query.wait", reason, "duration")])
