"""The slots of a cluster: which master answers for which, as the cluster itself says."""

import asyncio
import random
import time
from functools import lru_cache
from typing import Any

from redis.crc import key_slot
from redis.exceptions import AskError, ClusterDownError, MovedError, RedisError, ResponseError
from redis.exceptions import ConnectionError as Disconnected

from gateway.model.errors import SettingsInvalid
from gateway.settings.redis_url import Node, RedisUrl
from gateway.store.connections import asking_client
from gateway.supervise import end

_SLOTS = 16_384
_ANSWER = 1.0  # seconds a node has to answer
_PAUSE = 0.2  # seconds between two questions: during a failover, every command that fails would ask


class SlotMap:
    """Knows the masters of the cluster at a URL, and asks again when one of them was not what it should be."""

    def __init__(self, url: RedisUrl) -> None:
        """Ask the nodes in URL first; nothing connects yet."""
        self._url = url
        self._owners: list[Node | None] = []
        self._doubted: set[Node] = set()
        self._stale = True
        self._asked = float("-inf")
        self._asking: asyncio.Task[None] | None = None
        self.masters: tuple[Node, ...] = ()

    async def owner(self, slot: int | None) -> Node:
        """Return who answers for SLOT; for None, any master.

        Raises redis' ConnectionError when no node tells, ClusterDownError when nobody serves the slot.
        """
        if self._stale:
            await self.look()
        if slot is None:
            return self.guess()
        owner = self._owners[slot]
        if owner is None:
            self._stale = True  # nothing is sent that would fail and say so
            raise ClusterDownError(f"CLUSTERDOWN no master of the cluster serves slot {slot}")
        return owner

    def guess(self) -> Node:
        """Return a node that may well live, without asking."""
        known = [node for node in self.masters if node not in self._doubted]
        return random.choice(known or self.masters or self._url.nodes)  # noqa: S311 - no secret

    async def look(self) -> None:
        """Ask the cluster, if there is a reason to and nobody did just now."""
        if not self._stale or (self.masters and time.monotonic() - self._asked < _PAUSE):
            return
        if self._asking is None:
            self._asking = asyncio.create_task(self._ask(), name="ask the cluster")
            self._asking.add_done_callback(self._answered)
        await asyncio.shield(self._asking)

    def doubt(self, node: Node) -> None:
        """Ask before the next command, and others before NODE: it did not answer as a master does."""
        self._doubted.add(node)
        self._stale = True

    def moved(self, error: MovedError, asked: Node) -> Node:
        """Take what the node that was ASKED says of who has a slot now; return who that is."""
        owner = told_by(error, asked)
        self._owners[error.slot_id] = owner
        self._stale = True  # more than this slot may have moved
        self._doubted.discard(owner)
        return owner

    async def close(self) -> None:
        """Ask no more."""
        if self._asking is not None:
            await end({self._asking})

    def _answered(self, task: "asyncio.Task[None]") -> None:
        self._asking = None
        if not task.cancelled():
            task.exception()  # told to who waits, if anybody still does

    async def _ask(self) -> None:
        """Ask one node after the other, those in doubt last; what is known stays when none answers."""
        known = random.sample(self.masters, len(self.masters))
        nodes = list(dict.fromkeys([*known, *self._url.nodes]))
        nodes.sort(key=lambda node: node in self._doubted)
        reasons = []
        for node in nodes:
            try:
                ranges = await self._ranges(node)
            except (RedisError, OSError) as error:
                reasons.append(f"{node}: {error}")
                continue
            self._take(node, ranges)
            return
        self._asked = time.monotonic()
        if not self.masters:
            raise Disconnected(f"no node of the cluster tells who serves what: {'; '.join(reasons)}")

    async def _ranges(self, node: Node) -> list[Any]:
        redis = asking_client(self._url.of(node), _ANSWER)
        try:
            # Spelled so, redis-py leaves the reply as it is; all versions know it, and it names hosts for clients.
            ranges: list[Any] = await redis.execute_command("CLUSTER", "SLOTS")  # type: ignore[no-untyped-call]
        except ResponseError as error:
            if "cluster support disabled" in str(error):
                raise SettingsInvalid(
                    f"redis.url: {node} is no node of a cluster; write redis://… for a single server"
                ) from None
            raise
        finally:
            await redis.aclose()
        if not ranges:
            raise Disconnected("it is in no cluster yet, or sees none of its masters")
        return ranges

    def _take(self, asked: Node, ranges: list[Any]) -> None:
        owners: list[Node | None] = [None] * _SLOTS
        for first, last, (host, port, *_), *_ in ranges:
            name = host.decode() if isinstance(host, bytes) else host
            # Without a name, or with an unknown one, it is the host that was asked.
            owner = Node(name if name and name != "?" else asked.host, port)
            owners[first : last + 1] = [owner] * (last + 1 - first)
        self._owners = owners
        self.masters = tuple(sorted({owner for owner in owners if owner is not None}))
        self._doubted &= set(self.masters) - {asked}
        self._stale = False
        self._asked = time.monotonic()


def told_by(error: AskError, asked: Node) -> Node:
    """Return whom a redirection of the node that was ASKED names; one without a host means the same host."""
    return Node(error.host.strip("[]") or asked.host, error.port)


@lru_cache(8192)
def slot_of(key: str | bytes) -> int:
    """Return the slot of KEY."""
    return int(key_slot(key.encode() if isinstance(key, str) else key))
