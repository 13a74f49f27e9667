"""`POST /hooks/{name}`: other people's events become messages; verified, told well, not doubled, not flooding."""

import asyncio
import json
import math
import time
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from aiohttp import web

from gateway.clock import Clock
from gateway.intake.admission import Admission, Admitted, why_not
from gateway.intake.hooks.delivery import Delivery, Payload
from gateway.intake.hooks.hook import Hook, Reading
from gateway.model.errors import QueueFull, Refused, SettingsInvalid, StoreUnavailable
from gateway.model.window import Window
from gateway.settings import Settings
from gateway.store.sources import InvalidEntry, Sources
from gateway.store.values import Submission
from gateway.telemetry import Event, Log
from gateway.web import Guard, problem

_SHORT = 64 * 1024  # bytes of a body that is looked into before it is known who sent it
_AT_ONCE = 2  # deliveries made into messages: they are work for threads that others need too


class Hooks:
    """Serves every configured hook.

    tallies   counts by hook what was taken and what was refused, by reason
    compiled  the hooks, by name
    windows   what each hook has used of its limits
    """

    def __init__(
        self,
        hooks: Mapping[str, Hook],
        admission: Admission,
        sources: Sources,
        guard: Guard,
        clock: Clock,
        before: "Hooks | None" = None,
    ) -> None:
        """Admit through the one door; what a genuine sender sent and cannot be told goes to the refused entries.

        What was counted BEFORE, by those these replace, counts on.
        """
        self.compiled = hooks
        known = {} if before is None else before.windows
        self.windows: dict[str, list[Window]] = {
            name: known[name]
            if name in known and hook.settings.limits == tuple(window.rate for window in known[name])
            else [Window(rate) for rate in hook.settings.limits]
            for name, hook in hooks.items()
        }
        self._admission = admission
        self._sources = sources
        self._guard = guard
        self._clock = clock
        self._turns = asyncio.Semaphore(_AT_ONCE)
        self._log = Log()
        self._counted: defaultdict[str, Counter[str]] = defaultdict(Counter) if before is None else before._counted
        self.tallies: Mapping[str, Counter[str]] = {name: self._counted[name] for name in hooks}

    def routes(self) -> list[web.RouteDef]:
        """Return the paths served: of each hook its own, and what its product puts behind it."""
        return [web.route("*", path, self.serve) for path in ("/hooks/{name}", r"/hooks/{name}/{path:[\s\S]*}")]

    async def serve(self, request: web.Request) -> web.Response:
        """Take one delivery: 202 with the jobs it became, 200 when there is nothing to say, or why it is refused."""
        hook = self.compiled.get(request.match_info["name"])
        if hook is None:
            return problem(404, "hook_unknown", "there is no such hook; see `hooks` in the settings")
        if request.method not in hook.preset.methods:
            allowed = ", ".join(hook.preset.methods)
            return problem(405, "method_not_allowed", f"this hook takes {allowed}", headers={"Allow": allowed})
        if hook.proof.kind == "none" and (stranger := self._guard.from_elsewhere(request)) is not None:
            return stranger
        try:
            return await self._taken(hook, request)
        except Refused as refusal:
            self._refuse(hook, refusal.code)
            raise
        except StoreUnavailable:
            self._refuse(hook, "store_unavailable")
            raise
        except web.HTTPException as error:
            self._refuse(hook, f"http_{error.status}")
            raise

    async def _taken(self, hook: Hook, request: web.Request) -> web.Response:
        delivery = await _delivery(request)
        now = self._clock.epoch_ms() / 1000
        if (reason := await self._refusal(hook, delivery, now)) is not None:
            self._refuse(hook, "signature_invalid")
            headers = {"WWW-Authenticate": "Basic"} if hook.proof.kind == "basic" else None
            return problem(401, "signature_invalid", reason, headers=headers)
        if (refused := self._turned_away(hook, request)) is not None:
            return refused
        async with self._turns:
            payload = await asyncio.to_thread(hook.payload, delivery)
            try:
                reading = await asyncio.to_thread(hook.read, delivery, payload, now)
                submissions, refusals = await self._prepared(reading)
                if refusals and not submissions:
                    raise refusals[0]
            except Refused as error:
                await self._keep(hook, delivery, payload, now, error)
                raise
        for refusal in refusals:  # what cannot be said to one is said to the others
            self._refuse(hook, refusal.code)
            await self._keep(hook, delivery, payload, now, refusal)
        admitted = await self._admission.admit(submissions)
        lost = [why for one in zip(submissions, admitted, strict=True) if (why := why_not(*one)) is not None]
        for why in lost:
            self._refuse(hook, why.code)
            await self._keep(hook, delivery, payload, now, why)
        answer = self._told(hook, reading, submissions, admitted)
        for why in lost:
            if isinstance(why, QueueFull):  # the sender may send it again: what was taken is not doubled
                raise why
        return answer

    async def _refusal(self, hook: Hook, delivery: Delivery, now: float) -> str | None:
        """Return why DELIVERY is not genuine. Nothing of it is looked into before that is known.

        Except for a short one whose product puts the secret into the body.
        """
        reason = hook.refusal(delivery, {}, now)
        if reason is None or hook.proof.kind != "path" or len(delivery.body) > _SHORT:
            return reason
        try:
            return hook.refusal(delivery, hook.payload(delivery), now)
        except Refused:
            return reason

    def _turned_away(self, hook: Hook, request: web.Request) -> web.Response | None:
        """Count a delivery; return its refusal when we stop, or when it is one too many."""
        if (stopped := self._guard.turned_away(request, None)) is not None:
            return stopped
        now = self._clock.monotonic()
        windows = self.windows[hook.settings.name]
        full = [window for window in windows if not window.left(now)]
        if not full:
            for window in windows:
                window.take(now)
            return None
        self._refuse(hook, "rate_exceeded")
        seconds = max(1, *(math.ceil(window.frees_in(now)) for window in full))
        detail = f"more than hooks[].limits of {hook.settings.name!r}; the next in {seconds} s"
        return problem(429, "rate_exceeded", detail, headers={"Retry-After": str(seconds)})

    async def _prepared(self, reading: Reading) -> tuple[list[Submission], list[Refused]]:
        """Return the jobs that can be admitted, and why the others cannot."""
        submissions, refusals = [], []
        for job in reading.jobs:
            try:
                submissions.append(await self._prepared_one(job))
            except Refused as refusal:
                refusals.append(refusal)
        return submissions, refusals

    async def _prepared_one(self, job: dict[str, Any]) -> Submission:
        """Return a job that can be admitted; where a picture cannot be sent, such as one inside, without pictures."""
        try:
            return await self._admission.prepare(json.dumps(job).encode("ascii"))
        except Refused:
            words = [segment for segment in job["message"] if segment.get("type") != "image"]
            if not words or len(words) == len(job["message"]):
                raise
            return await self._admission.prepare(json.dumps({**job, "message": words}).encode("ascii"))

    def _told(
        self, hook: Hook, reading: Reading, submissions: Sequence[Submission], admitted: Sequence[Admitted]
    ) -> web.Response:
        """Count and log what was taken, and return the answer to it."""
        jobs = [
            {"id": one.id, "target": submission.target, "duplicate": one.outcome in {"duplicate", "conflict"}}
            for one, submission in zip(admitted, submissions, strict=True)
            if one.outcome != "full"
        ]
        if jobs or not submissions:
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

    async def _keep(
        self, hook: Hook, delivery: Delivery, payload: Payload, now: float, refusal: Refused | QueueFull
    ) -> None:
        """Write down what a genuine sender sent and nobody was told, with the reason."""
        entry = InvalidEntry(
            f"hook:{hook.settings.name}",
            hook.delivery_id(delivery, payload, now),
            _without_secrets(hook, delivery, payload),
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


def hooks_of(settings: Settings, known: Mapping[str, Hook] = MappingProxyType({})) -> dict[str, Hook]:
    """Return every hook of SETTINGS by its name, ready to be called; raises SettingsInvalid naming what is wrong.

    One takes tenths of a second, so those KNOWN that are set as these are taken as they are.
    """
    hooks = {}
    for place, one in enumerate(settings.hooks):
        try:
            same = one.name in known and known[one.name].settings == one
            hooks[one.name] = known[one.name] if same else Hook(one)
        except Refused as refusal:
            raise SettingsInvalid(f"hooks.{place}.{refusal.errors[0].loc}: {refusal.detail}") from None
    return hooks


def tried_hooks(settings: Settings, known: Mapping[str, Hook] = MappingProxyType({})) -> dict[str, Hook]:
    """Return the hooks of SETTINGS as `hooks_of` does, each new one tried with its preset's sample.

    Raises SettingsInvalid also for what one says of its sample that would not be taken, a line each.
    """
    hooks = hooks_of(settings, known)
    fresh = (hook for name, hook in hooks.items() if hook is not known.get(name))
    if faults := [fault for hook in fresh if (fault := hook.fault(time.time(), settings)) is not None]:
        raise SettingsInvalid("\n".join(faults))
    return hooks


def _without_secrets(hook: Hook, delivery: Delivery, payload: Payload) -> bytes:
    """Return the body, or, where the secret may be in it or there is none, the payload without the secret."""
    if delivery.body.strip() and not any(name in payload for name in hook.proof.fields):
        return delivery.body
    return json.dumps(hook.without_secret(payload)).encode()


async def _delivery(request: web.Request) -> Delivery:
    query: dict[str, Any] = dict(request.query.items())
    headers = {name.lower(): text for name, text in request.headers.items()}
    path = "/".join(request.rel_url.raw_path.split("/")[3:])  # behind /hooks/<name>, as sent: %2F is no boundary
    return Delivery(request.method, path, query, headers, await request.read())
