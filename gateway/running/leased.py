"""What one replica at a time does, by leases: reading the sources, and listening to the accounts' events."""

import asyncio
from collections.abc import Iterable, Mapping
from contextlib import suppress

from gateway.clock import Clock
from gateway.forward.endpoint import events_address
from gateway.forward.events import Events
from gateway.forward.listener import Listener
from gateway.intake.admission import Admission
from gateway.intake.reader import ListReader, SourceReader
from gateway.lanes.runner import LaneRunner
from gateway.model.errors import StoreUnavailable
from gateway.settings import Account, Intake
from gateway.store.keys import Keys
from gateway.store.scripts.processes import ProcessScripts
from gateway.store.sources import Sources
from gateway.supervise import Supervisor


class Readers:
    """Who reads each source. `all` is one list for ever: who holds it sees sources come and go."""

    def __init__(
        self,
        supervisor: Supervisor,
        admission: Admission,
        sources: Sources,
        scripts: ProcessScripts,
        keys: Keys,
        clock: Clock,
    ) -> None:
        """Begin without a source."""
        self._supervisor = supervisor
        self._admission = admission
        self._sources = sources
        self._scripts = scripts
        self._keys = keys
        self._clock = clock
        self._accounts: list[str] = []
        self.all: list[SourceReader] = []

    async def become(self, intake: Intake, accounts: Mapping[str, Account]) -> None:
        """Read what INTAKE names, for ACCOUNTS; a reader whose source stays goes on as if nothing were."""
        self._accounts[:] = accounts
        kinds: dict[str, type[SourceReader]] = {
            **dict.fromkeys(intake.streams, SourceReader),
            **dict.fromkeys(intake.lists, ListReader),
        }
        known = {reader.source: reader for reader in self.all if type(reader) is kinds.get(reader.source)}
        await self._let_go([reader for reader in self.all if reader not in known.values()])
        fresh = {name: self._reader(name, kind) for name, kind in kinds.items() if name not in known}
        self.all[:] = [known.get(name) or fresh[name] for name in kinds]
        for name, reader in fresh.items():
            self._supervisor.start(f"source {name}", reader.run)

    async def end(self) -> None:
        """Read no more, and give the leases back, so that another replica takes over at once."""
        await self._supervisor.stop(*_named("source", [reader.source for reader in self.all]))
        await _released(self.all)

    def _reader(self, name: str, kind: type[SourceReader]) -> SourceReader:
        stream = self._keys.list_stream(name) if kind is ListReader else name
        return kind(name, stream, self._accounts, self._admission, self._sources, self._scripts, self._clock)

    async def _let_go(self, readers: list[SourceReader]) -> None:
        await self._supervisor.retire(*_named("source", [reader.source for reader in readers]))
        await _released(readers)


class Listeners:
    """Who listens to the events of each account that says where. `by_account` is one mapping for ever."""

    def __init__(
        self,
        supervisor: Supervisor,
        events: Events,
        runners: Mapping[str, LaneRunner],
        scripts: ProcessScripts,
        clock: Clock,
    ) -> None:
        """Begin without an account; each connection of one is a reason to look at it, by RUNNERS."""
        self._supervisor = supervisor
        self._events = events
        self._runners = runners
        self._scripts = scripts
        self._clock = clock
        self._settings: dict[str, Account] = {}
        self.by_account: dict[str, Listener] = {}

    async def become(self, accounts: Mapping[str, Account]) -> None:
        """Listen for ACCOUNTS; a listener whose account stays as it is goes on as if nothing were."""
        wished = {name: account for name, account in accounts.items() if events_address(account)}
        gone = [
            name
            for name, account in self._settings.items()
            if name not in wished or _heard_by(wished[name]) != _heard_by(account)
        ]
        await self._supervisor.retire(*_named("events", gone))
        await _released([self.by_account.pop(name) for name in gone])
        self._settings = wished
        for name, account in wished.items():
            if name not in self.by_account:
                recheck = self._runners[name].recheck
                listener = Listener(account, self._events.take, recheck, self._scripts, self._clock)
                self.by_account[name] = listener
                self._supervisor.start(f"events {name}", listener.run)

    async def end(self) -> None:
        """Listen no more, and give the leases back, so that another replica takes over at once."""
        await self._supervisor.stop(*_named("events", self.by_account))
        await _released(list(self.by_account.values()))


def _heard_by(account: Account) -> tuple[str, str]:
    """Return all that a listener goes by, besides the account's name."""
    return events_address(account), account.token.get_secret_value()


def _named(kind: str, names: Iterable[str]) -> list[str]:
    return [f"{kind} {name}" for name in names]


async def _released(holders: list[SourceReader] | list[Listener]) -> None:
    with suppress(StoreUnavailable):
        await asyncio.gather(*(holder.release() for holder in holders))
