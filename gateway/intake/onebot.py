"""The OneBot 11 drop-in: takes what NapCat's HTTP server takes, and answers as it does, once the job has ended."""

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from aiohttp import web

from gateway.intake import onebot_answer
from gateway.intake.admission import Admission, out_of_reach
from gateway.intake.onebot_answer import Envelope, envelope
from gateway.intake.onebot_request import Fields, job_of, read_form, read_json
from gateway.model.errors import Refused
from gateway.model.identity import JobId, parse_job_id
from gateway.model.receipt import Receipt
from gateway.settings import Key, Onebot
from gateway.web import KEY, Guard, check_query, may_use, only_header, status_of

Wait = Callable[[JobId, float], Awaitable[Receipt | None]]
"""Returns the receipt of a job once it has ended; None: it has not within so many seconds."""
Pass = Callable[[str | None, str, Fields, Any, Key | None], Awaitable[Envelope | None]]
"""Passes an action through to an account (None: the first); None: that action is not passed."""
TakeBack = Callable[[str | None, Fields, Any, Key | None], Awaitable[Envelope]]
"""Takes a message back that was sent from an account (None: from any)."""

_SENDS = ("send_msg", "send_group_msg", "send_private_msg")
_ACTION = r"{action:[._]?[A-Za-z0-9]+(?:_[A-Za-z0-9]+)+}"
"""Every action of OneBot and its implementations has an underscore; no path of the gateway's own has one."""
_ACCOUNT = "{account:[a-z0-9][a-z0-9_-]*}"
"""Which accounts there are the settings say; they may change while the paths may not."""
_FORM = "application/x-www-form-urlencoded"
_STATUSES = frozenset({400, 403, 413})  # of OneBot's HTTP: whatever else is refused was understood, and gets 200
_LARGE = 64 * 1024  # bytes of a body that is read in a thread
_OBJECT = re.compile(rb"\s*\{")


class _Answered(Exception):
    """The call is answered before it is done: who calls may not, or it cannot be read."""

    def __init__(self, status: int, words: str) -> None:
        self.status = status
        self.words = words


