"""`POST /hooks/{name}`: other people's events become messages; verified, told well, not doubled, not flooding."""

import asyncio
import json
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from aiohttp import web

from gateway.clock import Clock
from gateway.intake.admission import Admission, queue_full
from gateway.intake.hooks.delivery import Delivery, Payload
from gateway.intake.hooks.hook import Hook, Reading
from gateway.model.errors import Refused
from gateway.model.window import Window
from gateway.settings import Hook as HookSettings
from gateway.store.sources import InvalidEntry, Sources
from gateway.store.values import Submission
from gateway.telemetry import Event, Log
from gateway.web import Guard, problem

_STATUS = {"json_invalid": 400, "path_unknown": 404, "content_type": 415}


class Hooks:
    """Serves every configured hook. `tallies` counts by hook what was taken and what was refused, by reason."""

    def __init__(
        self, settings: Sequence[HookSettings], admission: Admission, sources: Sources, guard: Guard, clock: Clock
    ) -> None:
        """Admit through the one door; what a genuine sender sent and cannot be told goes to the refused entries."""
        self._hooks = compiled(settings)
        self._windows = {one.name: [Window(rate) for rate in one.limits] for one in settings}
        self._admission = admission
        self._sources = sources
        self._guard = guard
        self._clock = clock
        self._log = Log()
        self.tallies: Mapping[str, Counter[str]] = {name: Counter() for name in self._hooks}

    def routes(self) -> list[web.RouteDef]:
        """Return the paths served: of each hook its own, and what its product puts behind it."""
        return [web.route("*", path, self.serve) for path in ("/hooks/{name}", r"/hooks/{name}/{path:[\s\S]*}")]

    async def serve(self, request: web.Request) -> web.Response:
        """Take one delivery: 202 with the jobs it became, 200 when there is nothing to say, or why it is refused."""
        hook = self._hooks.get(request.match_info["name"])
        if hook is None:
            return problem(404, "hook_unknown", "there is no such hook; see `hooks` in the settings")
        if request.method not in hook.preset.methods:
            allowed = ", ".join(hook.preset.methods)
            return problem(405, "method_not_allowed", f"this hook takes {allowed}", headers={"Allow": allowed})
        try:
            return await self._taken(hook, request)
        except Refused as refusal:
            self._refuse(hook, refusal.code)
            return problem(_STATUS.get(refusal.code, 422), refusal.code, refusal.detail, refusal.errors)

    async def _taken(self, hook: Hook, request: web.Request) -> web.Response:
        delivery = await _delivery(request)
        # Only who proves itself learns what is wrong with what it sends, except that it cannot be read at all.
        payload = await asyncio.to_thread(hook.payload, delivery)
        now = self._clock.epoch_ms() / 1000
        if (reason := hook.refusal(delivery, payload, now)) is not None:
            self._refuse(hook, "signature_invalid")
            headers = {"WWW-Authenticate": "Basic"} if hook.proof.kind == "basic" else None
            return problem(401, "signature_invalid", reason, headers=headers)
        if (refused := self._turned_away(hook, request)) is not None:
            return refused
        try:
            reading = await asyncio.to_thread(hook.read, delivery, payload, now)
            submissions = await self._prepared(reading)
        except Refused as refusal:
            await self._keep(hook, delivery, payload, now, refusal)
            raise
        return await self._admitted(hook, reading, submissions)

    def _turned_away(self, hook: Hook, request: web.Request) -> web.Response | None:
        """Count a delivery; return its refusal when we stop, or when it is one too many."""
        if (stopped := self._guard.turned_away(request, None)) is not None:
            return stopped
        now = self._clock.monotonic()
        windows = self._windows[hook.settings.name]
        full = [window for window in windows if not window.left(now)]
        if not full:
            for window in windows:
                window.take(now)
            return None
        self._refuse(hook, "rate_exceeded")
        seconds = max(1, *(math.ceil(window.frees_in(now)) for window in full))
        detail = f"more than hooks[].limits of {hook.settings.name!r}; the next in {seconds} s"
        return problem(429, "rate_exceeded", detail, headers={"Retry-After": str(seconds)})

    async def _prepared(self, reading: Reading) -> list[Submission]:
        return [await self._admission.prepare(json.dumps(job).encode("ascii")) for job in reading.jobs]

    async def _admitted(self, hook: Hook, reading: Reading, submissions: Sequence[Submission]) -> web.Response:
        admitted = await self._admission.admit(submissions)
        if any(one.outcome == "full" for one in admitted):
            self._refuse(hook, "queue_full")
            refusal = queue_full(next(one.account for one in submissions))
            return problem(503, refusal.code, refusal.detail, headers={"Retry-After": "5"})
        # The same delivery once more, with other words: the template was changed since. It was told.
        jobs = [
            {"id": one.id, "target": submission.target, "duplicate": one.outcome in {"duplicate", "conflict"}}
            for one, submission in zip(admitted, submissions, strict=True)
        ]
        self.tallies[hook.settings.name]["taken" if jobs else "pings" if reading.ping else "passed_over"] += 1
        self._log.info(
            Event.HOOK_TAKEN,
            hook=hook.settings.name,
            hook_event=reading.event,
            delivery=reading.delivery,
            jobs=[job["id"] for job in jobs],
        )
        answer = hook.preset.answered(reading.delivery, self._clock.epoch_ms() // 1000)
        if answer is not None:
            return web.json_response(answer)
        return web.json_response({"event": reading.event, "jobs": jobs}, status=202 if jobs else 200)

    async def _keep(self, hook: Hook, delivery: Delivery, payload: Payload, now: float, refusal: Refused) -> None:
        """Write down what a genuine sender sent and nobody was told, with the reason."""
        entry = InvalidEntry(
            f"hook:{hook.settings.name}",
            hook.delivery_id(delivery, payload, now),
            delivery.body or json.dumps(payload).encode(),
            refusal.code,
            str(refusal)[:4096],
        )
        await self._sources.refuse([entry])

    def _refuse(self, hook: Hook, code: str) -> None:
        tally = self.tallies[hook.settings.name]
        tally[code] += 1
        # Told when it begins and then at each power of two: strangers do not fill the log.
        if tally[code] & (tally[code] - 1) == 0:
            self._log.warning(Event.HOOK_REFUSED, hook=hook.settings.name, code=code, times=tally[code])


def compiled(settings: Iterable[HookSettings]) -> dict[str, Hook]:
    """Return every hook by its name, ready to be called; raises Refused with the setting that is wrong."""
    hooks = {}
    for place, one in enumerate(settings):
        try:
            hooks[one.name] = Hook(one)
        except Refused as refusal:
            where = f"hooks.{place}.{refusal.errors[0].loc}"
            raise Refused("hook_invalid", f"{where}: {refusal.detail}") from None
    return hooks


async def _delivery(request: web.Request) -> Delivery:
    query: dict[str, Any] = dict(request.query.items())
    headers = {name.lower(): text for name, text in request.headers.items()}
    path = "/".join(request.rel_url.raw_path.split("/")[3:])  # behind /hooks/<name>, as sent: %2F is no boundary
    return Delivery(request.method, path, query, headers, await request.read())
