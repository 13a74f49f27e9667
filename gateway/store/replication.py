"""How far a write has to have gone before somebody relies on it: `redis.durability: replicated`.

A replica is one of Redis here; elsewhere it is a process of the gateway.

A script and a WAIT behind it go on one connection, for WAIT waits for what its own connection wrote. Redis 7.2 and
newer take that literally: where a script found its work done already, as a repeat does, nothing would be waited for.
So `vouch.lua` writes between the two, after what that script found.

| script | who relies on it                                             | when too few replicas have it        |
|--------|--------------------------------------------------------------|--------------------------------------|
| admit  | the producer, by its 202; the source, which loses its entry   | 503 `not_replicated`; the entry stays |
| tick   | NapCat, which is sent what was claimed; who hears of an end   | nothing is sent; outcomes told again |
| cancel | the caller, who is told that nothing will be sent             | 503 `not_replicated`; ask again      |
| replay | the caller, who is given the new job's id                     | 503 `not_replicated`; ask again      |
| hold   | the operator, who is told what is sent from now on            | 503 `not_replicated`; ask again      |
| lease  | the jobs that come of what was read of a source (`secured`)   | it is read again later               |

Nobody waits for the rest: evidence that is forgotten leaves a job unknown, a callback may come twice at any time, and
a hold that an answer brought about is brought about again.

A tick notices another master by the id of its data (`master_replid`), and treats every window as full then. Two are not
noticed: one where INFO is forbidden or hides that id, and one that was started again without any data, which knows of
no master before it, and of no job and no send either.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from itertools import takewhile
from typing import Any

from redis.asyncio import Redis
from redis.commands.core import AsyncScript
from redis.exceptions import NoScriptError

from gateway.clock import Clock
from gateway.model.errors import NotReplicated

WAIT_MS = 1_000
"""How long a write may take to its replicas; on a healthy network it takes one round trip more."""

_AT_ONCE = 8  # callers that write of one account: half of what there are connections
_RECENT_S = 2.0  # what is asked for less than this after it was missing, is refused without being tried
_KNOWN_S = 15.0  # a miss is told for this long: who met it asks again each second, unless another goes on with it

VOUCHED_FOR = frozenset({"admit", "cancel", "replay", "hold"})
"""Scripts that may find their work done already, and then write nothing. A tick and a lease that is held always do."""

Call = tuple[AsyncScript, Sequence[str | bytes], Sequence[Any]]
"""A script, its keys and its arguments."""


async def replicated(redis: Redis, calls: Sequence[Call], replicas: int) -> tuple[Any, int]:
    """Run CALLS, and wait on their connection until REPLICAS have it; return the first's reply, and how many have."""
    told: list[Any] = []
    replies: list[Any] = []
    for by_name in (True, False):  # a master that does not know a script is sent its text, and then knows it
        async with redis.pipeline(transaction=False) as pipe:
            for script, keys, args in calls[len(told) :]:
                if by_name:
                    pipe.evalsha(script.sha, len(keys), *keys, *args)
                else:
                    pipe.execute_command("EVAL", script.script, len(keys), *keys, *args)
            pipe.execute_command("WAIT", replicas, WAIT_MS)
            replies = await pipe.execute(raise_on_error=False)
        failed = next((reply for reply in replies if isinstance(reply, Exception)), None)
        if failed is None:
            break
        if not (by_name and isinstance(failed, NoScriptError)):
            raise failed
        # What has run is not run again: it would say that it was done already.
        told += takewhile(lambda reply: not isinstance(reply, Exception), replies)
    return [*told, *replies][0], int(replies[-1])


class Replication:
    """Whether REPLICAS replicas have what this process wrote, by account or source (the slot it was written in).

    Every process finds out by itself: its ticks go on, without claims, until they have it.
    """

    def __init__(self, replicas: int, clock: Clock) -> None:
        """Ask for so many REPLICAS; none is missing yet."""
        self.replicas = replicas
        self._clock = clock
        self._missing: dict[str, tuple[int, float]] = {}  # of what → how many had it, and when (monotonic)
        self._turns: dict[str, asyncio.Semaphore] = {}

    @property
    def reason(self) -> str | None:
        """Say what is missing, None where nothing is."""
        known = self._clock.monotonic() - _KNOWN_S
        return next((self._told(reached) for reached, seen in self._missing.values() if seen >= known), None)

    def check(self, of: str) -> None:
        """Raise NotReplicated when something OF the same was missing just now: nothing was done."""
        reached, seen = self._missing.get(of, (0, float("-inf")))
        if self._clock.monotonic() - seen < _RECENT_S:
            raise NotReplicated(f"{self._told(reached)}; nothing was taken")

    @asynccontextmanager
    async def turn(self, of: str) -> AsyncIterator[None]:
        """Write OF it in the block, a few callers at a time; raises NotReplicated while its replicas lag.

        A crowd that waits for connections finds out by the first of it, and not each by a second of its own.
        """
        self.check(of)
        turns = self._turns.setdefault(of, asyncio.Semaphore(_AT_ONCE))
        async with turns:
            self.check(of)
            yield

    def require(self, of: str, reached: int, reply: object) -> None:
        """Note that REACHED replicas have what was written; raises NotReplicated with REPLY when they are too few."""
        if reached >= self.replicas:
            self._missing.pop(of, None)
            return
        self._missing[of] = reached, self._clock.monotonic()
        raise NotReplicated(f"{self._told(reached)}; it was done, and may be lost with the master", reply)

    def _told(self, reached: int) -> str:
        return f"Redis: {reached} of {self.replicas} replicas have what was written, after {WAIT_MS / 1000:g} s"
