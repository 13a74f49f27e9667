"""How values go into the scripts as arguments, and what a claim comes out as."""

import json
from typing import Any

from gateway.model.attempt import Claim, Outcome
from gateway.model.part import Part
from gateway.model.target import parse_target
from gateway.model.trace import traceparent_of
from gateway.store.values import Submission


def or_empty(value: int | None) -> int | str:
    """Return a number as an argument; one that is not given is empty."""
    return "" if value is None else value


def packed_submission(one: Submission) -> list[Any]:
    """Return the arguments of one job as `admit` reads them: 17 fields, then 7 for each part."""
    args: list[Any] = [
        one.id,
        one.entry,
        one.key or "",
        one.fingerprint,
        one.target,
        one.requester or "",
        one.priority,
    ]
    args += [
        or_empty(one.not_before),
        or_empty(one.delay),
        or_empty(one.expires_at),
        or_empty(one.ttl),
    ]
    args += [one.on_unknown or "", one.metadata or "", one.replay_of or "", one.collapse_key or ""]
    args += [one.callback or "", len(one.parts)]
    for part in one.parts:
        args += [
            part.action,
            part.body,
            part.timeout_ms,
            part.fetch_ms,
            part.fingerprint,
            int(part.nodes),
            part.media,
        ]
    return args


def packed_outcome(one: Outcome) -> list[Any]:
    """Return the arguments of one settlement as `tick` reads them: 15 fields."""
    args: list[Any] = [
        one.claim.job_id,
        one.claim.token,
        one.settlement,
        one.verdict or "",
        one.rule,
        one.wait_ms,
    ]
    args += [int(one.spends), _effects(one), or_empty(one.message_id)]
    args += [
        or_empty(one.http_status),
        or_empty(one.retcode),
        or_empty(one.result),
        one.text,
        one.took_ms,
        one.unmatched,
    ]
    return args


def _effects(outcome: Outcome) -> str:
    """Return what the outcome does beyond its own job as the tick script reads it; nothing, nearly always."""
    if outcome.effect is None and outcome.widespread is None:
        return ""
    effects: dict[str, Any] = {}
    if outcome.effect is not None:
        effects = {"effect": outcome.effect, "hold": outcome.hold_ms, "after": outcome.after}
    if outcome.widespread is not None:
        effects["widespread"] = dict(outcome.widespread)
    return json.dumps(effects)


def read_claim(fields: list[Any], start_by: float) -> Claim:
    """Return a claim as `tick` replies it, to be started by the local monotonic second START_BY."""
    job_id, target, token, n, part_no, retries, rule, pardons, waited, metadata, *part = fields
    action, body, timeout_ms, fetch_ms, fingerprint, nodes = part
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
