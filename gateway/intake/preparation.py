"""What a producer wrote, to a submission that only has to be put into its lane: pure but for what it is given."""

import difflib
import hashlib
import json
from typing import Any

from pydantic import TypeAdapter, ValidationError

from gateway.convert import convert, message_faults, parse_document
from gateway.convert.callback import receiver_of
from gateway.lanes.policy import account_for
from gateway.model.errors import Fault, Refused
from gateway.model.job import Job
from gateway.model.target import Target
from gateway.model.wording import place, reason
from gateway.settings import Account, Settings
from gateway.store.values import Submission

_MOST_FAULTS = 50  # told at once
_MOST_FIELDS = 100  # looked at
_JOB = TypeAdapter(Job).validator
_SORTED = json.JSONEncoder(sort_keys=True, check_circular=False)


def prepare(raw: bytes, settings: Settings, token: str, *, key: str | None = None, entry: str = "") -> Submission:
    """Return the job in RAW, checked, routed and converted to the bytes NapCat will get.

    TOKEN becomes the job's id, KEY is an idempotency key given beside the body, ENTRY the stream id it was read
    under. Raises Refused naming every wrong field.
    """
    if len(raw) > settings.http.max_body:
        raise Refused("too_large", f"the job has {len(raw)} bytes; at most {settings.http.max_body} (http.max_body)")
    document = parse_document(raw)
    try:
        job = parse_job(document)
        if key is not None:
            job = _with_key(job, key)
        target = job.target
        account, callback = _account(job, target, settings), _callback(job, settings)
    except Refused as refusal:
        # All that is wrong is told at once, though the message is only used with a good job.
        refusal.errors = [*refusal.errors, *message_faults(document, settings.media)]
        raise
    return Submission(
        account=account.name,
        id=token,
        target=str(target),
        fingerprint=_fingerprint(document) if job.key is not None else "",
        parts=convert(job, account, settings.delivery, settings.media),
        entry=entry,
        key=job.key,
        requester=job.requester,
        priority=job.priority,
        not_before=job.not_before,
        delay=job.delay,
        expires_at=job.expires_at,
        ttl=job.ttl,
        on_unknown=job.on_unknown,
        collapse_key=job.collapse_key,
        callback=callback,
        metadata=json.dumps(job.metadata, ensure_ascii=True) if job.metadata else None,
    )


def _account(job: Job, target: Target, settings: Settings) -> Account:
    """Return the account that sends JOB to its TARGET.

    It is the one that the job names, else that of the first route that matches, else the first one.
    """
    if job.account is not None:
        named = next((account for account in settings.accounts if account.name == job.account), None)
        if named is not None:
            return named
        known = ", ".join(sorted(account.name for account in settings.accounts))
        raise Refused(
            "account_unknown",
            f"no account is named {job.account!r}",
            [Fault("account", f"use one of: {known}; or leave it out", "account_unknown")],
        )
    return account_for(target, settings)


def parse_job(document: dict[str, Any]) -> Job:
    """Return the job in DOCUMENT; raises Refused naming every wrong field, and what unknown ones may have meant."""
    if len(document) > _MOST_FIELDS:
        raise Refused("job_invalid", f"this is no job: it has {len(document)} fields")
    try:
        job: Job = _JOB.validate_python(document)
    except ValidationError as error:
        errors = error.errors(include_url=False)[:_MOST_FAULTS]
        faults = [_fault(fault) for fault in errors]
        if not document.keys() & {"group_id", "user_id"} and all(fault.loc != "job" for fault in faults):
            faults.append(Fault("group_id", "give group_id (a group) or user_id (a person)", "missing"))
        raise Refused("job_invalid", "this is no job", faults) from None
    return job


def _callback(job: Job, settings: Settings) -> str | None:
    """Return `<host> <url>` of the job's callback; raises Refused when its receipt could not go there."""
    if job.callback_url is None:
        return None
    try:
        return f"{receiver_of(job.callback_url, settings.callbacks)} {job.callback_url}"
    except ValueError as error:
        fault = Fault("callback_url", str(error), "callback_url")
        raise Refused("job_invalid", "the receipt could not be posted to callback_url", [fault]) from None


def _fault(fault: Any) -> Fault:
    loc = place(fault["loc"])
    if fault["type"] == "extra_forbidden":
        near = difflib.get_close_matches(loc, list(Job.model_fields), n=1)
        known = ", ".join(Job.model_fields)
        return Fault(
            loc, f"unknown field; {f'did you mean {near[0]}?' if near else f'known: {known}'}", "unknown_field"
        )
    if fault["type"] == "missing":
        return Fault(loc, "is required", "missing")
    return Fault(loc or "job", reason(fault), fault["type"])


def _with_key(job: Job, key: str) -> Job:
    if not (1 <= len(key) <= 128 and key.isprintable()):
        raise Refused("job_invalid", "the Idempotency-Key header must have 1 to 128 printable characters")
    if job.key is not None and job.key != key:
        raise Refused(
            "job_invalid",
            "two different keys were given",
            [Fault("key", "the Idempotency-Key header says another key; give one of them", "key_conflict")],
        )
    return job.model_copy(update={"key": key})


def _fingerprint(document: dict[str, Any]) -> str:
    """Return a short digest of the submitted fields, so that a key used for two different jobs is noticed."""
    fields = dict(document)
    fields.pop("key", None)
    return hashlib.sha256(_SORTED.encode(fields).encode()).hexdigest()[:32]
