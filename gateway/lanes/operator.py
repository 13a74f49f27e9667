"""What a person may do to lanes: cancel a job, park a target, pause an account, and let them go on."""

import json
from typing import Annotated, Any, Self

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from gateway.lanes.policy import account_for
from gateway.model.duration import Milliseconds
from gateway.model.errors import Fault, Refused
from gateway.model.identity import JobId, parse_job_id
from gateway.model.instant import Instant, format_instant
from gateway.model.receipt import Receipt
from gateway.model.spelling import Text
from gateway.model.target import Target, parse_target
from gateway.model.wording import reason as reason_of
from gateway.settings import Settings
from gateway.store.bell import Bell
from gateway.store.scripts import Scripts
from gateway.store.values import TickPolicy
from gateway.telemetry import Event, Log
from gateway.web import KEY, may_use, problem

_GIVEN: dict[str, Any] = {"not": {"type": "null"}}
_BOTH_ENDS: dict[str, Any] = {"required": ["for", "until"], "properties": {"for": _GIVEN, "until": _GIVEN}}
"""What `_one_end` refuses, for clients that validate before they send."""


class Hold(BaseModel):
    """How long something is held, and why: `for` a duration, `until` a time, or neither: until it is released."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, json_schema_extra={"not": _BOTH_ENDS})

    reason: Annotated[Text, Field(min_length=1, max_length=200)] = "operator"
    for_: Annotated[Milliseconds | None, Field(alias="for")] = None
    until: Instant | None = None

    @model_validator(mode="after")
    def _one_end(self) -> Self:
        if self.for_ is not None and self.until is not None:
            raise ValueError("give for (a duration) or until (a time), not both")
        return self


class Operator:
    """Serves the paths by which lanes are held and released, and jobs cancelled."""

    def __init__(self, settings: Settings, policies: dict[str, TickPolicy], scripts: Scripts, bell: Bell) -> None:
        """Act through SCRIPTS; ring the BELL when something may go on."""
        self._settings = settings
        self._policies = policies
        self._scripts = scripts
        self._bell = bell
        self._log = Log()

    async def cancel(self, request: web.Request) -> web.Response:
        """Answer `DELETE /v1/jobs/{id}`: the receipt of the cancelled job, or 409 when something may have been sent."""
        job = parse_job_id(request.match_info["id"])
        receipt = await self._receipt(job) if job and job.account in self._policies else None
        if job is None or receipt is None or not may_use(request.get(KEY), receipt.target):
            return problem(404, "job_not_found", "there is no such job, or its record has been dropped (results.keep)")
        cancelled = await self._scripts.cancel(job.account, self._policies[job.account], job.token)
        if cancelled is None or not cancelled.done:
            state = cancelled.state if cancelled else receipt.state
            return problem(409, "too_late", f"the job is {state}: something of it may have been sent, or it has ended")
        for ended in cancelled.ended:
            self._log.info(
                Event.JOB_ENDED, job=str(job), target=ended.target, state=ended.state, code=ended.code or None
            )
        await self._bell.ring([job.account])
        document = await self._scripts.read(job.account, job_id=job.token)
        return web.Response(body=document, content_type="application/json")

    async def park(self, request: web.Request) -> web.Response:
        """Answer `POST /v1/targets/{kind}/{id}/park`: nothing goes there until it is released or the time is over."""
        target = _target(request)
        return await self._hold(request, self._account_of(request, target), str(target))

    async def release(self, request: web.Request) -> web.Response:
        """Answer `POST /v1/targets/{kind}/{id}/release`: whatever held the target, it goes on at its rates."""
        target = _target(request)
        return await self._release(self._account_of(request, target), str(target))

    async def pause(self, request: web.Request) -> web.Response:
        """Answer `POST /v1/accounts/{name}/pause`: the account sends nothing; jobs are still accepted."""
        return await self._hold(request, self._known(request.match_info["name"]), "account")

    async def resume(self, request: web.Request) -> web.Response:
        """Answer `POST /v1/accounts/{name}/resume`."""
        return await self._release(self._known(request.match_info["name"]), "account")

    async def _hold(self, request: web.Request, account: str, name: str) -> web.Response:
        wish = _wish(await request.read())
        ends = await self._scripts.hold(
            account, name, wish.reason, operator=True, milliseconds=wish.for_, until=wish.until
        )
        if ends is None:
            fault = Fault("until" if wish.until is not None else "for", "name a later time", "past")
            raise Refused("hold_invalid", "the hold would be over at once", [fault])
        self._log.info(Event.LANE_HELD, account=account, name=name, reason=wish.reason, until=format_instant(ends))
        return web.json_response(
            {"account": account, "held": name, "reason": wish.reason, "until": format_instant(ends)}
        )

    async def _release(self, account: str, name: str) -> web.Response:
        changed = await self._scripts.release(account, name, operator=True)
        if changed:
            self._log.info(Event.LANE_RELEASED, account=account, name=name)
        await self._bell.ring([account])
        return web.json_response({"account": account, "released": name, "was_held": changed})

    async def _receipt(self, job: JobId) -> Receipt | None:
        document = await self._scripts.read(job.account, job_id=job.token)
        return Receipt.model_validate_json(document) if document else None

    def _account_of(self, request: web.Request, target: Target) -> str:
        """Return the account that is asked for, else the one that serves TARGET."""
        name = request.query.get("account")
        return self._known(name) if name is not None else account_for(target, self._settings).name

    def _known(self, name: str) -> str:
        if name not in self._policies:
            raise Refused("account_unknown", f"no account is named {name[:40]!r}; known: {', '.join(self._policies)}")
        return name


def _target(request: web.Request) -> Target:
    """Return the target in the path of REQUEST, if its key reaches it."""
    target = parse_target(f"{request.match_info['kind']}:{request.match_info['id']}")
    if not may_use(request.get(KEY), str(target)):
        raise Refused("target_forbidden", f"this key does not reach {target}; see auth.keys[].targets")
    return target


def _wish(body: bytes) -> Hold:
    try:
        return Hold.model_validate(json.loads(body) if body.strip() else {})
    except ValidationError as error:
        faults = [
            Fault(".".join(map(str, found["loc"])) or "hold", reason_of(found), found["type"])
            for found in error.errors(include_url=False)
        ]
        raise Refused("hold_invalid", "this is no hold: give reason, and for or until", faults) from None
    except ValueError:
        raise Refused("json_invalid", 'the body is no JSON; give {"reason": "…", "for": "10m"}, or nothing') from None
