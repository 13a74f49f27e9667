"""What is told of jobs, messages, targets and accounts; nothing here writes."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from gateway.store.client import translated
from gateway.store.overview import AccountNumbers, LaneNumbers, account_numbers, lane_numbers
from gateway.store.packing import or_empty
from gateway.store.scripts.runner import ScriptRunner
from gateway.store.values import Limits, lua_pattern

_AT_ONCE = 16  # accounts that are looked at in one round trip: between two, the lanes have their turn


class Said(NamedTuple):
    """What a job says: action and body of each of its parts, as long as its record holds them; the first are sent."""

    job_id: str
    target: str
    delivered: int
    parts: list[tuple[str, bytes]]


class Sent(NamedTuple):
    """Whose a message is that this gateway sent, and whether it was taken back."""

    target: str
    job_id: str
    recalled: bool


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which jobs are looked for; what is empty says nothing. `since` and `until` in epoch ms, both included.

    patterns    the targets within reach, as globs: none of them where there are none; None: all
    unreplayed  only what was not replayed
    """

    states: frozenset[str] = frozenset()
    target: str = ""
    since: int | None = None
    until: int | None = None
    patterns: tuple[str, ...] | None = None
    unreplayed: bool = False


class Found(NamedTuple):
    """A job that was found: the id of its entry in the index, its own, and its receipt as JSON, without attempts."""

    entry: str
    job_id: str
    receipt: bytes


class ReadingScripts(ScriptRunner):
    """What readers of receipts and monitors ask for."""

    async def read(self, account: str, job_id: str = "", key: str = "") -> bytes | None:
        """Return the receipt of the job with this id, or with this idempotency key, as JSON."""
        reply: bytes | None = await self._account("read", account, [job_id, key])
        return reply

    async def message(self, account: str, job_id: str = "", key: str = "") -> Said | None:
        """Return what the job with this id, or with this idempotency key, says; None when there is no such job."""
        reply = await self._account("message", account, [job_id, key])
        if reply is None:
            return None
        found, target, delivered, *parts = reply
        actions = [action.decode() for action in parts[::2]]
        return Said(found.decode(), target.decode(), delivered, list(zip(actions, parts[1::2], strict=True)))

    async def whose(self, account: str, message_id: int) -> Sent | None:
        """Return whose a message is that ACCOUNT sent today or yesterday; None when it is not known to be ours."""
        reply = await self._account("whose", account, [message_id])
        return Sent(reply[0].decode(), reply[1].decode(), bool(reply[2])) if reply else None

    async def search(
        self, account: str, wanted: Wanted, begin: str, most: int, *, letters: bool, oldest_first: bool = False
    ) -> tuple[str, list[Found]]:
        """Look for up to MOST jobs, newest first, from the entry BEGIN of the index of all (or of the dead LETTERS).

        BEGIN is `+` (`-` for the OLDEST_FIRST), an entry's id, or `(` and an id: behind it. Return the id of the last
        entry that was looked at, "" at the end of the index, and what was found up to there: one call looks at some
        records only.
        """
        args: list[Any] = ["letters" if letters else "index", begin, most, " ".join(sorted(wanted.states))]
        args += [wanted.target, or_empty(wanted.since), or_empty(wanted.until)]
        args += [json.dumps([lua_pattern(glob) for glob in wanted.patterns]) if wanted.patterns is not None else ""]
        args += [int(wanted.unreplayed), int(oldest_first)]
        stopped, found = await self._account("search", account, args)
        return stopped.decode(), [Found(entry.decode(), job.decode(), receipt) for entry, job, receipt in found]

    async def lane(self, account: str, target: str, limits: Limits) -> LaneNumbers:
        """Return what TARGET holds in ACCOUNT right now, and how full its LIMITS are; TARGET may be `account`."""
        return lane_numbers(target, await self._account("lane", account, [target, limits.packed]))

    async def overview(self, account: str, limits: Limits | None = None) -> AccountNumbers:
        """Return what ACCOUNT holds right now, and how full its LIMITS are, where these are told."""
        return account_numbers(await self._account("overview", account, [limits.packed if limits else ""]))

    async def overviews(self, limits: Mapping[str, Limits]) -> dict[str, AccountNumbers]:
        """Return the same of many accounts, a few in one round trip; LIMITS by account.

        Those of which the data are of a newer format are left out: `newer` says so.
        """
        found: dict[str, AccountNumbers] = {}
        with translated(), self._metrics.redis_seconds.labels("overview").time():
            for begin in range(0, len(limits), _AT_ONCE):
                some = list(limits)[begin : begin + _AT_ONCE]
                async with self._redis.pipeline(transaction=False) as pipe:
                    for account in some:
                        await self._scripts["overview"](self._ring(account), [limits[account].packed], client=pipe)
                    replies = await pipe.execute(raise_on_error=False)
                for account, reply in zip(some, replies, strict=True):
                    if (numbers := self._numbers(account, reply)) is not None:
                        found[account] = numbers
        return found

    def _numbers(self, account: str, reply: Any) -> AccountNumbers | None:
        """Return what a REPLY says that is one of many; None when the data are of a newer format."""
        if not isinstance(reply, Exception):
            self.newer.pop(account, None)
            return account_numbers(reply)
        if self._found_newer(account, reply) is None:
            raise reply
        return None
