"""The two Redis clients, and the one place where Redis' errors become ours."""

import asyncio
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError, ResponseError

from gateway.model.errors import SettingsInvalid, StoreRefuses, StoreUnavailable

_TAKES_NO_WRITES = re.compile(
    r"\b(OOM|READONLY|NOREPLICAS|MISCONF)\b|used memory|read only replica|not enough good replicas", re.IGNORECASE
)
"""How Redis says that it is full, a replica, without its replicas, or unable to save."""


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
            socket_keepalive=True,
            retry=Retry(NoBackoff(), 0),
            legacy_responses=False,
        )
    except ValueError as error:
        raise SettingsInvalid(f"redis.url: {error}") from None
    return Redis.from_pool(pool)


@contextmanager
def translated() -> Iterator[None]:
    """Turn Redis' errors into StoreUnavailable, which says why without quoting what was being written."""
    try:
        yield
    except (RedisError, OSError) as error:
        # A pipeline's error quotes the command that failed, and so the message in it.
        reason = str(error).rpartition(" caused error: ")[2] or type(error).__name__
        refuses = isinstance(error, ResponseError) and _TAKES_NO_WRITES.search(reason)
        raise (StoreRefuses if refuses else StoreUnavailable)(f"Redis: {reason}") from error


@asynccontextmanager
async def answered_within(seconds: float) -> AsyncIterator[None]:
    """Give what has no time limit of its own SECONDS, then raise StoreUnavailable: the connection may be dead."""
    try:
        async with asyncio.timeout(seconds):
            yield
    except TimeoutError:
        raise StoreUnavailable("Redis: no answer to a blocking read; the connection is given up") from None


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
