"""How values go into the scripts, and what a claim comes out as: packed, since each argument of its own costs time."""

from collections.abc import Sequence
from typing import Any

import msgpack

from gateway.model.attempt import Claim, Outcome
from gateway.model.part import Part
from gateway.model.target import parse_target
from gateway.model.trace import traceparent_of
from gateway.store.values import Submission


def or_empty(value: int | None) -> int | str:
    """Return a number as an argument; one that is not given is empty."""
    return "" if value is None else value


def packed_submissions(submissions: Sequence[Submission]) -> list[bytes]:
    """Return the arguments of jobs as `admit` reads them: a list of what is known of each, then what each says."""
    said: list[bytes] = [msgpack.packb([part[:6] for part in one.parts], use_bin_type=False) for one in submissions]
    return [msgpack.packb([_enrolled(one) for one in submissions]), *said]


def _enrolled(one: Submission) -> dict[str, Any]:
    """Return what the record of a job begins with; what is not given is left out."""
    fields: dict[str, Any] = {
        "id": one.id,
        "target": one.target,
        "total": len(one.parts),
        "times": [part.timeout_ms + part.fetch_ms for part in one.parts],
    }
    if one.entry:
        fields["entry"] = one.entry
    if one.priority != "normal":
        fields["priority"] = one.priority
    if one.key is not None:
        fields["key"] = one.key
        fields["fingerprint"] = one.fingerprint
    for name, value in (
        ("requester", one.requester),
        ("not_before", one.not_before),
        ("delay", one.delay),
        ("expires", one.expires_at),
        ("ttl", one.ttl),
        ("on_unknown", one.on_unknown),
        ("metadata", one.metadata),
        ("replay_of", one.replay_of),
        ("collapse", one.collapse_key),
        ("callback", one.callback),
    ):
        if value is not None:
            fields[name] = value
    if any(part.media for part in one.parts):
        fields["media"] = [part.media for part in one.parts]
    return fields


def packed_outcomes(outcomes: Sequence[Outcome]) -> bytes:
    """Return settlements as `tick` reads them; what is not known is left out."""
    packed: bytes = msgpack.packb([_settled(one) for one in outcomes])
    return packed


def _settled(one: Outcome) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "job": one.claim.job_id,
        "token": one.claim.token,
        "settlement": one.settlement,
    }
    for name, value in (
        ("verdict", None if one.verdict == one.settlement else one.verdict),
        ("rule", one.rule or None),
        ("wait", one.wait_ms or None),
        ("free", None if one.spends else 1),
        ("took", one.took_ms if one.verdict else None),
        ("message_id", one.message_id),
        ("http", one.http_status),
        ("retcode", one.retcode),
        ("result", one.result),
        ("text", one.text or None),
        ("unmatched", one.unmatched or None),
    ):
        if value is not None:
            fields[name] = value
    if one.effect is not None or one.widespread is not None:
        fields["effects"] = _effects(one)
    return fields


def _effects(outcome: Outcome) -> dict[str, Any]:
    """Return what the outcome does beyond its own job; nothing, nearly always."""
    effects: dict[str, Any] = {}
    if outcome.effect is not None:
        effects = {"effect": outcome.effect, "hold": outcome.hold_ms, "after": outcome.after}
    if outcome.widespread is not None:
        effects["widespread"] = dict(outcome.widespread)
    return effects


def read_claim(fields: list[Any], start_by: float) -> Claim:
    """Return a claim as `tick` replies it, to be started by the local monotonic second START_BY."""
    job_id, target, token, n, part_no, retries, rule, pardons, waited, metadata, said = fields
    parts = msgpack.unpackb(said, raw=True)
    action, body, timeout_ms, fetch_ms, fingerprint, nodes = parts[0]
    return Claim(
        job_id=job_id.decode(),
        target=parse_target(target.decode()),
        token=token,
        n=n,
        part_no=part_no,
        part=Part(action.decode(), body, timeout_ms, fetch_ms, fingerprint.decode(), bool(nodes)),
        retries=retries,
        pardoned_by=rule.decode(),
        pardons=pardons if rule else 0,
        start_by=start_by,
        waited_ms=None if waited < 0 else waited,
        traceparent=traceparent_of(metadata) if metadata else None,
    )
