"""How the gateway comes to its Redis: the configured one, or a server of its own."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from gateway.model.errors import SettingsInvalid, StoreUnavailable
from gateway.settings import Redis
from gateway.store.client import Clients, connected, translated
from gateway.store.embedded import embedded_server, state_dir
from gateway.store.fitness import assure
from gateway.store.server import mode
from gateway.store.unreachable import unreachable
from gateway.telemetry import Event, Log


@asynccontextmanager
async def opened(settings: Redis) -> AsyncIterator[Clients]:
    """Yield the clients of the configured Redis, or of an embedded server of our own.

    Raises SettingsInvalid when there is none, or none that is fit to keep jobs.
    """
    async with AsyncExitStack() as stack:
        url = settings.url
        if not url:
            folder = state_dir()
            url = await stack.enter_async_context(embedded_server(folder))
            Log().info(Event.SERVER_EMBEDDED, url=url, data=str(folder), fsync="everysec")
        try:
            clients = await stack.enter_async_context(connected(url))
            if clients.kind == "server":
                _insist_on(await mode(clients))
            with translated():
                masters = await clients.masters()
            for address, master in masters.items():
                await assure(master, settings, address)
        except StoreUnavailable as error:
            raise SettingsInvalid(str(unreachable(error))) from None
        yield clients


def _insist_on(found: str) -> None:
    """Refuse a URL of one server that leads to something else than it says."""
    if found == "cluster":
        raise SettingsInvalid(
            "redis.url: the server there is a node of a cluster; write redis+cluster://host:port (or rediss+cluster), "
            "without a database number"
        )
    if found == "sentinel":
        raise SettingsInvalid(
            "redis.url: a sentinel listens there; write redis+sentinel://host:port/<service> (or rediss+sentinel), "
            "with the name of the master behind it"
        )
