"""`POST /v1/jobs`: a job by HTTP."""

from aiohttp import web

from gateway.intake.admission import Admission, Admitted, out_of_reach
from gateway.model.errors import Refused
from gateway.model.receipt import Receipt
from gateway.store.scripts import Scripts
from gateway.web import KEY, may_use, only_header


class JobsIntake:
    """Takes jobs over HTTP."""

    def __init__(self, admission: Admission, scripts: Scripts) -> None:
        """Admit through the one door."""
        self._admission = admission
        self._scripts = scripts

    async def post(self, request: web.Request) -> web.Response:
        """Take one job: 202 `{id, state, duplicate}` once it is durable, or a problem naming every wrong field."""
        if request.content_type != "application/json":
            raise Refused("content_type", f"send the job as application/json, not {request.content_type}")
        key = only_header(request, "Idempotency-Key")
        submission = await self._admission.prepare(await request.read(), key=key)
        if not may_use(request.get(KEY), submission.target):
            raise out_of_reach(submission.target)
        admitted = await self._admission.admit_one(submission)
        duplicate = admitted.outcome == "duplicate"
        return web.json_response(
            {
                "id": admitted.id,
                "state": await self.state(admitted) if duplicate else "queued",
                "duplicate": duplicate,
            },
            status=202,
            headers={"Location": f"/v1/jobs/{admitted.id}"},
        )

    async def state(self, admitted: Admitted) -> str:
        """Return how far the first job of a duplicate has come."""
        account, _, job_id = admitted.id.partition(".")
        document = await self._scripts.read(account, job_id=job_id)
        return Receipt.model_validate_json(document).state if document else "queued"
