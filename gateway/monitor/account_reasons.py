"""What is not well with an account, and what to do about it: pure, from one look."""

from collections.abc import Iterator
from itertools import chain

from gateway.model.instant import format_instant
from gateway.model.listening import Listening
from gateway.monitor.look import Shared
from gateway.monitor.reasons import Reason, reason
from gateway.store.overview import AccountNumbers

_RECENT_MS = 3_600_000  # answers that no rule knows, and callbacks given up, are a reason to look for this long
_MOVING_S = 30.0  # in which lanes may stand that had their turn before: who is logged in is asked first
_DEAF_S = 30.0  # how long NapCat's events may be missing before that is told
_OVERDUE_MS = 30_000  # how long a lane may be past its turn: ticks come each second
_MINUTES = 5  # over which the backlog and unclear answers are looked at
_BACKLOG = 100  # jobs that may wait whatever comes in
_UNCLEAR = 0.2  # share of answers that prove nothing, of _ANSWERS at least
_ANSWERS = 10

_PAUSED = {
    "bot_offline": "log the account in again in NapCat; it is asked every half minute at most, and goes on by itself",
    "bad_token": "set the account's token to the one in NapCat's network settings",
    "wrong_account": "another QQ number is logged in there; log the right one in, or resume to take this one",
    "account_restricted": "open QQ with this account and see what it asks for; then resume the account",
    "risk_control": "QQ confirms nothing any more, to several targets; write less from this account, and resume it",
    "muted_everywhere": "many groups at once say that the account is muted; see in QQ whether it is restricted",
}
"""What to do about a pause, by its reason."""

UNSEEN = "ask who has a key for all targets: the account's `unmatched` names a job whose receipt has NapCat's words"
"""What to do about answers that no rule knows, for a key that does not reach every target."""


def of_account(name: str, numbers: AccountNumbers, most_queued: int, uptime_s: float) -> list[Reason]:
    """Return what is not well with an account, in which MOST_QUEUED jobs may wait; this process is up for so long."""
    about = chain(
        _paused(numbers),
        _slowed(numbers),
        _stuck(numbers) if uptime_s >= _MOVING_S else (),
        _full(numbers, most_queued),
        _growing(numbers),
        _unclear(numbers),
        _unmatched(name, numbers),
        _callbacks(numbers),
    )
    return [{"code": found["code"], "account": name} | found for found in about]


def of_newer(shared: Shared) -> list[Reason]:
    """Return which accounts only a newer gateway can serve."""
    return [
        reason(
            "data_newer",
            detail,
            "newer replicas serve it; end this one, or upgrade it: nothing it could do for this account would be safe",
            account=name,
        )
        for name, detail in shared.newer.items()
    ]


def absent(name: str, queued: int) -> Reason:
    """Return the reason of an account that was served once, and has QUEUED jobs that nobody here sends."""
    return reason(
        "account_absent",
        f"{queued} jobs wait for it, and it is none of accounts any more",
        "put it back into accounts and reload: they are sent then; until that they stay where they are, in Redis",
        account=name,
    )


def of_events(name: str, listening: Listening, monotonic: float) -> list[Reason]:
    """Return whether the events of an account have been missing for too long."""
    if listening.state != "connecting" or monotonic - listening.began < _DEAF_S:
        return []
    return [
        reason(
            "events_lost",
            f"no events since {format_instant(listening.since)}: {listening.error or 'no connection yet'}",
            "jobs go on, but unclear answers and mutes go unnoticed; check accounts[].events_url, NapCat's WebSocket "
            "server and the token",
            account=name,
        )
    ]


def _paused(numbers: AccountNumbers) -> Iterator[Reason]:
    if (held := numbers.paused) is None:
        return
    if held.operator:
        yield reason(
            "account_paused",
            f"paused by an operator since {format_instant(held.since)}: {held.reason}",
            f"jobs wait until {format_instant(held.until)}, or until it is resumed",
        )
    else:
        yield reason(
            "account_paused",
            f"paused since {format_instant(held.since)}: {held.reason}",
            "jobs wait and lose no attempt; "
            + _PAUSED.get(held.reason, "check that NapCat runs, its address and its token"),
        )


