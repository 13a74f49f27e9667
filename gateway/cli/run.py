"""`gateway run`: one process of the gateway, from its settings to its end."""

import asyncio
import gc
import signal
import sys
from collections.abc import Callable
from contextlib import suppress

from aiohttp import web

from gateway import __version__
from gateway.app import RELOAD, create_app, wind_down
from gateway.cli.usage import Config, Set, file_of, read_settings, refuse, settings_of
from gateway.model.errors import SettingsInvalid
from gateway.model.veil import Veil
from gateway.notify import Service
from gateway.running import Again, Reload
from gateway.settings import Settings, secrets_of
from gateway.supervise import end
from gateway.telemetry import Event, Log, configure_logging

_BACKLOG = 4096  # connections that may wait to be accepted, where the system allows as many
_YOUNG = 20_000  # objects before a look for cycles among them; by default 700, a batch of jobs: a look in each


def run(config: Config = None, set_: Set = None) -> None:
    """Run the gateway until SIGTERM or Ctrl-C.

    SIGHUP applies changed settings, as `gateway reload` does.
    """
    settings, file = settings_of(config, set_), file_of(config)
    configure_logging(settings.log.level, settings.log.format, Veil(secrets_of(settings)))
    try:
        with asyncio.Runner(loop_factory=_loop_factory()) as runner:
            runner.run(_serve(settings, lambda: read_settings(file, set_)))
    except SettingsInvalid as error:
        refuse(str(error))


async def _serve(settings: Settings, again: Again) -> None:
    """Serve until SIGTERM or SIGINT, then stop in order: no new jobs, sources, lanes, HTTP, Redis."""
    gateway = create_app(settings, again=again)
    runner = web.AppRunner(gateway, access_log=None, shutdown_timeout=1)
    _allow_many_connections()
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        with suppress(NotImplementedError):  # Windows ends a process its own way
            asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    told = _told_to_reload()
    await runner.setup()
    service, reloading = Service(), set[asyncio.Task[None]]()
    try:
        await _listen(runner, settings.http.host, settings.http.port)
        port = runner.addresses[0][1]
        names, url = [account.name for account in settings.accounts], f"http://{settings.http.host}:{port}"
        Log().info(Event.GATEWAY_STARTED, url=url, accounts=names, version=__version__)
        # What is here by now stays: later collections need not look at it, which would hold up the loop for 10-20 ms.
        gc.collect()
        gc.freeze()
        gc.set_threshold(_YOUNG, *gc.get_threshold()[1:])
        service.ready(f"serving at {url}")
        reloading.add(asyncio.create_task(_reload(gateway[RELOAD], told, service, url), name="reload"))
        async with service.watched():
            await stopping.wait()
            service.stopping("finishing what is in flight")
            await wind_down(gateway)
    finally:
        await end(reloading)
        await runner.cleanup()
    Log().info(Event.GATEWAY_STOPPED)


def _told_to_reload() -> asyncio.Event:
    """Return what SIGHUP sets from now on; it ends no gateway that is just starting."""
    told = asyncio.Event()
    if sys.platform != "win32":
        asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, told.set)
    return told


async def _reload(reload: Reload, told: asyncio.Event, service: Service, url: str) -> None:
    """Apply changed settings whenever TOLD; of wishes that come while one is served, one more is."""
    while True:
        await told.wait()
        told.clear()
        service.reloading()
        try:
            await reload.signalled()
        finally:
            service.ready(f"serving at {url}")


def _allow_many_connections() -> None:
    """Let this process open as many files as it may: over the soft limit, often 1024, connections would be reset."""
    if sys.platform == "win32":
        return
    import resource  # noqa: PLC0415 - there is none for Windows

    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(ValueError, OSError):  # a system that has a lower one of its own keeps what it has
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


async def _listen(runner: web.AppRunner, host: str, port: int) -> None:
    try:
        await web.TCPSite(runner, host, port, backlog=_BACKLOG).start()
    except OSError as error:
        raise SettingsInvalid(
            f"http: cannot listen on {host}:{port} ({error.strerror or error}); change http.host or http.port"
        ) from None


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    if sys.platform == "win32":
        return None
    import uvloop  # noqa: PLC0415 - there is none for Windows

    return uvloop.new_event_loop
