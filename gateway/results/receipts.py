"""What became of a job: its receipt, by id or by idempotency key."""

from aiohttp import web

from gateway.model.identity import parse_job_id
from gateway.model.receipt import Receipt
from gateway.store.scripts import Scripts
from gateway.web import KEY, may_use, problem


class Receipts:
    """Reads receipts from the accounts' records."""

    def __init__(self, scripts: Scripts, accounts: list[str]) -> None:
        """Look into ACCOUNTS; the first is where a key is looked up when the caller names none."""
        self._scripts = scripts
        self._accounts = accounts

    async def get(self, request: web.Request) -> web.Response:
        """Answer `GET /v1/jobs/{id}`; `{id}` may be `key:<idempotency key>` with `?account=`."""
        name = request.match_info["id"]
        if name.startswith("key:"):
            document = await self.by_key(name.removeprefix("key:"), request.query.get("account"))
        else:
            document = await self.by_id(name)
        if document is None or not may_use(request.get(KEY), Receipt.model_validate_json(document).target):
            return problem(404, "job_not_found", "there is no such job, or its record has been dropped (results.keep)")
        return web.Response(body=document, content_type="application/json")

    async def by_id(self, public_id: str) -> bytes | None:
        """Return the receipt of a job id such as `main.0fJ…` as JSON; None when there is no such job."""
        job = parse_job_id(public_id)
        if job is None or job.account not in self._accounts:
            return None
        return await self._scripts.read(job.account, job_id=job.token)

    async def by_key(self, key: str, account: str | None) -> bytes | None:
        """Return the receipt of the job with this idempotency key in ACCOUNT (default: the first) as JSON."""
        account = account or self._accounts[0]
        return await self._scripts.read(account, key=key) if account in self._accounts else None
