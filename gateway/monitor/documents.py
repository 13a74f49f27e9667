"""What was found, as `/status`, `/v1/accounts` and `/v1/flow` tell it."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from gateway.model.contact import Contact
from gateway.model.instant import format_instant
from gateway.model.rate import Rate
from gateway.model.receipt import UNDELIVERED
from gateway.model.verdict import Verdict
from gateway.monitor.account_reasons import UNSEEN
from gateway.monitor.reasons import Reason
from gateway.settings import Key
from gateway.store.overview import AccountNumbers, Hold, Slowed, Unmatched, Waiting, Window, longest_wait
from gateway.store.presence import Replica
from gateway.store.server import ServerNumbers
from gateway.store.sources import SourceNumbers
from gateway.web import may_use, reaches_all

MINUTES = 60
_TARGETS = 20


def within_reach(numbers: AccountNumbers, key: Key | None) -> AccountNumbers:
    """Return NUMBERS without what they tell of single targets that KEY does not reach."""
    if reaches_all(key):
        return numbers
    return replace(
        numbers,
        holds=[hold for hold in numbers.holds if hold.name == "account" or may_use(key, hold.name)],
        slowed=[slowed for slowed in numbers.slowed if slowed.name == "account" or may_use(key, slowed.name)],
        backlog=[lane for lane in numbers.backlog if may_use(key, lane.target)],
        unmatched=[],
    )


def within_sight(found: Sequence[Reason], key: Key | None) -> list[Reason]:
    """Return what was FOUND without the names of jobs, where there are targets that KEY does not reach."""
    if reaches_all(key):
        return list(found)
    return [one if one["code"] != "answers_unmatched" else one | {"advice": UNSEEN} for one in found]


def lasting(held: Hold | Slowed) -> dict[str, str]:
    """Return why something is held or slowed, since when and until when, as it is told everywhere."""
    return {"reason": held.reason, "since": format_instant(held.since), "until": format_instant(held.until)}


def rates_document(scope: str, windows: Sequence[Window], *, observed: bool) -> list[dict[str, Any]]:
    """Return how full the rates of SCOPE are."""
    return [
        {
            "scope": scope,
            "rate": str(Rate(window.most, window.period)),
            "used": window.used,
            "opens_at": format_instant(window.opens_at),
            **({"observed": True} if observed else {}),
        }
        for window in windows
    ]


def account_document(account: str, numbers: AccountNumbers) -> dict[str, Any]:
    """Return what ACCOUNT holds, and how it does."""
    answers = numbers.answered(MINUTES)
    sent = sum(answers.values())
    return {
        "self_id": numbers.login or None,
        "breaker": numbers.breaker,
        "queued": numbers.queued,
        "lanes": numbers.lanes,
        "in_flight": numbers.in_flight,
        "scheduled": numbers.scheduled,
        "parked": numbers.parked,
        "overdue_ms": numbers.overdue,
        **_oldest(numbers.backlog),
        "sent": {
            f"{minutes}m": sent if minutes == MINUTES else sum(numbers.answered(minutes).values())
            for minutes in (1, 5, MINUTES)
        },
        "verdicts": answers,
        "unknown_share": round(answers["unknown"] / sent, 4) if sent else None,
        "ended": numbers.ended,
        "observed": numbers.observed,
        "receipts": numbers.receipts,
        "rates": rates_document("account", numbers.windows, observed=numbers.observed_account),
        "holds": [{"target": hold.name, **lasting(hold), "operator": hold.operator} for hold in numbers.holds],
        "slowed": [{"target": slowed.name, **lasting(slowed), "factor": slowed.factor} for slowed in numbers.slowed],
        "unmatched": [_unmatched(account, answer) for answer in numbers.unmatched],
        "callbacks": {
            "waiting": numbers.callbacks.waiting,
            **({"oldest_age_ms": numbers.callbacks.oldest} if numbers.callbacks.waiting else {}),
        },
    }


def _unmatched(account: str, answer: Unmatched) -> dict[str, Any]:
    return {
        "fingerprint": answer.fingerprint,
        "times": answer.times,
        "since": format_instant(answer.since),
        "last_at": format_instant(answer.last),
        "retcode": answer.retcode,
        "last_job": f"{account}.{answer.job_id}",
    }


def contact_document(contact: Contact) -> dict[str, Any]:
    """Return whether the NapCat of an account answers, and has QQ, as far as this process knows."""
    known = {"reachable": contact.reachable, "online": contact.online}
    return known | ({"checked_at": format_instant(contact.at)} if contact.at else {})


def backlog_document(accounts: dict[str, AccountNumbers], *, everything: int) -> dict[str, Any]:
    """Return what waits, EVERYTHING included, and the fullest lanes of ACCOUNTS with what they wait for."""
    lanes = [(name, lane) for name, numbers in accounts.items() for lane in numbers.backlog]
    lanes.sort(key=lambda one: (-one[1].queued, -(one[1].waits or 0)))
    return {
        "queued": everything,
        **_oldest([lane for _, lane in lanes]),
        "targets": [
            {
                "account": name,
                "target": lane.target,
                "queued": lane.queued,
                "state": lane.state,
                **({"reason": lane.reason} if lane.reason else {}),
                **({"eta": format_instant(lane.eta)} if lane.eta else {}),
                **({"oldest_waiting_ms": lane.waits} if lane.waits is not None else {}),
            }
            for name, lane in lanes[:_TARGETS]
        ],
    }


def _oldest(lanes: Sequence[Waiting]) -> dict[str, int]:
    waits = longest_wait(lanes)
    return {"oldest_waiting_ms": waits} if waits is not None else {}


def source_document(kind: str, source: SourceNumbers, now: int, reader: str) -> dict[str, Any]:
    """Return what a source holds at NOW, and who READS it."""
    age = source.age(now)
    return {
        "kind": kind,
        "depth": source.depth,
        **({"oldest_age_ms": age} if age is not None else {}),
        "reader": reader,
    }


def redis_document(server: ServerNumbers) -> dict[str, Any]:
    """Return how Redis is."""
    kept = "off" if server.aof is False else "ok"
    return {
        "version": server.version,
        "role": server.role,
        "used_memory": server.used_memory,
        "maxmemory": server.maxmemory,
        "aof_enabled": server.aof is not False,
        "persistence": "failing" if server.failing else kept,
        "latency_ms": round(server.took * 1000, 2),
        **(
            {"nodes": [{"address": node.address} | redis_document(node) for node in server.nodes]}
            if server.nodes
            else {}
        ),
    }


def replicas_document(replicas: Sequence[Replica]) -> list[dict[str, Any]]:
    """Return what REPLICAS told of themselves."""
    return [
        {
            "id": replica.id,
            "host": replica.host,
            "pid": replica.pid,
            "version": replica.version,
            "began_at": format_instant(replica.began_at),
            "seen_at": format_instant(replica.seen_at),
        }
        for replica in replicas
    ]


def flow_document(numbers: AccountNumbers) -> dict[str, list[int]]:
    """Return what happened in each of the last 60 minutes, the oldest first, the one that goes on last."""
    minutes = numbers.flow[:MINUTES][::-1]

    def series(*names: str) -> list[int]:
        return [sum(minute.get(name, 0) for name in names) for minute in minutes]

    return {
        "admitted": series("admitted"),
        "sent": series(*(f"verdict:{verdict.value}" for verdict in Verdict)),
        "delivered": series("ended:delivered"),
        "undelivered": series(*(f"ended:{state}" for state in UNDELIVERED)),
    }
