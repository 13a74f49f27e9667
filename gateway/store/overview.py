"""What `overview.lua` counts of one account, and `lane.lua` of one target, as it is read from their replies."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from gateway.model.receipt import FINAL_STATES
from gateway.model.verdict import Verdict


class Hold(NamedTuple):
    """Why a target, or the whole account (`name` is `account`), waits; epoch milliseconds.

    operator  whether a person said so, who then has to let it go
    """

    name: str
    since: int
    until: int
    reason: str
    operator: bool


class Slowed(NamedTuple):
    """By which factor the rates of a target, or of the account, are slowed, and why; epoch milliseconds."""

    name: str
    since: int
    until: int
    reason: str
    factor: int


class Unmatched(NamedTuple):
    """Answers that no rule knows, by how they are worded, and the last job of which; epoch milliseconds."""

    fingerprint: str
    times: int
    since: int
    last: int
    retcode: int | None
    job_id: str


class Window(NamedTuple):
    """How full one rate of a scope is: `used` of `most` sends in `period` ms, and the epoch ms when one more fits."""

    most: int
    period: int
    used: int
    opens_at: int


@dataclass(frozen=True, slots=True)
class LaneNumbers:
    """What one target holds right now; `due` is the epoch ms when its lane may go next, None while it has no turn."""

    queued: int
    in_flight: bool
    due: int | None
    hold: Hold | None
    slowed: Slowed | None
    windows: list[Window]
    observed: bool
    account_windows: list[Window]
    account_observed: bool


class CallbackNumbers(NamedTuple):
    """Callbacks that wait, and since how many milliseconds the oldest; those given up lately, and the last when."""

    waiting: int
    oldest: int
    given_up: int
    given_up_at: int


class Waiting(NamedTuple):
    """A lane with work: how many jobs it has, and what its first one waits for.

    waits   ms since that was admitted, or since it was due; None where it is too large to be looked at
    state   of that job as readers are shown it
    reason  why it waits, "" where nothing holds it up
    eta     epoch milliseconds, where one is known
    """

    target: str
    queued: int
    waits: int | None
    state: str
    reason: str
    eta: int | None


@dataclass(frozen=True, slots=True)
class AccountNumbers:
    """What one account holds right now; times in milliseconds, those with a name in `_at` or `now` since the epoch.

    ended     jobs by final state since its first job
    observed  by scope: sends that an observed rate would have delayed
    overdue   how long the longest-waiting lane is past its turn
    breaker   `closed` (nothing is known against NapCat), `open` or `half_open`
    login     the QQ number seen, or ""
    holds     64 at most, the account's among them; `parked` is how many targets are held
    backlog   the fullest lanes, those whose turn comes first and those on hold
    opened    when the account's own rate opens, or opened, that a tick last met full; 0: none did
    windows   how full the account's own rates are; `observed_account`: they delay nothing
    flow      of the last 60 minutes and this one, latest first: what happened how often (`admitted`; of these
              `scheduled`, later `due`; `verdict:…`, `ended:…`)
    """

    now: int
    queued: int
    lanes: int
    in_flight: int
    scheduled: int
    receipts: int
    overdue: int
    opened: int
    ended: dict[str, int]
    observed: dict[str, int]
    holds: list[Hold]
    parked: int
    slowed: list[Slowed]
    unmatched: list[Unmatched]
    breaker: str
    login: str
    callbacks: CallbackNumbers
    backlog: list[Waiting]
    windows: list[Window]
    observed_account: bool
    flow: list[dict[str, int]]

    @property
    def paused(self) -> Hold | None:
        """The hold of the whole account, if there is one."""
        return next((hold for hold in self.holds if hold.name == "account"), None)

    def happened(self, what: str, minutes: int) -> int:
        """Return how often WHAT happened in the last MINUTES; of the minute only partly in them, its share."""
        share = 1 - self.now % 60_000 / 60_000
        whole = sum(minute.get(what, 0) for minute in self.flow[:minutes])
        return round(whole + share * self.flow[minutes].get(what, 0))

    def answered(self, minutes: int) -> dict[str, int]:
        """Return what the answers to calls proved in the last MINUTES, by verdict."""
        return {verdict.value: self.happened(f"verdict:{verdict.value}", minutes) for verdict in Verdict}

    def came(self, minutes: int) -> int:
        """Return how many jobs came to be sent in the last MINUTES: admitted and not for later, or due by then."""
        return self.happened("admitted", minutes) - self.happened("scheduled", minutes) + self.happened("due", minutes)

    def went(self, minutes: int) -> int:
        """Return how many jobs ended in the last MINUTES."""
        return sum(self.happened(f"ended:{state}", minutes) for state in FINAL_STATES)


def longest_wait(lanes: Iterable[Waiting]) -> int | None:
    """Return how many ms the first job waits of that of LANES where it is longest; None where none is known."""
    return max((lane.waits for lane in lanes if lane.waits is not None), default=None)


def account_numbers(reply: Sequence[Any]) -> AccountNumbers:
    """Return what a REPLY of the script says."""
    (
        counts, lanes, in_flight, scheduled, receipts, overdue, holds, slowed, unmatched, breaker, login,
        callbacks, oldest_callback, parked, backlog, windows, observed, flow, now,
    ) = reply  # fmt: skip
    numbers = _counts(counts)
    return AccountNumbers(
        now=int(now),
        queued=numbers.get("queued", 0),
        lanes=lanes,
        in_flight=in_flight,
        scheduled=scheduled,
        receipts=receipts,
        overdue=overdue,
        opened=numbers.get("opens", 0),
        ended={name: number for name, number in sorted(numbers.items()) if name in FINAL_STATES},
        observed={
            name.removeprefix("observed:"): number
            for name, number in sorted(numbers.items())
            if name.startswith("observed:")
        },
        holds=[_hold(name.decode(), fields) for name, *fields in holds],
        parked=parked,
        slowed=[_slowed(name.decode(), fields) for name, *fields in slowed],
        unmatched=[
            Unmatched(words.decode(), times, int(since), int(last), int(code) if code else None, job.decode())
            for words, times, since, last, code, job in unmatched
        ],
        breaker=breaker.decode(),
        login=login.decode(),
        callbacks=CallbackNumbers(
            callbacks, oldest_callback, numbers.get("given_up", 0), numbers.get("given_up_at", 0)
        ),
        backlog=[_waiting(lane) for lane in backlog],
        windows=_windows(windows),
        observed_account=bool(observed),
        flow=[_counts(minute) for minute in flow],
    )


def lane_numbers(target: str, reply: Sequence[Any]) -> LaneNumbers:
    """Return what a REPLY of the script says of TARGET."""
    queued, in_flight, due, hold, slowed, windows, observed, of_account, account_observed = reply
    return LaneNumbers(
        queued=queued,
        in_flight=bool(in_flight),
        due=int(due) if due else None,
        hold=_hold(target, hold) if hold else None,
        slowed=_slowed(target, slowed) if slowed else None,
        windows=_windows(windows),
        observed=bool(observed),
        account_windows=_windows(of_account),
        account_observed=bool(account_observed),
    )


def _hold(name: str, fields: Sequence[Any]) -> Hold:
    """Return the hold of NAME that the scripts write as {since, until, reason, by an operator}."""
    since, until, why, operator = fields
    return Hold(name, int(since), int(until), why.decode(), bool(operator))


def _slowed(name: str, fields: Sequence[bytes]) -> Slowed:
    """Return how NAME is slowed, which the scripts write as {since, until, reason, factor}."""
    since, until, why, factor = fields
    return Slowed(name, int(since), int(until), why.decode(), int(factor))


def _windows(reply: Iterable[Sequence[Any]]) -> list[Window]:
    """Return windows that the scripts write as {count, period, used, opens at} each."""
    return [Window(*map(int, fields)) for fields in reply]


def _waiting(fields: Sequence[Any]) -> Waiting:
    target, queued, waits, state, reason, eta = fields
    return Waiting(
        target.decode(),
        queued,
        None if waits < 0 else waits,
        state.decode(),
        reason.decode(),
        int(eta) if eta else None,
    )


def _counts(flat: Sequence[Any]) -> dict[str, int]:
    return {name.decode(): int(number) for name, number in zip(flat[::2], flat[1::2], strict=True)}
