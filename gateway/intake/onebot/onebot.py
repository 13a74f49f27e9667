"""The OneBot 11 drop-in: takes what NapCat's HTTP server takes, and answers as it does, once the job has ended."""

import asyncio
from collections.abc import Awaitable, Callable

from aiohttp import web

from gateway.intake.admission import Admission, check_reach
from gateway.intake.onebot.answer import Envelope, ended, envelope, refused
from gateway.intake.onebot.call import LARGE, Answered, Call, opened
from gateway.intake.onebot.reading import job_of
from gateway.model.errors import Refused
from gateway.model.identity import JobId, parse_job_id
from gateway.model.receipt import Receipt
from gateway.settings import Onebot
from gateway.web import KEY, Guard, only_header, status_of

Wait = Callable[[JobId, float], Awaitable[Receipt | None]]
"""Returns the receipt of a job once it has ended; None: it has not within so many seconds."""
Pass = Callable[[Call], Awaitable[Envelope | None]]
"""Passes an action through to an account, the first where the call names none; None: that action is not passed."""
TakeBack = Callable[[Call], Awaitable[Envelope]]
"""Takes a message back that was sent from an account, from any where the call names none."""

_SENDS = ("send_msg", "send_group_msg", "send_private_msg")
_TAKES_BACK = "delete_msg"
_ACTION = r"{action:[._]?[A-Za-z0-9]+(?:_[A-Za-z0-9]+)+}"
"""Every action of OneBot and its implementations has an underscore; no path of the gateway's own has one."""
_ACCOUNT = "{account:[a-z0-9][a-z0-9_-]*}"
"""Which accounts there are the settings say; they may change while the paths may not."""
_STATUSES = frozenset({400, 403, 413})  # of OneBot's HTTP: whatever else is refused was understood, and gets 200


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
        account = request.match_info.get("account")
        if account is not None and account not in self._accounts:
            raise web.HTTPNotFound
        call: Call | None = None
        try:
            call = await opened(request, self._guard)
            return await self._done(request, call)
        except Answered as early:
            told = envelope("failed", early.status, None, early.words, call and call.echo)
            return web.json_response(told, status=early.status)
        except Refused as refusal:
            status = status_of(refusal)
            told = refused(refusal, status if status in _STATUSES else 400, call and call.echo)
            return web.json_response(told, status=status if status in _STATUSES else 200)

    async def _done(self, request: web.Request, call: Call) -> web.StreamResponse:
        if call.key is not None:
            request[KEY] = call.key
        if call.name not in (*_SENDS, _TAKES_BACK):
            told = await self._pass_on(call)
            if told is None:
                words = f"{call.action[:60]} is not served here; see onebot.pass for what is passed to NapCat"
                raise Answered(404, words)
            return web.json_response(told)
        if (refusal := self._guard.turned_away(request, call.key)) is not None:
            return refusal
        if call.name == _TAKES_BACK:
            return web.json_response(await self._take_back(call))
        return await self._send(request, call)

    async def _send(self, request: web.Request, call: Call) -> web.Response:
        """Admit a message, and answer when it has ended: at once for `…_async` and for one that is scheduled."""
        asked = (call.name, call.params, call.account)
        large = len(await request.read()) >= LARGE
        raw = await asyncio.to_thread(job_of, *asked) if large else job_of(*asked)
        submission = await self._admission.prepare(raw, key=only_header(request, "Idempotency-Key"))
        check_reach(call.key, submission)
        admitted = await self._admission.admit_one(submission)
        job = parse_job_id(admitted.id)
        scheduled = submission.delay is not None or submission.not_before is not None
        receipt = None
        if job is not None and not call.action.endswith("_async") and not scheduled:
            receipt = await self._wait(job, self._wait_s)
        told = ended(receipt, admitted.id, call.echo)
        return web.json_response(told, headers={"Location": f"/v1/jobs/{admitted.id}"})
