"""What became of a job: its receipt, by id or by idempotency key, at once or when the job has ended."""

import re

from aiohttp import web

from gateway.model.duration import parse_duration
from gateway.model.errors import Fault, Refused
from gateway.model.identity import parse_job_id
from gateway.model.receipt import FINAL_STATES, Receipt
from gateway.results.waiting import Endings
from gateway.store.scripts import Scripts
from gateway.web import KEY, may_use, problem

_LONGEST_WAIT = 60_000  # ms


class Receipts:
    """Reads receipts from the accounts' records."""

    def __init__(self, scripts: Scripts, endings: Endings, accounts: list[str]) -> None:
        """Look into ACCOUNTS; the first is where a key is looked up when the caller names none."""
        self._scripts = scripts
        self._endings = endings
        self._accounts = accounts

    async def get(self, request: web.Request) -> web.Response:
        """Answer `GET /v1/jobs/{id}`; `{id}` may be `key:<idempotency key>` with `?account=`.

        An id names its account, so `?account=` may only repeat it.

        With `?wait=20s` the answer comes when the job has ended, or when that time is over, with the receipt as it is
        then.
        """
        wait_ms = _wait_of(request)
        found = await self.found(request)
        if found is None:
            return job_not_found()
        receipt, document = found
        job = parse_job_id(receipt.id)
        if wait_ms and job is not None and receipt.state not in FINAL_STATES:
            await self._endings.of(job, wait_ms / 1000)
            document = await self.by_id(receipt.id) or document
        return web.Response(body=document, content_type="application/json")

    async def found(self, request: web.Request) -> tuple[Receipt, bytes] | None:
        """Return the receipt, and its JSON, of the job in the path of REQUEST, if its key reaches such a job."""
        document = await self._find(request)
        receipt = Receipt.model_validate_json(document) if document else None
        return (receipt, document) if receipt and document and may_use(request.get(KEY), receipt.target) else None

    async def _find(self, request: web.Request) -> bytes | None:
        name, account = request.match_info["id"], request.query.get("account")
        if name.startswith("key:"):
            return await self.by_key(name.removeprefix("key:"), account)
        return await self.by_id(name) if account is None or name.startswith(f"{account}.") else None

    async def by_id(self, public_id: str) -> bytes | None:
        """Return the receipt of a job id such as `main.0fJ…` as JSON; None when there is no such job."""
        job = parse_job_id(public_id)
        if job is None or job.account not in self._accounts:
            return None
        return await self._scripts.read(job.account, job_id=job.token)

    async def by_key(self, key: str, account: str | None) -> bytes | None:
        """Return the receipt of the job with this idempotency key in ACCOUNT (default: the first) as JSON."""
        account = self._accounts[0] if account is None else account
        return await self._scripts.read(account, key=key) if account in self._accounts else None


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
