"""One look at everything, for whoever asks within the same second."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import NamedTuple

from gateway.clock import Clock
from gateway.model.errors import StoreUnavailable
from gateway.monitor.presence import REMEMBERED_S
from gateway.settings import Settings
from gateway.store.client import Clients
from gateway.store.keys import Keys
from gateway.store.overview import AccountNumbers
from gateway.store.presence import Replica, replicas
from gateway.store.roster import left_queued
from gateway.store.scripts.readings import ReadingScripts
from gateway.store.server import ServerNumbers, server_numbers
from gateway.store.sources import SourceNumbers, Sources
from gateway.store.values import TickPolicy
from gateway.supervise import end

FRESH_S = 1.0
_PATIENCE_S = 2.0  # a Redis that has not answered by then is told as away


class Shared(NamedTuple):
    """What was found in Redis, for all replicas; of these, those that live.

    newer  accounts of which the data are of a newer format, and so are not known here: why, by account
    absent  jobs that wait for accounts which are no longer in the settings, by account
    """

    accounts: dict[str, AccountNumbers]
    sources: dict[str, SourceNumbers]
    server: ServerNumbers
    replicas: list[Replica]
    newer: Mapping[str, str] = MappingProxyType({})
    absent: Mapping[str, int] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Look:
    """What was found, or why nothing was: `shared` is None while Redis is away.

    at    epoch milliseconds, `seen` the same moment in the Clock's monotonic seconds
    """

    at: int
    seen: float
    shared: Shared | None = None
    lost: str = ""


class Looks:
    """Looks at Redis, once a second at most, however many ask; its cost grows with the accounts, not the jobs."""

    def __init__(
        self,
        settings: Settings,
        policies: Mapping[str, TickPolicy],
        clients: Clients,
        keys: Keys,
        scripts: ReadingScripts,
        sources: Sources,
        clock: Clock,
    ) -> None:
        """Look at every account of SETTINGS; POLICIES say by account which rates count."""
        self._limits = {account.name: policies[account.name].limits for account in settings.accounts}
        self._intake = settings.intake
        self._clients = clients
        self._keys = keys
        self._scripts = scripts
        self._sources = sources
        self._clock = clock
        self._taking: asyncio.Task[Look] | None = None
        self._last: Look | None = None

    async def latest(self) -> Look:
        """Return a look that is no older than a second; those who ask while one is being taken wait for it."""
        if self._last is not None and self._clock.monotonic() - self._last.seen < FRESH_S:
            return self._last
        if self._taking is None:
            self._taking = asyncio.create_task(self._take(), name="look")
            self._taking.add_done_callback(self._taken)
        return await asyncio.shield(self._taking)

    async def end(self) -> None:
        """Return when no look is being taken: who asked for it is answered."""
        if self._taking is not None:
            await asyncio.wait({self._taking})

    async def close(self) -> None:
        """Give up a look that is being taken."""
        if self._taking is not None:
            await end({self._taking})

    def _taken(self, task: "asyncio.Task[Look]") -> None:
        self._taking = None
        if not task.cancelled() and task.exception() is None:
            self._last = task.result()

    async def _take(self) -> Look:
        at, seen = self._clock.epoch_ms(), self._clock.monotonic()
        try:
            async with asyncio.timeout(_PATIENCE_S):
                return Look(at, seen, await self._shared())
        except StoreUnavailable as error:
            return Look(at, seen, lost=str(error))
        except TimeoutError:
            return Look(at, seen, lost=f"Redis: no answer for {_PATIENCE_S:.0f} s")

    async def _shared(self) -> Shared:
        server = await server_numbers(self._clients)
        remembered = server.now - REMEMBERED_S * 1000
        return Shared(
            server=server,
            accounts=(accounts := await self._scripts.overviews(self._limits)),
            sources=await self._sources.numbers(self._intake.streams, self._intake.lists),
            replicas=[one for one in await replicas(self._clients, self._keys) if one.seen_at >= remembered],
            newer={name: str(newer) for name, newer in self._scripts.newer.items() if name not in accounts},
            absent=await left_queued(self._clients, self._keys, self._limits),
        )
