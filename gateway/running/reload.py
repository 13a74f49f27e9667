"""Other settings for a gateway that runs: read as at its start, refused whole or applied without losing anything."""

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress

from aiohttp import web

from gateway.intake.hooks.hook import Hook
from gateway.intake.hooks.hooks import tried_hooks
from gateway.model.answers import Reloaded
from gateway.model.errors import Fault, Refused, SettingsInvalid, StoreUnavailable
from gateway.running.process import Running
from gateway.settings import Settings, changes
from gateway.telemetry import Event, Log, told
from gateway.web import KEY, problem, reaches_all

Again = Callable[[], Settings]
"""Reads the settings as they were read at the start; raises SettingsInvalid."""


class Reload:
    """Applies the settings that are there when it is asked for; of two wishes the second waits for the first."""

    def __init__(self, again: Again | None, stopping: asyncio.Event) -> None:
        """Read settings AGAIN, unless there is nowhere to read them from; nothing changes once we are STOPPING."""
        self._again = again
        self._stopping = stopping
        self._running: Running | None = None
        self._turn = asyncio.Lock()
        self._log = Log()

    def serve(self, running: Running) -> None:
        """Change what RUNNING runs by, from now on."""
        self._running = running

    async def post(self, request: web.Request) -> web.Response:
        """Answer `POST /v1/reload`: 200 with what became of it, 422 with each fault of settings that are refused."""
        if not reaches_all(request.get(KEY)):
            raise Refused("target_forbidden", "this key reaches only some targets, and this concerns all of them")
        if self._stopping.is_set():
            return problem(503, "stopping", "this gateway is stopping; try again", headers={"Retry-After": "1"})
        try:
            reloaded = await self("http")
        except SettingsInvalid as error:
            raise Refused(
                "settings_invalid", "the settings are refused, and those from before go on", faults(error)
            ) from None
        return web.json_response(reloaded.model_dump())

    async def signalled(self) -> None:
        """Do the same because of a signal; the log tells what became of it."""
        try:
            await self("signal")
        except (SettingsInvalid, Refused):
            pass
        except Exception as error:  # noqa: BLE001 - nobody else hears of it, and the next signal is to be heard
            self._log.error(Event.SETTINGS_REFUSED, wish="signal", error=told(error))

    async def __call__(self, wish: str) -> Reloaded:
        """Read the settings and apply them, because of a WISH that came by `http` or `signal`.

        Raises SettingsInvalid, and then nothing has changed; Refused when they can be read from nowhere.
        """
        if self._again is None or self._running is None:
            raise Refused("reload_unavailable", "this gateway was not started from settings that can be read again")
        async with self._turn:
            try:
                return await self._applied(self._running, self._again, wish)
            except SettingsInvalid as error:
                self._log.error(Event.SETTINGS_REFUSED, wish=wish, error=str(error))
                raise

    async def _applied(self, running: Running, again: Again, wish: str) -> Reloaded:
        # In a thread: reading much and compiling hooks takes its time, in which messages are sent.
        settings, hooks = await asyncio.to_thread(_checked, again, running.serving.hooks.compiled)
        found = changes(running.settings, settings)
        if found.applied:
            await running.become(found.settings, hooks)
        waiting: dict[str, int] = {}
        with suppress(StoreUnavailable):
            waiting = await running.waiting()
        reloaded = Reloaded(
            detail=_told(found.applied, found.needs_restart),
            applied=found.applied,
            needs_restart=found.needs_restart,
            accounts=found.accounts,
            waiting=waiting,
        )
        self._log.info(Event.SETTINGS_RELOADED, wish=wish, **reloaded.model_dump(exclude={"detail"}))
        return reloaded


def faults(error: SettingsInvalid) -> list[Fault]:
    """Return each fault by itself: where, and what to do about it."""
    lines = [line.partition(": ") for line in str(error).splitlines()]
    return [Fault(loc if msg else "settings", msg or loc, "invalid") for loc, _, msg in lines]


def _checked(again: Again, known: Mapping[str, Hook]) -> tuple[Settings, dict[str, Hook]]:
    """Return the settings and their hooks; raises SettingsInvalid where a start would."""
    settings = again()
    return settings, tried_hooks(settings, known)


def _told(applied: list[str], needs_restart: list[str]) -> str:
    """Return in a sentence what became of it."""
    told = f"applied: {', '.join(applied)}" if applied else "nothing changed"
    return f"{told}; only a restart changes {', '.join(needs_restart)}" if needs_restart else told
