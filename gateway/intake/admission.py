"""The one door: every source ends here."""

import asyncio
from collections.abc import Sequence
from typing import NamedTuple

from gateway.clock import Clock
from gateway.intake.preparation import prepare
from gateway.model.errors import (
    DataNewer,
    Fault,
    NotReplicated,
    QueueFull,
    Refused,
    StoreAway,
    StoreRefuses,
    StoreUnavailable,
)
from gateway.model.receipt import Receipt
from gateway.settings import Key, Settings
from gateway.store.bell import Bell
from gateway.store.pressure import Pressure
from gateway.store.scripts import Scripts
from gateway.store.values import Admission as Outcome
from gateway.store.values import Submission
from gateway.web import may_use

_LARGE = 64 * 1024  # bytes of a job that is checked in a thread

_APART = (StoreAway, NotReplicated, StoreRefuses)
"""What one master of a cluster may say while others go on."""

_OF_ONE = (*_APART, DataNewer)
"""What may be said of one account while others are served."""


class Admitted(NamedTuple):
    """What became of a submission: `id` is the public job id (of the first job, when it is a duplicate)."""

    outcome: Outcome
    id: str


class Admission:
    """Checks, converts and routes a job, and puts it into its lane together with its record and its key."""

    def __init__(self, settings: Settings, scripts: Scripts, bell: Bell, pressure: Pressure, clock: Clock) -> None:
        """Admit by the rules of SETTINGS, while PRESSURE allows it."""
        self._settings = settings
        self._scripts = scripts
        self._bell = bell
        self._pressure = pressure
        self._clock = clock

    def become(self, settings: Settings) -> None:
        """Admit by the rules of SETTINGS from now on; what was prepared before is admitted as it is."""
        self._settings = settings

    async def prepare(self, raw: bytes, *, key: str | None = None, entry: str = "") -> Submission:
        """Return the job in RAW, checked and converted to the bytes NapCat will get.

        KEY is an idempotency key given beside the body, ENTRY the stream id it was read under. Raises Refused naming
        every wrong field.
        """
        if len(raw) < _LARGE:
            return prepare(raw, self._settings, self._clock.token(), key=key, entry=entry)
        # A large one takes tenths of a second: in a thread, so that the lanes go on meanwhile.
        return await asyncio.to_thread(prepare, raw, self._settings, self._clock.token(), key=key, entry=entry)

    async def admit(self, submissions: Sequence[Submission], source: str = "") -> list[Admitted]:
        """Put SUBMISSIONS into their lanes and return what became of each, in their order.

        SOURCE names the stream they were read from; entries it has already given are `seen`, and those of an account
        are `away` when who keeps it does not answer, or takes none of its jobs while that says nothing about others.
        Raises StoreUnavailable, and StoreRefuses while Redis has no room; the same call may then be made again without
        admitting anything twice.
        """
        if not submissions:
            return []
        await self._pressure.check()
        try:
            return await self._admit(submissions, source)
        except StoreRefuses as error:
            self._pressure.refused(error)
            raise

    async def admit_one(self, submission: Submission) -> Admitted:
        """Put SUBMISSION into its lane; raises as `admit`, and Refused or QueueFull when it could not be put there."""
        (admitted,) = await self.admit([submission])
        if (error := why_not(submission, admitted)) is not None:
            raise error
        return admitted

    async def state(self, admitted: Admitted) -> str:
        """Return how far a job has come that was ADMITTED just now, or before, where it is a duplicate."""
        if admitted.outcome != "duplicate":
            return "queued"
        account, _, job_id = admitted.id.partition(".")
        document = await self._scripts.read(account, job_id=job_id)
        return Receipt.model_validate_json(document).state if document else "queued"

    async def _admit(self, submissions: Sequence[Submission], source: str) -> list[Admitted]:
        by_account: dict[str, list[int]] = {}
        for place, submission in enumerate(submissions):
            by_account.setdefault(submission.account, []).append(place)
        admitted: dict[int, Admitted] = {}
        missed: list[StoreUnavailable] = []

        async def admit(account: str, places: Sequence[int]) -> None:
            try:
                answers = await self._scripts.admit(
                    account,
                    source,
                    [submissions[place] for place in places],
                    self._settings.intake.max_queued,
                    self._settings.results.keep,
                    self._settings.delivery.max_age,
                    self._settings.results.stream,
                )
            except StoreUnavailable as error:
                missed.append(error)
                answers = [("away", "")] * len(places)
            for place, (outcome, job_id) in zip(places, answers, strict=True):
                admitted[place] = Admitted(outcome, f"{account}.{job_id}")

        if len(by_account) == 1:
            await admit(*next(iter(by_account.items())))
        else:  # at once: in a cluster one that waits for its master must not hold up the others
            await asyncio.gather(*(admit(account, places) for account, places in by_account.items()))
        if missed:
            self._bell.wake(by_account)  # the answer may have been lost, and the jobs be there
            some = len(missed) < len(by_account)
            alone = _OF_ONE if some else _APART if self._pressure.apart else StoreAway
            for error in missed:
                if not (source and isinstance(error, alone)):
                    raise error
        await self._bell.ring(list(by_account))
        return [admitted[place] for place in range(len(submissions))]


def why_not(submission: Submission, admitted: Admitted) -> Refused | QueueFull | None:
    """Return why SUBMISSION was not admitted; None when it, or the same job before it, was."""
    if admitted.outcome == "full":
        return QueueFull(submission.account)
    if admitted.outcome == "conflict":
        return key_reused(submission.key)
    return None


def check_reach(key: Key | None, submission: Submission) -> None:
    """Raise Refused for a job whose target the KEY of who submits it does not reach."""
    if not may_use(key, submission.target):
        raise Refused("forbidden", f"this key may not send to {submission.target}; see auth.keys[].targets")


def key_reused(key: str | None) -> Refused:
    """Return the refusal of a key that was given before with other fields."""
    return Refused(
        "key_reused",
        f"the idempotency key {key!r} was used for a job with other fields",
        [Fault("key", "send the same fields again, or a new key for a new job", "key_reused")],
    )
