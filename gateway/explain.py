"""What the gateway would make of a job or of an answer, without Redis and without NapCat."""

import json
from typing import Any, Literal

from gateway.convert import render_cq
from gateway.forward.answer import read_answer
from gateway.forward.endpoint import websocket_address
from gateway.forward.napcat_ws import frame
from gateway.forward.rules import load_rules
from gateway.forward.verdict import NO_SCHEDULE_MS, holds, judge
from gateway.intake.preparation import prepare
from gateway.lanes.policy import rates_for
from gateway.model.duration import format_duration
from gateway.model.instant import format_instant
from gateway.model.part import Part
from gateway.model.target import parse_target
from gateway.model.verdict import Effect, Implementation, Rule, Verdict
from gateway.settings import Account, Delivery, Settings

_PROVES = {
    Verdict.DELIVERED: "it was sent",
    Verdict.RETRY: "it was surely not sent; sending again is safe",
    Verdict.UNKNOWN: "nobody knows whether it was sent; it is settled by evidence, never by sending again",
    Verdict.REJECTED: "it was surely not sent, and never will be",
}
_EFFECTS: dict[Effect, str] = {
    "park": "the target is parked",
    "pause": "the account is paused",
    "slow_target": "the target's rates are halved",
    "slow_account": "the account's rates are halved",
}


def explain_job(raw: bytes, settings: Settings) -> dict[str, Any]:
    """Return where a job would go, which rates would apply, and the exact calls it becomes.

    RAW is the job as a producer writes it. Raises Refused naming every wrong field, as the intake does.
    """
    job = prepare(raw, settings, "explained")
    target = parse_target(job.target)
    account = next(account for account in settings.accounts if account.name == job.account)
    scopes = rates_for(settings.limits, target, job.requester)
    slack = settings.delivery.slack
    return {
        "account": job.account,
        "lane": job.target,
        "priority": job.priority,
        "key": job.key,
        "requester": job.requester,
        "goes": _goes(job.not_before, job.delay),
        "rates": {scope: [str(rate) for rate in rates] for scope, rates in scopes.items()},
        "parts": [
            {
                **_call(account, part),
                "reads": _reads(json.loads(part.body)["message"]),
                "napcat_waits": format_duration(part.timeout_ms),
                "gateway_waits": format_duration(part.timeout_ms + part.fetch_ms + slack),
            }
            for part in job.parts
        ],
    }


def explain_reply(
    body: bytes,
    http_status: int | None,
    settings: Settings,
    *,
    nodes: bool = False,
    implementation: Implementation | None = None,
) -> dict[str, Any]:
    """Return what an answer of NapCat proves, the rule that says so, and what follows.

    HTTP_STATUS is None for an answer over WebSocket. NODES says whether the call carried a merged forward, of which
    some answers prove less; IMPLEMENTATION which program answered, None when that is not known.
    """
    transport: Literal["http", "ws"] = "ws" if http_status is None else "http"
    answer = read_answer(http_status, body, transport=transport).answer._replace(nodes=nodes)
    ruling = judge(answer, load_rules(settings.delivery.rules), implementation)
    rule = ruling.rule
    return {
        "verdict": ruling.verdict.value,
        "proves": _PROVES[ruling.verdict],
        "rule": rule.name,
        "from": "delivery.rules" if rule in settings.delivery.rules else "built in",
        "matched": rule.model_dump(mode="json", include=set(Rule.CONDITIONS), exclude_none=True),
        "http_status": answer.http_status,
        "retcode": answer.retcode,
        "result": ruling.result,
        "text": ruling.text,
        "effect": _effect(rule),
        "waits": _waits(rule, ruling.verdict, settings.delivery),
        "advice": rule.advice or None,
    }


def _call(account: Account, part: Part) -> dict[str, str]:
    """Return how a part leaves; over WebSocket the echo is a number of its own for each call."""
    if account.transport == "ws":
        body = frame(part.action, part.body, "1")
        return {"by": "frame to", "url": websocket_address(account.endpoint), "body": body.decode("ascii")}
    return {
        "by": "POST",
        "url": f"{account.endpoint.rstrip('/')}/{part.action}",
        "body": part.body.decode("ascii"),
    }


def _effect(rule: Rule) -> str | None:
    """Return what follows beyond the job itself."""
    found = []
    if rule.effect is not None:
        row = f", when {rule.after} such answers came in a row" if rule.after > 1 else ""
        found.append(f"{_EFFECTS[rule.effect]} for {format_duration(rule.hold)}{row}")
    if (many := rule.widespread) is not None:
        found.append(
            f"{_EFFECTS[many.effect]} for {format_duration(many.hold)} ({many.reason}), when {many.targets} targets "
            f"meet this within {format_duration(many.within)}"
        )
    return "; ".join(found) or None


def _waits(rule: Rule, verdict: Verdict, delivery: Delivery) -> str:
    waits = rule.waits or delivery.retry
    match verdict:
        case Verdict.RETRY if rule.spends:
            return f"{', '.join(map(format_duration, waits))} (each ±20 %), then {rule.then}"
        case Verdict.RETRY if holds(rule):
            return "until the hold ends; not counted as a retry"
        case Verdict.RETRY:
            return f"{format_duration(next(iter(waits), NO_SCHEDULE_MS))} (±20 %) each time; not counted as a retry"
        case Verdict.UNKNOWN:
            return f"{format_duration(delivery.settle_for)} for evidence, then {delivery.on_unknown}"
        case _:
            return "none: the job ends"


def _goes(not_before: int | None, delay: int | None) -> str:
    if not_before is not None:
        return f"not before {format_instant(not_before)}"
    return f"{format_duration(delay)} after it was admitted" if delay else "when its lane and its rates allow"


def _reads(message: list[dict[str, Any]]) -> str:
    """Return a message for a person: as a CQ string, and the nodes of a forward one to a line."""
    if message[0]["type"] != "node":
        return render_cq(message)
    lines = []
    for node in (segment["data"] for segment in message):
        if "id" in node:
            lines.append(f"> message {node['id']}")
            continue
        name = node.get("nickname") or node.get("name") or node.get("user_id") or node.get("uin") or "(the account)"
        first, *more = _reads(node["content"]).split("\n")
        lines += [f"> {name}: {first}", *(f">   {line}" for line in more)]
    return "\n".join(lines)
