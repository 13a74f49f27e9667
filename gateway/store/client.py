"""The two Redis clients, and the one place where Redis' errors become ours."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import ReadOnlyError, RedisError, ResponseError
from redis.exceptions import TimeoutError as RedisTimeoutError

from gateway.model.errors import SettingsInvalid, StoreUnavailable

_NOT_NOW = frozenset(
    {"LOADING", "OOM", "MISCONF", "BUSY", "MASTERDOWN", "CLUSTERDOWN", "TRYAGAIN", "NOREPLICAS", "READONLY"}
)


class Clients:
    """Two clients of one Redis: `commands` answers within seconds, `blocking` may wait for as long as it asks to.

    Neither repeats a command by itself: a lost reply may be a write that happened, so the caller decides.
    """

    def __init__(self, url: str) -> None:
        """Prepare the clients for URL; nothing connects yet. Raises SettingsInvalid for a URL that is none."""
        self.url = url
        self.commands = _client(url, socket_timeout=5.0, connections=16)
        self.blocking = _client(url, socket_timeout=None, connections=64)

    async def close(self) -> None:
        """Close every connection."""
        await self.blocking.aclose()
        await self.commands.aclose()


def _client(url: str, socket_timeout: float | None, connections: int) -> Redis:
    try:
        pool = BlockingConnectionPool.from_url(
            url,
            max_connections=connections,
            timeout=5,
            socket_timeout=socket_timeout,
            socket_connect_timeout=3.0,
            retry=Retry(NoBackoff(), 0),
            legacy_responses=False,
        )
    except ValueError as error:
        raise SettingsInvalid(f"redis.url: {error}") from None
    return Redis.from_pool(pool)


@contextmanager
def translated() -> Iterator[None]:
    """Turn Redis' errors into StoreUnavailable where a later try can succeed; faults of ours stay what they are."""
    try:
        yield
    except (RedisConnectionError, RedisTimeoutError, ReadOnlyError) as error:
        raise StoreUnavailable(f"Redis does not answer: {error}") from error
    except ResponseError as error:
        if str(error).partition(" ")[0] in _NOT_NOW:
            raise StoreUnavailable(f"Redis refuses: {error}") from error
        raise
    except RedisError as error:
        raise StoreUnavailable(f"Redis: {error}") from error


@asynccontextmanager
async def connected(url: str) -> AsyncIterator[Clients]:
    """Yield the clients of URL once Redis has answered; raises StoreUnavailable when it does not."""
    clients = Clients(url)
    try:
        with translated():
            await clients.commands.ping()
        yield clients
    finally:
        await clients.close()
