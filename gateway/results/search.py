"""Finding jobs in the indexes of all accounts: newest first, without gap or repeat while jobs come in and end."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, NamedTuple

from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError

from gateway.clock import Clock
from gateway.lanes.address import known_account
from gateway.model.errors import Refused
from gateway.model.instant import Instant
from gateway.model.receipt import UNDELIVERED, State
from gateway.model.target import parse_target
from gateway.model.wording import faults_of
from gateway.settings import Key
from gateway.store.scripts.readings import Found, ReadingScripts, Wanted
from gateway.web import reaches_all

_MOST = 500  # found in one look


def _states(value: Any) -> Any:
    if isinstance(value, str):
        return tuple(value.split(","))
    if not isinstance(value, list):
        raise ValueError("write a state, or a list of states")  # noqa: TRY004 - pydantic turns it into a field error
    return tuple(value)


def _target(value: Any) -> str:
    try:
        return str(parse_target(str(value)))
    except Refused as refusal:
        raise ValueError(refusal.detail) from None


States = Annotated[tuple[State, ...], BeforeValidator(_states)]


class Filter(BaseModel):
    """Which jobs are meant: all that is given has to fit; `since` and `until` are about `updated_at`."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    state: States = ()
    target: Annotated[str, BeforeValidator(_target)] | None = None
    account: str | None = None
    since: Instant | None = None
    until: Instant | None = None

    def wanted(self, key: Key | None, *, unreplayed: bool = False) -> Wanted:
        """Return what is looked for on behalf of KEY, which finds only jobs of its own targets."""
        return Wanted(
            states=frozenset(self.state),
            target=self.target or "",
            since=self.since,
            until=self.until,
            patterns=None if key is None or reaches_all(key) else key.targets,
            unreplayed=unreplayed,
        )


class Position(NamedTuple):
    """A place in the order of all jobs: behind the entry `ms`-`seq` of the index of `account`."""

    ms: int
    seq: int
    account: str

    @classmethod
    def of(cls, entry: str, account: str) -> "Position":
        """Return the position of an index's ENTRY."""
        ms, _, seq = entry.partition("-")
        return cls(int(ms), int(seq), account)

    def begin(self, account: str) -> str:
        """Return where the index of ACCOUNT goes on behind this position."""
        entry = f"{self.ms}-{self.seq}"
        return entry if account < self.account else f"({entry}"


_END = Position(-1, -1, "")


class Hit(NamedTuple):
    """A job that was found, and the account it is of."""

    account: str
    found: Found


class Page(NamedTuple):
    """What was found, newest first, and where to go on; `after` is None at the end of all."""

    hits: list[Hit]
    after: Position | None


@dataclass
class _Index:
    """How far one account's index was read: what was found and not yet given, and behind which position it goes on."""

    account: str
    begin: str
    ready: list[Found] = field(default_factory=list)
    reached: Position | None = None
    at_end: bool = False


class Search:
    """Reads the indexes of several accounts as one, newest first.

    Jobs stand in the order of their admission, which never changes, so a page goes on exactly where the last one
    ended, whatever came in, ended or was dropped meanwhile. What ended undelivered stands in the order of its end.
    """

    def __init__(self, scripts: ReadingScripts, clock: Clock, accounts: Sequence[str]) -> None:
        """Look into ACCOUNTS."""
        self._scripts = scripts
        self._clock = clock
        self._accounts = accounts
        self._turn = asyncio.Lock()

    async def page(
        self, wanted: Wanted, account: str | None, after: Position | None, most: int, seconds: float
    ) -> Page:
        """Return up to MOST jobs behind AFTER; fewer, and where to go on, when SECONDS are over before."""
        ends_at = self._clock.monotonic() + seconds
        # What ended without delivery has an index of its own, however many jobs were delivered since.
        letters = bool(wanted.states) and wanted.states <= UNDELIVERED
        indexes = [_Index(name, after.begin(name) if after else "+") for name in self._chosen(account)]
        hits: list[Hit] = []
        limit = _END  # what lies behind this position is not known completely
        while True:
            # Only the index that gave the last hit can have nothing more at hand, or, before the first, several.
            blank = [index for index in indexes if not index.ready and not index.at_end]
            if blank and all(index.reached for index in blank) and self._clock.monotonic() >= ends_at:
                limit = max(index.reached for index in blank if index.reached)
            elif blank:
                for index in blank:
                    await self._read(index, wanted, most - len(hits), letters)
                continue
            newest = max((index for index in indexes if index.ready), key=_next_of, default=None)
            if newest is None or _next_of(newest) < limit:
                return Page(hits, None if limit == _END else limit)
            hits.append(Hit(newest.account, newest.ready.pop(0)))
            if len(hits) == most:
                at_end = all(index.at_end and not index.ready for index in indexes)
                return Page(hits, None if at_end else Position.of(hits[-1].found.entry, newest.account))

    async def _read(
        self, index: _Index, wanted: Wanted, most: int, letters: bool, *, oldest_first: bool = False
    ) -> None:
        # One at a time for the whole process, however many look for something: sending comes first.
        async with self._turn:
            stopped, index.ready = await self._scripts.search(
                index.account, wanted, index.begin, most, letters=letters, oldest_first=oldest_first
            )
        index.at_end = not stopped
        if stopped:
            index.begin = f"({stopped}"
            index.reached = Position.of(stopped, index.account)

    async def oldest(self, wanted: Wanted, account: str | None) -> AsyncIterator[Hit]:
        """Yield every job that is WANTED of what ended undelivered: account by account, the oldest end first."""
        for name in self._chosen(account):
            index = _Index(name, "-")
            while not index.at_end:
                await self._read(index, wanted, _MOST, letters=True, oldest_first=True)
                for found in index.ready:
                    yield Hit(name, found)

    def _chosen(self, account: str | None) -> Sequence[str]:
        return self._accounts if account is None else [known_account(account, self._accounts)]


def parse_filter(fields: dict[str, Any], code: str, prefix: str = "") -> Filter:
    """Return the filter in FIELDS; raises Refused with CODE and a fault, its place after PREFIX, for each wrong one."""
    try:
        return Filter.model_validate(fields)
    except ValidationError as error:
        faults = faults_of(error, prefix)
        raise Refused(code, "the filter cannot be used", faults) from None


def _next_of(index: _Index) -> Position:
    return Position.of(index.ready[0].entry, index.account)
