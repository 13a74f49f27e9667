"""What a person may do to lanes: park a target, pause an account, and let them go on."""

from typing import Annotated, Any, Self

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from gateway.convert import parse_document
from gateway.lanes.address import account_of, target_of, whole_account
from gateway.model.duration import Milliseconds
from gateway.model.errors import Fault, Refused
from gateway.model.instant import Instant, format_instant
from gateway.model.spelling import Text
from gateway.model.wording import faults_of
from gateway.settings import Settings
from gateway.store.bell import Bell
from gateway.store.scripts.wishes import WishScripts
from gateway.telemetry import Event, Log
from gateway.web import read_small

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
    """Serves the paths by which lanes are held and released."""

    def __init__(self, settings: Settings, scripts: WishScripts, bell: Bell) -> None:
        """Act through SCRIPTS; ring the BELL when something may go on."""
        self._settings = settings
        self._scripts = scripts
        self._bell = bell
        self._log = Log()

    async def park(self, request: web.Request) -> web.Response:
        """Answer `POST /v1/targets/{kind}/{id}/park`: nothing goes there until it is released or the time is over."""
        target = target_of(request)
        return await self._hold(request, account_of(request, target, self._settings), str(target))

    async def release(self, request: web.Request) -> web.Response:
        """Answer `POST /v1/targets/{kind}/{id}/release`: whatever held the target, it goes on at its rates."""
        target = target_of(request)
        return await self._release(account_of(request, target, self._settings), str(target))

    async def pause(self, request: web.Request) -> web.Response:
        """Answer `POST /v1/accounts/{name}/pause`: the account sends nothing; jobs are still accepted."""
        return await self._hold(request, whole_account(request, self._settings), "account")

    async def resume(self, request: web.Request) -> web.Response:
        """Answer `POST /v1/accounts/{name}/resume`."""
        return await self._release(whole_account(request, self._settings), "account")

    async def _hold(self, request: web.Request, account: str, name: str) -> web.Response:
        wish = _wish(await read_small(request))
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


def _wish(body: bytes) -> Hold:
    try:
        return Hold.model_validate(parse_document(body) if body.strip() else {})
    except ValidationError as error:
        faults = faults_of(error, whole="hold")
        raise Refused("hold_invalid", "this is no hold: give reason, and for or until", faults) from None
