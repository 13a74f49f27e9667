"""The Redis clients, and the one place where Redis' errors become ours."""

import asyncio
import re
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

from redis import DriverInfo
from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.connection import AbstractConnection
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.connection import HiredisRespSerializer
from redis.exceptions import ConnectionError as Disconnected
from redis.exceptions import RedisError, ResponseError

from gateway.model.errors import SettingsInvalid, StoreRefuses, StoreUnavailable

_TAKES_NO_WRITES = re.compile(
    r"\b(OOM|READONLY|NOREPLICAS|MISCONF)\b|used memory|read only replica|not enough good replicas", re.IGNORECASE
)
"""How Redis says that it is full, a replica, without its replicas, or unable to save."""


_PATIENCE = 30.0  # seconds anybody waits for a connection while Redis answers others

_DRIVER = DriverInfo()  # once: for each connection redis-py would look up its own version on disk


class Clients:
    """Three clients of one Redis: `commands` and `lanes` answer, `blocking` may wait for as long as it asks to.

    What callers want goes by `commands`, what moves the lanes by `lanes`, so that no crowd of callers holds up what was
    accepted. None repeats a command by itself: a lost reply may be a write that happened, so the caller decides.
    """

    def __init__(self, url: str, answer: float = 5.0) -> None:
        """Prepare the clients for URL, which has to answer within ANSWER seconds; nothing connects yet.

        Raises SettingsInvalid for a URL that is none.
        """
        self.url = url
        self.commands = _client(url, answer, socket_timeout=answer, connections=16)
        self.lanes = _client(url, answer, socket_timeout=answer, connections=16)
        self.blocking = _client(url, answer, socket_timeout=None, connections=64)

    async def close(self) -> None:
        """Close every connection."""
        await self.blocking.aclose()
        await self.lanes.aclose()
        await self.commands.aclose()


class _Pool(BlockingConnectionPool):
    """Lets everyone wait for a connection for as long as Redis answers others.

    That many wait says nothing about Redis: a crowd of callers is served late, and not told that Redis is away.
    """

    _answers = 0
    _waiting = 0

    async def get_connection(self, command_name: Any = None, *keys: Any, **options: Any) -> AbstractConnection:
        """Return a connection; raises redis' ConnectionError when Redis has answered nobody for `timeout` seconds."""
        if not self._waiting and self.can_get_connection():
            return await self._free_connection()
        self._waiting += 1
        try:
            return await self._freed_connection()
        finally:
            self._waiting -= 1

    async def _free_connection(self) -> AbstractConnection:
        """Return one that is free, without the steps of waiting for it."""
        connection: AbstractConnection = self.get_available_connection()  # type: ignore[no-untyped-call]
        try:
            await self.ensure_connection(connection)
        except BaseException:
            await self.release(connection)
            raise
        return connection

    async def _freed_connection(self) -> AbstractConnection:
        ends_at = time.monotonic() + _PATIENCE
        while True:
            answers = self._answers
            try:
                connection: AbstractConnection = await super().get_connection()  # type: ignore[no-untyped-call]
                return connection
            except Disconnected:
                if self._answers == answers or time.monotonic() > ends_at:
                    raise

    async def release(self, connection: AbstractConnection) -> None:
        """Take a connection back, and note whether Redis answered on it."""
        if connection.is_connected:  # one on which no answer came is closed by now
            self._answers += 1
        await super().release(connection)


class _Packed(AbstractConnection):
    """A connection whose commands hiredis packs; redis-py does it argument by argument."""

    _serializer = HiredisRespSerializer()

    def pack_command(self, *args: Any) -> list[bytes]:
        """Return a command as it is sent."""
        packed: list[bytes] = self._serializer.pack(*args)
        return packed


def _client(url: str, answer: float, socket_timeout: float | None, connections: int) -> Redis:
    try:
        pool = _Pool.from_url(
            url,
            max_connections=connections,
            timeout=answer,
            socket_timeout=socket_timeout,
            socket_connect_timeout=3.0,
            **({} if url.startswith("unix:") else {"socket_keepalive": True}),  # where redis-py knows none
            retry=Retry(NoBackoff(), 0),
            legacy_responses=False,
            driver_info=_DRIVER,
        )
    except ValueError as error:
        raise SettingsInvalid(f"redis.url: {error}") from None
    pool.connection_class = type("Connection", (_Packed, pool.connection_class), {})
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
