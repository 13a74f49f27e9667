"""`/session`: who looks at the dashboard, and what for."""

import math
from collections import OrderedDict
from ipaddress import ip_address, ip_network
from typing import Annotated, Any

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from gateway.clock import Clock
from gateway.model.errors import Refused
from gateway.model.instant import format_instant
from gateway.model.rate import parse_rate
from gateway.model.window import Window
from gateway.model.wording import faults_of
from gateway.settings import Key
from gateway.web import COOKIE, KEY, SESSION, Guard, Session, is_of_own_page, problem, read_small
from gateway.web.session import LASTS_S

_ALL = ["admin", "read", "send"]
_FAILURES = parse_rate("10/1m")  # sign-ins that one address may get wrong
_ADDRESSES = 1_000  # whose failures are remembered


class Wish(BaseModel):
    """What somebody signs in with."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    key: Annotated[str, Field(min_length=1, max_length=256)] = Field(description="an API key with the scope `read`")


class SignIn:
    """Lets a browser in by an API key, and out again; where no keys are configured everyone is in."""

    def __init__(self, guard: Guard, clock: Clock) -> None:
        """Know keys by GUARD, and begin sessions of them."""
        self._guard = guard
        self._clock = clock
        self._failures: OrderedDict[str, Window] = OrderedDict()

    async def get(self, request: web.Request) -> web.Response:
        """Answer who calls: `{open, scopes, targets, name?, ends_at?}`. It stands behind the guard's scope `read`."""
        key = request.get(KEY)
        if key is None:
            return web.json_response({"open": True, "scopes": _ALL, "targets": ["*"]})
        return web.json_response(_told(key, request.get(SESSION)))

    async def post(self, request: web.Request) -> web.Response:
        """Begin the session of the key in the body: 200 as `get`, and the cookie; 401 for a key that is none.

        Ten wrong ones a minute from one address, and it gets 429: in this process, each replica counts by itself.
        """
        wish = await self._asked(request)
        if isinstance(wish, web.Response):
            return wish
        if self._guard.is_open:
            return await self.get(request)
        key = self._guard.key_of(wish.key)
        refusal = self._limited(request, wrong=key is None)
        if refusal is not None:
            return refusal
        if key is None:
            return problem(401, "unauthorized", "this is no configured key", headers={"WWW-Authenticate": "Bearer"})
        if "read" not in key.scopes:
            return problem(403, "forbidden", f"the key {key.name!r} has no scope 'read'; see auth.keys")
        token, session = self._guard.sessions.begin(key)
        response = web.json_response(_told(key, session))
        response.set_cookie(
            COOKIE, token, max_age=LASTS_S, path="/", httponly=True, samesite="Strict", secure=_is_secure(request)
        )
        return response

    async def delete(self, request: web.Request) -> web.Response:
        """End the session in this browser: 204, also when there was none."""
        if (stranger := self._guard.from_elsewhere(request)) is not None:
            return stranger
        response = web.Response(status=204)
        response.del_cookie(COOKIE, path="/", httponly=True, samesite="Strict", secure=_is_secure(request))
        return response

    async def _asked(self, request: web.Request) -> Wish | web.Response:
        """Return what REQUEST asks for; or its refusal, where a page of another site had it sent."""
        if (stranger := self._guard.from_elsewhere(request)) is not None:
            return stranger
        if ("Origin" in request.headers or "Sec-Fetch-Site" in request.headers) and not is_of_own_page(request):
            return problem(403, "foreign", "only the page of this gateway may sign in here")
        if request.content_type != "application/json":
            raise Refused("content_type", f"send the key as application/json, not {request.content_type}")
        return _wish(await read_small(request))

    def _limited(self, request: web.Request, *, wrong: bool) -> web.Response | None:
        """Return the refusal of a sign-in after too many WRONG ones; a right one is then no more welcome."""
        failures, now = self._failures_of(request.remote or ""), self._clock.monotonic()
        if failures.left(now) and (not wrong or failures.take(now)):
            return None
        seconds = max(1, math.ceil(failures.frees_in(now)))
        detail = f"too many wrong keys from this address; the next try in {seconds} s"
        return problem(429, "sign_in_limited", detail, headers={"Retry-After": str(seconds)})

    def _failures_of(self, address: str) -> Window:
        """Return what ADDRESS got wrong; an IPv6 network counts as one, and who was not heard of longest is dropped."""
        try:
            parsed = ip_address(address)
            whose = str(ip_network((parsed, 64), strict=False)) if parsed.version == 6 else address
        except ValueError:  # a socket in the file system
            whose = address
        window = self._failures.setdefault(whose, Window(_FAILURES))
        self._failures.move_to_end(whose)
        if len(self._failures) > _ADDRESSES:
            self._failures.popitem(last=False)
        return window


def _told(key: Key, session: Session | None) -> dict[str, Any]:
    told = {"open": False, "name": key.name, "scopes": sorted(key.scopes), "targets": list(key.targets)}
    return told | ({"ends_at": format_instant(session.ends_at)} if session else {})


def _is_secure(request: web.Request) -> bool:
    """Return whether the browser came by https, here or to a proxy before us; who lies harms only his own cookie."""
    forwarded = request.headers.get("X-Forwarded-Proto", "").partition(",")[0].strip().lower()
    return request.secure or forwarded == "https"


def _wish(body: bytes) -> Wish:
    try:
        return Wish.model_validate_json(body)
    except ValidationError as error:
        if any(found["type"] == "json_invalid" for found in error.errors(include_url=False, include_input=False)):
            raise Refused("json_invalid", 'the body is no JSON; give {"key": "gw_…"}') from None
        raise Refused("session_invalid", "this is no sign-in: give key", faults_of(error)) from None
