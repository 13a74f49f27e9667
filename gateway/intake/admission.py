"""The one door: every source ends here."""

import asyncio
import difflib
import hashlib
import json
from collections.abc import Sequence
from fnmatch import fnmatchcase
from typing import Any, NamedTuple

from pydantic import ValidationError

from gateway.clock import Clock
from gateway.convert import convert, message_faults, parse_document
from gateway.model.errors import Fault, Refused
from gateway.model.job import Job
from gateway.settings import Settings
from gateway.store.bell import Bell
from gateway.store.scripts import Scripts
from gateway.store.values import Admission as Outcome
from gateway.store.values import Submission

_NOT_SERVED = {
    "callback_url": "receipts are not posted to URLs yet; read the receipts stream or GET /v1/jobs/{id}",
    "collapse_key": "collapsing is not done yet; leave it out",
}
"""Fields the contract names and this version does not honour: refused, since ignoring them would break a promise."""

_LARGE = 64 * 1024  # bytes of a job that is checked in a thread
_MOST_FAULTS = 50  # told at once

_WORDS = (
    ("Input should be a valid dictionary", "must be an object"),
    ("Input should be a valid ", "must be a "),
    ("Input should be ", "must be "),
    ("String should have ", "must have "),
    ("List should have ", "must have "),
    ("Dictionary should have ", "must have "),
)
"""The validation library's words in ours."""


class Admitted(NamedTuple):
    """What became of a submission: `id` is the public job id (of the first job, when it is a duplicate)."""

    outcome: Outcome
    id: str


class Admission:
    """Checks, converts and routes a job, and puts it into its lane together with its record and its key."""

    def __init__(self, settings: Settings, scripts: Scripts, bell: Bell, clock: Clock) -> None:
        """Admit by the rules of SETTINGS."""
        self._settings = settings
        self._scripts = scripts
        self._bell = bell
        self._clock = clock
        self._accounts = {account.name: account for account in settings.accounts}

    async def prepare(self, raw: bytes, *, key: str | None = None, entry: str = "") -> Submission:
        """Return the job in RAW, checked and converted to the bytes NapCat will get.

        KEY is an idempotency key given beside the body, ENTRY the stream id it was read under. Raises Refused naming
        every wrong field.
        """
        if len(raw) > self._settings.http.max_body:
            raise Refused(
                "too_large", f"the job has {len(raw)} bytes; at most {self._settings.http.max_body} (http.max_body)"
            )
        if len(raw) < _LARGE:
            return self._prepare(raw, key, entry)
        # A large one takes tenths of a second: in a thread, so that the lanes go on meanwhile.
        return await asyncio.to_thread(self._prepare, raw, key, entry)

    def _prepare(self, raw: bytes, key: str | None, entry: str) -> Submission:
        document = parse_document(raw)
        try:
            job = parse_job(document)
        except Refused as refusal:
            # All that is wrong is told at once, though the message is only used with a good job.
            refusal.errors = [*refusal.errors, *message_faults(document, self._settings.media)]
            raise
        if key is not None:
            job = _with_key(job, key)
        return Submission(
            account=self._route(job),
            id=self._clock.token(),
            target=str(job.target),
            fingerprint=_fingerprint(document),
            parts=convert(job, self._settings.media, self._settings.delivery.timeout),
            entry=entry,
            key=job.key,
            requester=job.requester,
            priority=job.priority,
            not_before=job.not_before,
            delay=job.delay,
            expires_at=job.expires_at,
            ttl=job.ttl,
            on_unknown=job.on_unknown,
            metadata=json.dumps(job.metadata, ensure_ascii=True) if job.metadata else None,
        )

    async def admit(self, submissions: Sequence[Submission], source: str = "") -> list[Admitted]:
        """Put SUBMISSIONS into their lanes and return what became of each, in their order.

        SOURCE names the stream they were read from; entries it has already given are `seen`. Raises StoreUnavailable;
        the same call may then be made again without admitting anything twice.
        """
        by_account: dict[str, list[int]] = {}
        for place, submission in enumerate(submissions):
            by_account.setdefault(submission.account, []).append(place)
        admitted: dict[int, Admitted] = {}
        for account, places in by_account.items():
            answers = await self._scripts.admit(
                account,
                source,
                [submissions[place] for place in places],
                self._settings.intake.max_queued,
                self._settings.results.keep,
                self._settings.delivery.max_age,
            )
            for place, (outcome, job_id) in zip(places, answers, strict=True):
                admitted[place] = Admitted(outcome, f"{account}.{job_id}")
        await self._bell.ring(list(by_account))
        return [admitted[place] for place in range(len(submissions))]

    def _route(self, job: Job) -> str:
        if job.account is not None:
            if job.account not in self._accounts:
                known = ", ".join(sorted(self._accounts))
                raise Refused(
                    "account_unknown",
                    f"no account is named {job.account!r}",
                    [Fault("account", f"use one of: {known}; or leave it out", "account_unknown")],
                )
            return job.account
        for route in self._settings.routes:
            if fnmatchcase(str(job.target), route.target):
                return route.account
        return self._settings.accounts[0].name


