"""How the gateway comes to its Redis: the configured one, or a server of its own."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from gateway.model.errors import SettingsInvalid, StoreUnavailable
from gateway.settings import Redis
from gateway.store.client import Clients, connected
from gateway.store.embedded import embedded_server, state_dir
from gateway.store.server import OLDEST, mode, server_numbers
from gateway.telemetry import Event, Log

_REMEDY = (
    "start Redis there, set redis.url to a running Redis or Valkey, or leave redis.url empty for the embedded server"
)


@asynccontextmanager
async def opened(settings: Redis) -> AsyncIterator[Clients]:
    """Yield the clients of the configured Redis, or of an embedded server of our own.

    Raises SettingsInvalid when there is none, or none that is new enough.
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
            version = (await server_numbers(clients)).compatible
        except StoreUnavailable as error:
            raise SettingsInvalid(f"redis.url: {error}; {_REMEDY}") from None
        if version < OLDEST:
            raise SettingsInvalid(f"redis.url: Redis {version} is too old; 6.2 or newer is needed")
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
