"""Connections to one server: pools that make a crowd wait, and clients that repeat nothing by themselves."""

import time
from typing import Any

from redis import DriverInfo
from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.connection import AbstractConnection
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.connection import HiredisRespSerializer
from redis.exceptions import ConnectionError as Disconnected
from redis.exceptions import ReadOnlyError, ResponseError

from gateway.model.errors import SettingsInvalid

_PATIENCE = 30.0  # seconds anybody waits for a connection while Redis answers others

_DRIVER = DriverInfo()  # once: for each connection redis-py would look up its own version on disk


def says_replica(error: BaseException) -> bool:
    """Return whether ERROR says that a Redis replica was written to; before Redis 7 a script only quotes that."""
    return isinstance(error, ReadOnlyError) or (isinstance(error, ResponseError) and "READONLY" in str(error))


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


def plain_client(
    url: str,
    *,
    answer: float,
    socket_timeout: float | None,
    connections: int,
    connecting: float = 3.0,
    mixin: type[AbstractConnection] | None = None,
) -> Redis:
    """Return a client of the server at URL with up to so many CONNECTIONS; nothing connects yet.

    For a free one a caller waits ANSWER seconds, or for as long as others are served. MIXIN says how they connect.
    None of its commands is repeated: a lost reply may be a write that happened, so the caller decides. Raises
    SettingsInvalid for a URL that is none.
    """
    try:
        pool = _Pool.from_url(
            url,
            max_connections=connections,
            timeout=answer,
            socket_timeout=socket_timeout,
            socket_connect_timeout=connecting,
            **({} if url.startswith("unix:") else {"socket_keepalive": True}),  # where redis-py knows none
            retry=Retry(NoBackoff(), 0),
            legacy_responses=False,
            driver_info=_DRIVER,
        )
    except ValueError as error:
        raise SettingsInvalid(f"redis.url: {error}") from None
    kinds = (mixin, _Packed) if mixin else (_Packed,)
    pool.connection_class = type("Connection", (*kinds, pool.connection_class), {})
    return Redis.from_pool(pool)


def asking_client(url: str, seconds: float) -> Redis:
    """Return a client for one question to the server at URL, which has SECONDS to be connected to and to answer."""
    return plain_client(url, answer=seconds, socket_timeout=seconds, connections=1, connecting=seconds)
