"""What somebody wishes for a job, a target or an account: to cancel, replay, hold or release it."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from gateway.store.packing import or_empty
from gateway.store.scripts.runner import ScriptRunner
from gateway.store.values import Ended, TickPolicy


class Cancelled(NamedTuple):
    """What came of a wish to cancel: whether the job is cancelled, else the state that it is too late for."""

    done: bool
    state: str
    target: str
    ended: list[Ended]


class Replayed(NamedTuple):
    """What came of a wish to replay a job: `replayed` or `duplicate` with the replay's id, else why not.

    `not_ended`, `nothing_left`, `gone` (no record is left), `full` and `later` (ask again) come with the job's own id.
    """

    outcome: str
    job_id: str


class WishScripts(ScriptRunner):
    """What callers and operators ask for, and are told; holds also by what NapCat tells."""

    async def cancel(self, account: str, policy: TickPolicy, job_id: str) -> Cancelled | None:
        """Cancel a job of which nothing may have been sent; None when there is no such job."""
        reply = await self._ending("cancel", account, [job_id, policy.keep, policy.stream], 3, relied=True)
        if reply is None:
            return None
        outcome, state, target, ended = reply
        return Cancelled(outcome == b"cancelled", state.decode(), target.decode(), ended)

    async def replay(self, account: str, jobs: Sequence[tuple[str, str]], most: int, max_age: int) -> list[Replayed]:
        """Send JOBS again that ended undelivered, each (its id, the id of the new one); return what came of each.

        At most MOST jobs may then be queued; the new ones expire after MAX_AGE ms.
        """
        args: list[Any] = [most, max_age, len(jobs)]
        for pair in jobs:
            args += pair
        reply = await self._account("replay", account, args, relied=True)
        return [Replayed(outcome.decode(), job_id.decode()) for outcome, job_id in reply]

    async def hold(
        self,
        account: str,
        name: str,
        reason: str,
        *,
        operator: bool,
        milliseconds: int | None = None,
        until: int | None = None,
    ) -> int | None:
        """Hold a target, or the whole account (NAME `account`), for a while, until an instant, or until released.

        Return the epoch milliseconds it is held until; None when nothing changed: the end would be over already, or
        an operator holds it and this is an event (OPERATOR false).
        """
        args = [name, "hold", or_empty(milliseconds), or_empty(until), reason, int(operator)]
        changed, ends = await self._account("hold", account, args, relied=operator)
        return int(ends) if changed else None

    async def release(self, account: str, name: str, reason: str = "", *, operator: bool) -> bool:
        """Let a target, or the account, go on; return whether it was held and now is not.

        REASON lets go only what is held for one of these reasons, parted by blanks.
        """
        args = [name, "release", "", "", reason, int(operator)]
        changed, _ = await self._account("hold", account, args, relied=operator)
        return bool(changed)
