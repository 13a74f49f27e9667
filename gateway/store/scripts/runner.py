"""How a script is run: with its keys, in a format that is known, timed, and replicated where somebody relies on it."""

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from functools import cache
from typing import Any

from redis.asyncio import Redis

from gateway.metrics import Metrics
from gateway.model.errors import DataNewer, NotReplicated, StoreUnavailable
from gateway.model.words import Words
from gateway.store.client import translated
from gateway.store.cluster import ClusterClient
from gateway.store.ends import Ends
from gateway.store.format import newer_data
from gateway.store.keys import Keys
from gateway.store.replication import VOUCHED_FOR, Call, Replication, replicated
from gateway.store.scripts.source import SCRIPTS, source_of


class ScriptRunner:
    """Runs scripts on one Redis, and reads of their replies what all have in common."""

    def __init__(
        self,
        redis: Redis,
        keys: Keys,
        announce: Callable[[str], None] = lambda account: None,
        metrics: Metrics | None = None,
        words: Words | None = None,
        replication: Replication | None = None,
    ) -> None:
        """Read the scripts; Redis learns each when it first runs. ANNOUNCE is told which account has a callback due.

        WORDS know what the log may say of the messages of jobs that end. With REPLICATION those that somebody relies on
        raise NotReplicated when too few replicas have what they did.
        """
        self._redis = redis
        self._replication = replication
        self._metrics = metrics or Metrics()
        self._words = words or Words()
        self._ends = Ends(announce, self._metrics, self._words)
        self._scripts = {name: redis.register_script(source_of(name)) for name in SCRIPTS}
        self._keys = keys
        self._rings: dict[str, list[bytes]] = {}
        self.newer: dict[str, DataNewer] = {}
        """By account: that its data are of a newer format, as a script found last."""
        # Looking a child up by its labels takes longer than counting with it.
        self._queue_seconds = cache(self._metrics.queue_seconds.labels)
        self._redis_seconds = cache(self._metrics.redis_seconds.labels)

    @property
    def apart(self) -> bool:
        """Whether accounts may lie on several servers, so that what fails for one says nothing about the others."""
        return isinstance(self._redis, ClusterClient)

    def _turn(self, of: str) -> AbstractAsyncContextManager[None]:
        return nullcontext() if self._replication is None else self._replication.turn(of)

    async def _ending(self, name: str, account: str, args: Sequence[Any], place: int, *, relied: bool = False) -> Any:
        """Run a script that can end jobs; those it ended stand at PLACE of its reply, and come back as Ended.

        They are written down also where too few replicas have it: who asks again is told nothing new.
        """
        args = [*args, "bodies" if self._words.wished else ""]
        try:
            reply = await self._account(name, account, args, relied=relied)
        except NotReplicated as error:
            if error.reply is not None:
                error.reply[place] = self._ends.take(account, error.reply[place])
            raise
        if reply is not None:
            reply[place] = self._ends.take(account, reply[place])
        return reply

    async def _account(self, name: str, account: str, args: Sequence[Any], *, relied: bool = False) -> Any:
        """Run a script of ACCOUNT; raises DataNewer when its data are of a newer format."""
        try:
            reply = await self._run(name, self._ring(account), args, relied_by=account if relied else "")
        except StoreUnavailable as error:
            if (newer := self._found_newer(account, error)) is not None:
                raise newer from None
            raise
        if self.newer:
            self.newer.pop(account, None)
        return reply

    def _found_newer(self, account: str, error: Exception) -> DataNewer | None:
        if (newer := newer_data(error, account)) is not None:
            self.newer[account] = newer
        return newer

    def _ring(self, account: str) -> list[bytes]:
        ring = self._rings.get(account)
        if ring is None:
            ring = self._rings[account] = [key.encode() for key in self._keys.account(account)]
        return ring

    async def _run(self, name: str, keys: Sequence[str | bytes], args: Sequence[Any], relied_by: str = "") -> Any:
        """Run a script; where somebody relies on it, RELIED_BY is the account or source whose slot it wrote in."""
        with translated(), self._redis_seconds(name).time():
            if not relied_by or self._replication is None:
                return await self._scripts[name](keys=keys, args=args)
            calls: list[Call] = [(self._scripts[name], keys, args)]
            if name in VOUCHED_FOR:
                calls.append((self._scripts["vouch"], [self._keys.of(relied_by, "limits")], []))
            reply, reached = await replicated(self._redis, calls, self._replication.replicas)
        if reached < self._replication.replicas:
            self._metrics.unreplicated.labels(name).inc()
        self._replication.require(relied_by, reached, reply)
        return reply