class OneBot:
    """Serves the actions of OneBot 11 over HTTP, for a client that only changed its URL.

    `/{action}` is sent by the account that routes say, `/{account}/{action}` by the one it names. HTTP statuses are
    OneBot's: 400 unreadable, 401 no token, 403 a wrong one, 404 unknown action, 406 unknown content type, else 200.
    """

    def __init__(
        self,
        settings: Onebot,
        accounts: list[str],
        guard: Guard,
        admission: Admission,
        wait: Wait,
        pass_on: Pass,
        take_back: TakeBack,
    ) -> None:
        """Admit through the one door, wait for the end by WAIT, delete by TAKE_BACK; PASS_ON does all else."""
        self._wait_s = settings.wait / 1000
        self._accounts = accounts
        self._guard = guard
        self._admission = admission
        self._wait = wait
        self._pass_on = pass_on
        self._take_back = take_back

    def routes(self) -> list[web.RouteDef]:
        """Return the paths served; a path that begins as one of the gateway's own is never one of them."""
        paths = (f"/{_ACTION}{{slash:/?}}", f"/{_ACCOUNT}/{_ACTION}{{slash:/?}}")
        return [
            web.RouteDef(method, path, self.serve, {"allow_head": False} if method == "GET" else {})
            for path in paths
            for method in ("GET", "POST")
        ]

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """Answer one call."""
        action, account = request.match_info["action"], request.match_info.get("account")
        if account is not None and account not in self._accounts:
            raise web.HTTPNotFound
        fields: Fields = {}
        try:
            fields, key = await self._opened(request)
            if key is not None:
                request[KEY] = key
            if _plain(action) in _SENDS:
                if (refusal := self._guard.turned_away(request, key)) is not None:
                    return refusal
                return await self._send(request, action, account, fields, key)
            return await self._pass(request, action, account, fields, key)
        except _Answered as early:
            told = envelope("failed", early.status, None, early.words, fields.get("echo"))
            return web.json_response(told, status=early.status)
        except Refused as refusal:
            status = status_of(refusal)
            told = onebot_answer.refused(refusal, status if status in _STATUSES else 400, fields.get("echo"))
            return web.json_response(told, status=status if status in _STATUSES else 200)

    async def _send(
        self, request: web.Request, action: str, account: str | None, fields: Fields, key: Key | None
    ) -> web.Response:
        """Admit a message, and answer when it has ended: at once for `…_async` and for one that is scheduled."""
        echo = fields.get("echo")
        asked = (_plain(action), _without(fields, "echo", "access_token"), account)
        large = len(await request.read()) >= _LARGE
        raw = await asyncio.to_thread(job_of, *asked) if large else job_of(*asked)
        submission = await self._admission.prepare(raw, key=only_header(request, "Idempotency-Key"))
        if not may_use(key, submission.target):
            raise out_of_reach(submission.target)
        admitted = await self._admission.admit_one(submission)
        job = parse_job_id(admitted.id)
        scheduled = submission.delay is not None or submission.not_before is not None
        receipt = None
        if job is not None and not action.endswith("_async") and not scheduled:
            receipt = await self._wait(job, self._wait_s)
        told = onebot_answer.ended(receipt, admitted.id, echo)
        return web.json_response(told, headers={"Location": f"/v1/jobs/{admitted.id}"})

    async def _pass(
        self, request: web.Request, action: str, account: str | None, fields: Fields, key: Key | None
    ) -> web.StreamResponse:
        """Have any other action done by NapCat, if it may be."""
        echo = fields.get("echo")
        if _plain(action) == "delete_msg":
            if (refusal := self._guard.turned_away(request, key)) is not None:
                return refusal
            return web.json_response(await self._take_back(account, fields, echo, key))
        told = await self._pass_on(account, action, _without(fields, "echo", "access_token"), echo, key)
        if told is None:
            raise _Answered(404, f"{action[:60]} is not served here; see onebot.pass for what is passed to NapCat")
        return web.json_response(told)

    async def _opened(self, request: web.Request) -> tuple[Fields, Key | None]:
        """Return the fields of a call, those of the query over those of the body as at NapCat, and its key."""
        check_query(request)
        query: Fields = dict(request.query.items())
        if self._guard.from_elsewhere(request) is not None:
            raise _Answered(403, "a page of another site may not call; configure auth.keys and send one")
        given = query.get("access_token") or _header_token(request)
        key = self._key(given) if given else None
        stranger = key is None and not self._guard.is_open
        try:
            fields = {**await _body(request, stranger=stranger), **query}
        except (Refused, _Answered):
            if stranger:
                raise _Answered(401, "send a configured key: `Authorization: Bearer <key>`") from None
            raise
        if key is None and isinstance(given := fields.get("access_token"), str) and given:
            key = self._key(given)
        if key is None and not self._guard.is_open:
            raise _Answered(401, "send a configured key: `Authorization: Bearer <key>`, or access_token")
        return fields, key

    def _key(self, given: str) -> Key | None:
        if self._guard.is_open:
            return None
        key = self._guard.key_of(given)
        if key is None:
            raise _Answered(403, "this access token is none of auth.keys")
        if "send" not in key.scopes:
            raise _Answered(403, f"the key {key.name!r} has no scope 'send'; see auth.keys")
        return key


def _plain(action: str) -> str:
    """Return the action that this one is an alias of; all sends are paced, so `…_rate_limited` says nothing more."""
    return re.sub(r"_(async|rate_limited)$", "", action)


async def _body(request: web.Request, *, stranger: bool) -> Fields:
    """Return the fields in the body: JSON, also where no content type or curl's default one is given, or a form.

    The key of a STRANGER may be one of them, but a large body is not looked into to find that out.
    """
    raw = b"" if request.method == "GET" else await request.read()
    if stranger and len(raw) >= _LARGE:
        raise _Answered(401, "send a configured key: `Authorization: Bearer <key>`")
    if not raw.strip():
        return {}
    kind = request.content_type if "Content-Type" in request.headers else "application/json"
    if kind == _FORM and not _OBJECT.match(raw):
        return read_form(raw)
    if kind not in {_FORM, "application/json"}:
        raise _Answered(406, f"send application/json or a form ({_FORM}), not {kind[:60]}")
    return read_json(raw) if len(raw) < _LARGE else await asyncio.to_thread(read_json, raw)


def _header_token(request: web.Request) -> str:
    """Return the token in the header, which NapCat also takes without `Bearer`."""
    header = request.headers.get("Authorization", "").strip()
    scheme, _, rest = header.partition(" ")
    return rest.strip() if scheme.lower() == "bearer" else header


def _without(fields: Mapping[str, Any], *names: str) -> Fields:
    return {name: value for name, value in fields.items() if name not in names}
