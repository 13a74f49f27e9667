"""`POST /v1/jobs`: a job by HTTP."""

from aiohttp import web

from gateway.intake.admission import Admission, check_reach
from gateway.model.errors import Refused
from gateway.web import KEY, only_header


class JobsIntake:
    """Takes jobs over HTTP."""

    def __init__(self, admission: Admission) -> None:
        """Admit through the one door."""
        self._admission = admission

    async def post(self, request: web.Request) -> web.Response:
        """Take one job: 202 `{id, state, duplicate}` once it is durable, or a problem naming every wrong field."""
        if request.content_type != "application/json":
            raise Refused("content_type", f"send the job as application/json, not {request.content_type}")
        key = only_header(request, "Idempotency-Key")
        submission = await self._admission.prepare(await request.read(), key=key)
        check_reach(request.get(KEY), submission)
        admitted = await self._admission.admit_one(submission)
        state = await self._admission.state(admitted)
        return web.json_response(
            {"id": admitted.id, "state": state, "duplicate": admitted.outcome == "duplicate"},
            status=202,
            headers={"Location": f"/v1/jobs/{admitted.id}"},
        )
