"""The Redis clients, and the one place where Redis' errors become ours."""

import asyncio
import re
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import ClusterDownError, RedisError, ResponseError
from redis.exceptions import ConnectionError as Disconnected
from redis.exceptions import TimeoutError as Silent

from gateway.model.errors import SettingsInvalid, StoreAway, StoreRefuses, StoreUnavailable
from gateway.settings.redis_url import Kind, RedisUrl, read_redis_url
from gateway.store.cluster import ClusterClient
from gateway.store.connections import plain_client
from gateway.store.sentinels import Sentinels, led_by
from gateway.store.slots import SlotMap

_TAKES_NO_WRITES = re.compile(
    r"\b(OOM|READONLY|NOREPLICAS|MISCONF)\b|used memory|read only replica|not enough good replicas", re.IGNORECASE
)
"""How Redis says that it is full, a replica, without its replicas, or unable to save."""


class Clients:
    """Three clients of one Redis: `commands` and `lanes` answer, `blocking` may wait for as long as it asks to.

    What callers want goes by `commands`, what moves the lanes by `lanes`, so that no crowd of callers holds up what was
    accepted. None repeats a command by itself: a lost reply may be a write that happened, so the caller decides.

    Each is used like the client of one server, whatever the URL leads to: a master that sentinels name, or the masters
    of a cluster, of which the one is asked that answers for a command's key. `kind` says which it is.
    """

    def __init__(self, url: str, answer: float = 5.0) -> None:
        """Prepare the clients for URL, which has to answer within ANSWER seconds; nothing connects yet.

        Raises SettingsInvalid for a URL that is none.
        """
        try:
            address = read_redis_url(url)
        except ValueError as error:
            raise SettingsInvalid(f"redis.url: {error}") from None
        self.url = url
        self.kind: Kind = address.kind
        self._slots = SlotMap(address) if address.kind == "cluster" else None
        self._sentinels = Sentinels(address, self._leave) if address.kind == "sentinel" else None
        self.commands = self._client(address, answer, socket_timeout=answer, connections=16)
        self.lanes = self._client(address, answer, socket_timeout=answer, connections=16)
        self.blocking = self._client(address, answer, socket_timeout=None, connections=64)

    def _client(self, address: RedisUrl, answer: float, *, socket_timeout: float | None, connections: int) -> Redis:
        dial = partial(plain_client, answer=answer, socket_timeout=socket_timeout, connections=connections)
        if self._slots is not None:
            return ClusterClient(self._slots, lambda node: dial(address.of(node)))
        if self._sentinels is not None:  # which say where each connection leads
            return dial(address.of(address.nodes[0]), mixin=led_by(self._sentinels))
        return dial(address.text)

    async def masters(self) -> dict[str, Redis]:
        """Return a plain client of each server that takes writes, by its address; "" where `url` is the address."""
        if self._slots is None or not isinstance(self.commands, ClusterClient):
            known = self._sentinels.known if self._sentinels is not None else None
            return {str(known or ""): self.commands}
        await self._slots.look()
        return {str(node): self.commands.node(node) for node in self._slots.masters}

    async def close(self) -> None:
        """Close every connection."""
        for asking in (self._slots, self._sentinels):
            if asking is not None:
                await asking.close()
        await self.blocking.aclose()
        await self.lanes.aclose()
        await self.commands.aclose()

    async def _leave(self) -> None:
        """Break the connections to the master of before: what waits there would wait for ever."""
        pools = [one.connection_pool for one in (self.blocking, self.lanes, self.commands)]
        await asyncio.gather(*(pool.disconnect() for pool in pools), return_exceptions=True)


@contextmanager
def translated() -> Iterator[None]:
    """Turn Redis' errors into StoreUnavailable, which says why without quoting what was being written."""
    try:
        yield
    except (RedisError, OSError) as error:
        # A pipeline's error quotes the command that failed, and so the message in it.
        reason = str(error).rpartition(" caused error: ")[2] or type(error).__name__
        refuses = isinstance(error, ResponseError) and _TAKES_NO_WRITES.search(reason)
        away = isinstance(error, (Disconnected, Silent, ClusterDownError, OSError))
        raise (StoreRefuses if refuses else StoreAway if away else StoreUnavailable)(f"Redis: {reason}") from error


def raise_when_all_failed(answers: Sequence[Any]) -> None:
    """Raise the first of ANSWERS when all are errors; while others answer, only some of several servers are away."""
    failed = [answer for answer in answers if isinstance(answer, BaseException)]
    if failed and len(failed) == len(answers):
        raise failed[0]


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
