"""How values go into the scripts, and what a claim comes out as: packed, since each argument of its own costs time."""

from collections.abc import Sequence
from typing import Any

import msgpack

from gateway.model.attempt import Claim, Outcome
from gateway.model.part import Part
from gateway.model.target import read_target
from gateway.model.trace import traceparent_of
from gateway.store.values import Submission

# One that is made anew for each call allocates a large buffer each time.
_pack = msgpack.Packer().pack
_pack_raw = msgpack.Packer(use_bin_type=False).pack

_WISHES = Submission._fields.index("key")  # from here on: what few jobs say
_NO_WISHES = tuple(Submission._field_defaults[name] for name in Submission._fields[_WISHES:])
_NAMES = {"expires_at": "expires", "collapse_key": "collapse"}  # where the record has another
_NAMES_OF_WISHES = tuple(_NAMES.get(name, name) for name in Submission._fields[_WISHES:])


def or_empty(value: int | None) -> int | str:
    """Return a number as an argument; one that is not given is empty."""
    return "" if value is None else value


def packed_submissions(submissions: Sequence[Submission]) -> list[bytes]:
    """Return the arguments of jobs as `admit` reads them: a list of what is known of each, then what each says."""
    said: list[bytes] = [_pack_raw([part[:6] for part in one.parts]) for one in submissions]
    return [_pack([_enrolled(one) for one in submissions]), *said]


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
    if one[_WISHES:] != _NO_WISHES:
        fields |= _wishes(one)
    media = [part.media for part in one.parts]
    if any(media):
        fields["media"] = media
    return fields


def _wishes(one: Submission) -> dict[str, Any]:
    wishes = {
        name: value
        for name, value in zip(_NAMES_OF_WISHES, one[_WISHES:], strict=True)
        if value is not None and (name, value) != ("priority", "normal")
    }
    return wishes if one.key is None else {**wishes, "fingerprint": one.fingerprint}


def packed_outcomes(outcomes: Sequence[Outcome]) -> bytes:
    """Return settlements as `tick` reads them; what is not known is left out."""
    packed: bytes = _pack([_settled(one) for one in outcomes])
    return packed


def _settled(one: Outcome) -> dict[str, Any]:
    fields: dict[str, Any] = {"job": one.claim.job_id, "token": one.claim.token, "settlement": one.settlement}
    if one.verdict is not None:
        fields["took"] = one.took_ms
        if one.verdict != one.settlement:
            fields["verdict"] = one.verdict
    if one.rule:
        fields["rule"] = one.rule
    if one.message_id is not None:
        fields["message_id"] = one.message_id
    if one.http_status is not None:
        fields["http"] = one.http_status
    if one.retcode is not None:
        fields["retcode"] = one.retcode
    if one.result is not None:
        fields["result"] = one.result
    if one.wait_ms:
        fields["wait"] = one.wait_ms
    if not one.spends:
        fields["free"] = 1
    if one.text:
        fields["text"] = one.text
    if one.unmatched:
        fields["unmatched"] = one.unmatched
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
    action, body, timeout_ms, fetch_ms, fingerprint, nodes = msgpack.unpackb(said, raw=True)[0]
    return Claim(
        job_id.decode(),
        read_target(target.decode()),
        token,
        n,
        part_no,
        Part(action.decode(), body, timeout_ms, fetch_ms, fingerprint.decode(), bool(nodes)),
        retries,
        start_by,
        rule.decode(),
        pardons if rule else 0,
        waited if waited >= 0 else None,
        traceparent_of(metadata) if metadata else None,
    )
