"""The composition root: opens Redis, runs the gateway on it and serves its paths; nothing else."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

from aiohttp import web

from gateway.clock import Clock
from gateway.intake.hooks.hooks import tried_hooks
from gateway.model.errors import SettingsInvalid, StoreUnavailable
from gateway.running import Again, Reload, Running
from gateway.settings import Settings
from gateway.store.opening import opened
from gateway.store.unusable import unusable
from gateway.web import add_routes, in_time, keep_private, server_limits, speak_problem

SETTINGS = web.AppKey("settings", Settings)
CLOCK = web.AppKey("clock", Clock)
STOPPING = web.AppKey("stopping", asyncio.Event)
"""Set as soon as the end has begun: from then on no new job is taken."""
RELOAD = web.AppKey("reload", Reload)
"""What applies other settings to the running gateway."""
WIND_DOWN = web.AppKey("wind_down", list[Callable[[], Awaitable[None]]])
"""What ends the reading of jobs and the moving of lanes, before HTTP ends."""


def create_app(settings: Settings, clock: Clock | None = None, again: Again | None = None) -> web.Application:
    """Return the gateway as an aiohttp application; it starts and stops with the server that runs it.

    AGAIN reads the settings again when a reload is wished for; without it there is none.
    Starting raises SettingsInvalid when Redis cannot be reached or is too old.
    """
    app = web.Application(
        middlewares=[speak_problem, in_time(settings.http)],
        handler_args=server_limits(settings.http),
        client_max_size=settings.http.max_body,
    )
    app[SETTINGS] = settings
    app[CLOCK] = clock or Clock()
    app[STOPPING] = asyncio.Event()
    app[RELOAD] = Reload(again, app[STOPPING])
    app[WIND_DOWN] = []
    app.cleanup_ctx.append(_gateway)
    app.on_response_prepare.append(keep_private)
    app.on_shutdown.append(_stop_taking)
    return app


async def wind_down(app: web.Application) -> None:
    """Take no more jobs and let what is in flight end, while HTTP still tells how things are.

    Submissions are answered with 503 `stopping`. A server that is stopped without this just does not answer any more.
    """
    await _stop_taking(app)
    for end in app[WIND_DOWN]:
        await end()


async def _stop_taking(app: web.Application) -> None:
    app[STOPPING].set()


async def _gateway(app: web.Application) -> AsyncIterator[None]:
    # Tried first: a template that is no good is refused before anything begins.
    hooks = tried_hooks(app[SETTINGS])
    async with opened(app[SETTINGS].redis) as clients:
        running = Running(app[SETTINGS], clients, app[CLOCK], app[STOPPING], app[RELOAD].post)

        async def let_go(_: web.Application) -> None:
            running.let_go()

        app.on_shutdown.append(let_go)
        app.on_response_prepare.append(running.guard.tell_rate)
        app[WIND_DOWN].append(running.wind_down)
        try:
            try:
                await running.start(hooks)
            except StoreUnavailable as error:
                raise SettingsInvalid(str(unusable(error))) from None
            add_routes(app, running.routes())
            app[RELOAD].serve(running)
            yield
        finally:
            await running.close()
