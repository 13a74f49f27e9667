"""What goes into the scripts and comes out of them."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal, NamedTuple

from gateway.model.attempt import Claim
from gateway.model.part import Part
from gateway.model.rate import Rate
from gateway.model.target import Target

Admission = Literal["admitted", "duplicate", "conflict", "seen", "full", "away"]
"""What became of a submission; `away`: who keeps its account did not answer, so it may be there or not."""


class Submission(NamedTuple):
    """A checked job on its way into its lane.

    id           the unguessable half of the job's id; the other half is its account
    entry        stream id of the entry it came as, or ""
    fingerprint  of the submitted fields, so that a key used twice for different jobs is noticed
    times        whole milliseconds; `not_before` and `expires_at` since the epoch, `delay` and `ttl` from now
    callback     `<host> <url>`: where the receipt is posted when the job has ended
    """

    account: str
    id: str
    target: str
    fingerprint: str
    parts: tuple[Part, ...]
    entry: str = ""
    key: str | None = None
    requester: str | None = None
    priority: str = "normal"
    not_before: int | None = None
    delay: int | None = None
    expires_at: int | None = None
    ttl: int | None = None
    on_unknown: str | None = None
    metadata: str | None = None
    replay_of: str | None = None
    collapse_key: str | None = None
    callback: str | None = None


@dataclass(frozen=True)
class Limits:
    """The rates the tick applies: by scope, and by target pattern before them (the first match wins).

    `observe` names the scopes whose rates only count what they would have delayed; an override says so itself.
    """

    account: Sequence[Rate]
    group: Sequence[Rate]
    private: Sequence[Rate]
    requester: Sequence[Rate]
    overrides: Sequence[tuple[str, Sequence[Rate], bool]] = ()
    observe: Sequence[str] = ()

    @cached_property
    def packed(self) -> str:
        """The limits as the tick script reads them; glob patterns become Lua patterns."""

        def plain(rates: Sequence[Rate]) -> list[list[int]]:
            return [[rate.count, rate.period] for rate in rates]

        return json.dumps(
            {
                "account": plain(self.account),
                "group": plain(self.group),
                "private": plain(self.private),
                "requester": plain(self.requester),
                "observe": dict.fromkeys(self.observe, True),
                "overrides": [[lua_pattern(target), plain(rates), seen] for target, rates, seen in self.overrides],
            }
        )


def lua_pattern(glob: str) -> str:
    """Return the Lua pattern of a glob of targets: `*` any characters, `?` one."""
    return "^" + re.sub(r"[*?]", lambda match: ".*" if match[0] == "*" else ".", glob) + "$"


@dataclass(frozen=True, slots=True)
class TickPolicy:
    """What one account's ticks apply, in milliseconds; `lease` is counted from the end of a call's own time."""

    limits: Limits
    most_in_flight: int
    lease: int
    settle_for: int
    keep: int
    stream: int
    on_unknown: str
    retries: int

    @property
    def arguments(self) -> list[int | str]:
        """These as the tick script takes them, in its order."""
        of_calls: list[int | str] = [self.most_in_flight, self.lease, self.settle_for]
        return [*of_calls, self.keep, self.stream, self.on_unknown, self.retries, self.limits.packed]


class Ended(NamedTuple):
    """A job that ended, as the script that ended it reports.

    callback   "" when none is due
    age_ms     from its admission to its end
    queued_ms  from its admission to its first claim; None when it was never claimed
    attempts   number of its last attempt
    delivered  how many of its `parts` were delivered, as `message_ids`
    settle_ms  how long nobody knew of it, if ever
    corrected  it was unconfirmed, and is known to have been delivered
    text       its words, as far as the log carries them
    """

    job_id: str
    target: str
    state: str
    code: str
    callback: str
    age_ms: int
    queued_ms: int | None
    attempts: int
    delivered: int
    parts: int
    message_ids: list[int]
    evidence: str
    settle_ms: int | None = None
    key: str | None = None
    requester: str | None = None
    replay_of: str | None = None
    corrected: bool = False
    traceparent: str | None = None
    text: str | None = None


class Noted(NamedTuple):
    """What a tick did by itself to a target, or to the whole account (`name` is `account`).

    what   `held`, `slowed`, `recovered` (from being slowed), `resumed` (after a pause), `failed_over` (Redis has
           another master)
    until  epoch milliseconds; 0 where there is no end
    """

    what: str
    name: str
    reason: str
    until: int


class Look(NamedTuple):
    """A look at the history of a target that an unknown job waits for."""

    job_id: str
    target: Target


class Row(NamedTuple):
    """One of the account's own messages as NapCat lists it; `at` in epoch seconds."""

    message_id: int
    at: int
    fingerprint: str


class Probed(NamedTuple):
    """What was made of a probe: `fine`, `trial` (a pause is nearly over), `paused` or `wrong_account`.

    number  the QQ number that has to be logged in, "" while none is known
    until   epoch milliseconds until which the account is paused, 0 when it is not
    """

    state: str
    number: str
    until: int


@dataclass(frozen=True, slots=True)
class Tick:
    """What a tick found: `next_in` milliseconds to the next turn, or None when there is nothing to wait for.

    probe       whether this replica is to ask NapCat if the account works
    replicated  whether as many replicas have it as are asked for: only then may what was claimed be sent
    """

    next_in: int | None
    has_work: bool
    claims: list[Claim]
    ended: list[Ended]
    noted: list[Noted] = field(default_factory=list)
    looks: list[Look] = field(default_factory=list)
    probe: bool = False
    replicated: bool = True