def _slowed(numbers: AccountNumbers) -> Iterator[Reason]:
    for entry in numbers.slowed:
        if entry.name == "account":
            yield reason(
                "account_slowed",
                f"sends {entry.factor} times as slowly until {format_instant(entry.until)}: {entry.reason}",
                "it recovers by itself, step by step, when nothing more happens; look into QQ whether messages arrive",
            )


def _stuck(numbers: AccountNumbers) -> Iterator[Reason]:
    if numbers.overdue >= _OVERDUE_MS and numbers.paused is None and not _held_up(numbers):
        yield reason(
            "lanes_overdue",
            f"a target could go since {numbers.overdue // 1000} s, and nobody takes its turn",
            "see tasks and replicas: a process that moves the lanes of this account is missing or stuck; restart it",
        )


def _held_up(numbers: AccountNumbers) -> bool:
    """Whether the account's own rates, or a trial, keep everything waiting that could go, or something goes."""
    full = any(window.opens_at > numbers.now for window in numbers.windows) and not numbers.observed_account
    # A rate that opened just now, and a trial after a pause, let one go after the other.
    just_opened = 0 <= numbers.now - numbers.opened < _OVERDUE_MS
    return full or just_opened or numbers.breaker == "half_open" or numbers.in_flight > 0


def _full(numbers: AccountNumbers, most: int) -> Iterator[Reason]:
    if numbers.queued >= most:
        yield reason(
            "account_full",
            f"{numbers.queued} jobs wait, as many as intake.max_queued allows; new ones stay in their source or get a "
            "503",
            "see why they do not go (holds, rates), or raise intake.max_queued",
        )


def _growing(numbers: AccountNumbers) -> Iterator[Reason]:
    ready = numbers.queued - numbers.scheduled
    came, went = numbers.came(_MINUTES), numbers.went(_MINUTES)
    if ready < _BACKLOG or came - went < max(_BACKLOG, came // 4):
        return
    ahead = f"at that pace the last goes in {ready * _MINUTES / went:.0f} min" if went else "none of them goes"
    yield reason(
        "backlog_growing",
        f"{ready} jobs wait; in the last {_MINUTES} min {came} came and {went} ended: {ahead}",
        "see backlog.targets for where, and holds and rates for why; raise limits that are too narrow, or send less",
    )


def _unclear(numbers: AccountNumbers) -> Iterator[Reason]:
    answers = numbers.answered(_MINUTES)
    total = sum(answers.values())
    if total >= _ANSWERS and answers["unknown"] >= _UNCLEAR * total:
        yield reason(
            "answers_unclear",
            f"{answers['unknown']} of {total} answers in the last {_MINUTES} min prove nothing",
            "NapCat or QQ is slow, or drops the connection; what is unclear is settled by evidence, not sent twice",
        )


def _unmatched(account: str, numbers: AccountNumbers) -> Iterator[Reason]:
    answers = numbers.unmatched
    latest = max(answers, key=lambda answer: answer.last, default=None)
    if latest is not None and latest.last >= numbers.now - _RECENT_MS:
        yield reason(
            "answers_unmatched",
            f"{sum(answer.times for answer in answers)} answers that no rule knows, {len(answers)} wordings, "
            f"the last at {format_instant(latest.last)}",
            f"see what NapCat says in the receipt of {account}.{latest.job_id}, and add a rule to delivery.rules",
        )


def _callbacks(numbers: AccountNumbers) -> Iterator[Reason]:
    callbacks = numbers.callbacks
    if callbacks.given_up_at >= numbers.now - _RECENT_MS:
        yield reason(
            "callbacks_failing",
            f"{callbacks.given_up} callbacks given up lately, the last at {format_instant(callbacks.given_up_at)}",
            "look for callback.given_up in the log: it names job, host and answer; the receipts can still be read",
        )