def parse_job(document: dict[str, Any]) -> Job:
    """Return the job in DOCUMENT; raises Refused naming every wrong field, and what unknown ones may have meant."""
    try:
        job = Job.model_validate(document)
    except ValidationError as error:
        errors = error.errors(include_url=False, include_input=False)[:_MOST_FAULTS]
        faults = [_fault(fault) for fault in errors]
        if not document.keys() & {"group_id", "user_id"} and all(fault.loc != "job" for fault in faults):
            faults.append(Fault("group_id", "give group_id (a group) or user_id (a person)", "missing"))
        raise Refused("job_invalid", "this is no job", faults) from None
    faults = [
        Fault(name, reason, "not_served") for name, reason in _NOT_SERVED.items() if getattr(job, name) is not None
    ]
    if faults:
        raise Refused("job_invalid", "this job asks for what this version does not do", faults)
    return job


def key_reused(key: str | None) -> Refused:
    """Return the refusal of a key that was given before with other fields."""
    return Refused(
        "key_reused",
        f"the idempotency key {key!r} was used for a job with other fields",
        [Fault("key", "send the same fields again, or a new key for a new job", "key_reused")],
    )


def _fault(fault: Any) -> Fault:
    loc = ".".join(str(step) for step in fault["loc"])
    if fault["type"] == "extra_forbidden":
        loc = loc[:60]
        near = difflib.get_close_matches(loc, list(Job.model_fields), n=1)
        known = ", ".join(name for name in Job.model_fields if name not in _NOT_SERVED)
        return Fault(
            loc, f"unknown field; {f'did you mean {near[0]}?' if near else f'known: {known}'}", "unknown_field"
        )
    if fault["type"] == "missing":
        return Fault(loc, "is required", "missing")
    words = fault["msg"].removeprefix("Value error, ")
    for theirs, ours in _WORDS:
        words = words.replace(theirs, ours)
    return Fault(loc or "job", words, fault["type"])


def _with_key(job: Job, key: str) -> Job:
    if not (1 <= len(key) <= 128 and key.isprintable()):
        raise Refused("job_invalid", "the Idempotency-Key header has 1 to 128 printable characters")
    if job.key is not None and job.key != key:
        raise Refused(
            "job_invalid",
            "two different keys were given",
            [Fault("key", "the Idempotency-Key header says another key; give one of them", "key_conflict")],
        )
    return job.model_copy(update={"key": key})


def _fingerprint(document: dict[str, Any]) -> str:
    """Return a short digest of the submitted fields, so that a key used for two different jobs is noticed."""
    fields = {name: value for name, value in document.items() if name != "key"}
    return hashlib.sha256(json.dumps(fields, sort_keys=True).encode()).hexdigest()[:32]
