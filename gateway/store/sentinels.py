"""Sentinels: who is the master now, and connections that lead to it."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, NamedTuple

from redis.asyncio.connection import AbstractConnection
from redis.exceptions import ConnectionError as Disconnected
from redis.exceptions import RedisError, ResponseError

from gateway.settings.redis_url import Node, RedisUrl
from gateway.store.connections import asking_client, says_replica
from gateway.supervise import end

_ANSWER = 1.0  # seconds a sentinel has to answer
_WATCH = 1.0  # seconds between two questions while nobody connects: a master cut off from all but us is left by then
_FRESH = 0.2  # seconds for which an answer is believed: a crowd that connects asks once


class _Word(NamedTuple):
    """What a sentinel says: since which election who is master, and whether it thinks that one is down."""

    epoch: int
    node: Node
    down: bool


class Sentinels:
    """Asks the sentinels of a URL who the master is.

    All are asked at once and the latest election counts: one that was away itself may still name the master of before.
    From the first question on they are asked each second: a master that was replaced may not know, and answer on.
    """

    def __init__(self, url: RedisUrl, changed: Callable[[], Awaitable[None]]) -> None:
        """Ask the sentinels in URL; CHANGED is awaited when the master is another one than before."""
        self._url = url
        self._changed = changed
        self._asking: asyncio.Task[Node] | None = None
        self._watching: asyncio.Task[None] | None = None
        self._asked = float("-inf")
        self._master: Node | None = None

    @property
    def known(self) -> Node | None:
        """The master that was named last, None before the first answer."""
        return self._master

    async def master(self) -> Node:
        """Return where the master listens; raises redis' ConnectionError when no sentinel knows one that is up."""
        if self._watching is None:
            self._watching = asyncio.create_task(self._watch(), name="watch the sentinels")
        if self._master is not None and time.monotonic() - self._asked < _FRESH:
            return self._master
        if self._asking is None:
            self._asking = asyncio.create_task(self._ask(), name="ask the sentinels")
            self._asking.add_done_callback(self._answered)
        return await asyncio.shield(self._asking)

    async def close(self) -> None:
        """Ask no more."""
        await end({task for task in (self._watching, self._asking) if task is not None})

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(_WATCH)
            with suppress(RedisError, OSError):  # who connects meanwhile is told
                await self.master()

    def _answered(self, task: "asyncio.Task[Node]") -> None:
        self._asking = None
        if not task.cancelled():
            task.exception()  # told to who waits, if anybody still does

    async def _ask(self) -> Node:
        asked = {asyncio.create_task(self._word(sentinel)) for sentinel in self._url.nodes}
        words: list[_Word | str] = []
        waiting = asked
        try:
            # More than half of them know every election; the others may be dead, and would be waited for.
            while waiting and len([word for word in words if isinstance(word, _Word)]) <= len(asked) // 2:
                done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
                words += [task.result() for task in done]
        finally:
            await end(waiting)
        return await self._believe(words)

    async def _believe(self, words: list[_Word | str]) -> Node:
        told = [word for word in words if isinstance(word, _Word)]
        if not told:
            raise Disconnected(f"no sentinel tells where {self._url.service!r} is: {'; '.join(map(str, words))}")
        latest = max(told, key=lambda word: word.epoch)
        if all(word.down for word in told):
            raise Disconnected(f"the sentinels say that the master {latest.node} is down, and have no other yet")
        before, self._master = self._master, latest.node
        self._asked = time.monotonic()
        if before not in {None, latest.node}:
            await self._changed()
        return latest.node

    async def _word(self, sentinel: Node) -> _Word | str:
        """Return what one sentinel says, or why it says nothing."""
        redis = asking_client(self._url.of_sentinel(sentinel), _ANSWER)
        try:
            told: Any = await redis.execute_command(  # type: ignore[no-untyped-call]
                "SENTINEL", "MASTER", self._url.service
            )
        except (RedisError, OSError) as error:
            return f"{sentinel}: {error}"
        finally:
            await redis.aclose()
        fields = told if isinstance(told, dict) else dict(zip(told[::2], told[1::2], strict=True))
        return _Word(
            int(fields[b"config-epoch"]),
            Node(fields[b"ip"].decode(), int(fields[b"port"])),
            bool({b"s_down", b"o_down"} & set(fields[b"flags"].split(b","))),
        )


def led_by(sentinels: Sentinels) -> type[AbstractConnection]:
    """Return how connections come to the master that SENTINELS name, to mix into a class of them."""

    class Led(AbstractConnection):
        """Looks for the master each time it connects, and leaves one that is none any more."""

        host: str
        port: int

        async def _connect(self) -> None:
            self.host, self.port = await sentinels.master()
            await super()._connect()  # type: ignore[safe-super, no-untyped-call]

        async def on_connect_check_health(self, check_health: bool = True) -> None:
            """Make sure that this is the master: one that lost an election may be named until all have heard."""
            await super().on_connect_check_health(check_health)
            try:
                await self.send_command("ROLE")
                role: Any = await self.read_response()
            except ResponseError:  # this user may not ask; a write will tell
                role = [b"master"]
            if sentinels.known != (self.host, self.port):
                raise Disconnected(f"{self.host}:{self.port} was replaced while it was connected to")
            if role[0] != b"master":
                raise Disconnected(f"{self.host}:{self.port} is a replica, and the sentinels name it as the master")

        async def read_response(self, *words: Any, **options: Any) -> Any:
            """Return the next reply; one that says that this is a replica ends the connection."""
            try:
                return await super().read_response(*words, **options)
            except ResponseError as error:
                if not says_replica(error):
                    raise
                await self.disconnect()
                raise Disconnected(f"{self.host}:{self.port} is the master no more") from None

    return Led
