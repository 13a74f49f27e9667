"""`POST /v1/jobs`: a job by HTTP."""

from aiohttp import web

from gateway.intake.admission import Admission, key_reused
from gateway.model.errors import Refused
from gateway.web import KEY, may_use, problem


class JobsIntake:
    """Takes jobs over HTTP."""

    def __init__(self, admission: Admission) -> None:
        """Admit through the one door."""
        self._admission = admission

    async def post(self, request: web.Request) -> web.Response:
        """Take one job: 202 `{id, state, duplicate}` once it is durable, or a problem naming every wrong field."""
        if request.content_type != "application/json":
            raise Refused("content_type", f"send the job as application/json, not {request.content_type}")
        submission = self._admission.prepare(await request.read(), key=request.headers.get("Idempotency-Key"))
        if not may_use(request.get(KEY), submission.target):
            return problem(403, "forbidden", f"the key {request['key'].name!r} may not send to {submission.target}")
        admitted = (await self._admission.admit([submission]))[0]
        if admitted.outcome == "full":
            return problem(
                503,
                "queue_full",
                f"account {submission.account!r} has intake.max_queued jobs waiting; try again later",
                headers={"Retry-After": "5"},
            )
        if admitted.outcome == "conflict":
            raise key_reused(submission.key)
        duplicate = admitted.outcome == "duplicate"
        return web.json_response(
            {"id": admitted.id, "state": "queued", "duplicate": duplicate},
            status=202,
            headers={"Location": f"/v1/jobs/{admitted.id}"},
        )
