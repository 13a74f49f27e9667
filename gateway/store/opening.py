"""How the gateway comes to its Redis: the configured one, or a server of its own."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from gateway.model.errors import SettingsInvalid, StoreUnavailable
from gateway.settings import Redis
from gateway.store.client import Clients, connected
from gateway.store.embedded import embedded_server, state_dir
from gateway.store.fitness import assure
from gateway.store.unusable import unusable
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
            await assure(clients, settings)
        except StoreUnavailable as error:
            raise SettingsInvalid(str(unusable(error))) from None
        yield clients
