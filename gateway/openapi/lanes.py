"""The table, of targets and accounts: what waits there, and how a person holds it and lets it go."""

from typing import Any

from gateway.lanes.operator import Hold
from gateway.model.answers import Held, Released
from gateway.model.status import Accounts, TargetTold
from gateway.openapi import parameters as given
from gateway.openapi import problems as told
from gateway.openapi.operation import Answer, Body, Operation

_UNTIL = "2099-01-31T10:00:00.000Z"
_HOLD = {"mute": {"reason": "quarrel", "for": "2h"}, "with an end": {"reason": "night", "until": _UNTIL}, "open": {}}
_TARGETED = (told.TARGET_INVALID, told.TARGET_FORBIDDEN, told.ACCOUNT_NOT_SERVED, *told.READING)
_HOLDING = (*told.BODIED, told.JSON_INVALID, told.HOLD_INVALID)
_PARAMETERS = (given.KIND, given.TARGET_ID, given.SERVED_BY)
_BODY = Body(Hold, _HOLD, required=False, meaning="Without one it is held until it is released.")
_RATES = [
    {"scope": "account", "rate": "30/1m", "used": 4, "opens_at": "2026-01-31T08:00:00.000Z"},
    {"scope": "group:123456", "rate": "20/1m", "used": 20, "opens_at": "2026-01-31T08:00:21.300Z"},
]
NUMBERS: dict[str, Any] = {
    "self_id": "10001",
    "breaker": "closed",
    "queued": 3,
    "lanes": 1,
    "in_flight": 1,
    "scheduled": 0,
    "parked": 1,
    "overdue_ms": 0,
    "oldest_waiting_ms": 21_300,
    "sent": {"1m": 14, "5m": 73, "60m": 812},
    "verdicts": {"delivered": 811, "retry": 1, "unknown": 0, "rejected": 0},
    "unknown_share": 0.0,
    "ended": {"delivered": 812, "dead": 1},
    "observed": {},
    "receipts": 813,
    "rates": [_RATES[0]],
    "holds": [
        {
            "target": "group:123456",
            "reason": "muted",
            "since": "2026-01-31T07:50:00.000Z",
            "until": _UNTIL,
            "operator": False,
        },
    ],
    "slowed": [],
    "unmatched": [],
    "callbacks": {"waiting": 0},
}

LANES = (
    Operation(
        "getTarget", "get", "/v1/targets/{kind}/{id}", "Targets", "See what waits for a target",
        "Its backlog, what holds it, and how full each rate is that a send there has to fit.",
        scope="read",
        parameters=_PARAMETERS,
        answers=(
            Answer(
                200, "Its state.", TargetTold,
                {
                    "account": "main", "target": "group:123456", "queued": 3, "in_flight": False,
                    "next_at": "2026-01-31T08:00:21.300Z", "rates": _RATES,
                },
            ),
        ),
        troubles=_TARGETED,
    ),
    Operation(
        "parkTarget", "post", "/v1/targets/{kind}/{id}/park", "Targets", "Park a target",
        "Nothing goes there until it is released or the time is over. Jobs are accepted and wait in their order.",
        scope="admin",
        parameters=_PARAMETERS,
        body=_BODY,
        answers=(
            Answer(
                200, "It is held.", Held,
                {"account": "main", "held": "group:123456", "reason": "quarrel", "until": _UNTIL},
            ),
        ),
        troubles=(*_HOLDING, told.NOT_REPLICATED, *_TARGETED),
    ),
    Operation(
        "releaseTarget", "post", "/v1/targets/{kind}/{id}/release", "Targets", "Release a target",
        "Whatever held it: it goes on at its rates, not in a burst.",
        scope="admin",
        parameters=_PARAMETERS,
        answers=(
            Answer(
                200, "It may go on.", Released, {"account": "main", "released": "group:123456", "was_held": True}
            ),
        ),
        troubles=(told.NOT_REPLICATED, *_TARGETED),
    ),
    Operation(
        "listAccounts", "get", "/v1/accounts", "Accounts", "See what the accounts hold",
        scope="read",
        answers=(
            Answer(200, "All of them.", Accounts, {"items": [{"name": "main", **NUMBERS, "rates": _RATES[:1]}]}),
        ),
        troubles=told.READING,
    ),
    Operation(
        "pauseAccount", "post", "/v1/accounts/{name}/pause", "Accounts", "Pause an account",
        "It sends nothing; jobs are still accepted.",
        scope="admin",
        parameters=(given.NAME,),
        body=_BODY,
        answers=(
            Answer(
                200, "It is held.", Held,
                {"account": "main", "held": "account", "reason": "upgrade of NapCat", "until": _UNTIL},
            ),
        ),
        troubles=(*_HOLDING, told.WHOLE_ACCOUNT, told.ACCOUNT_NOT_SERVED, told.NOT_REPLICATED, *told.READING),
    ),
    Operation(
        "resumeAccount", "post", "/v1/accounts/{name}/resume", "Accounts", "Resume an account",
        scope="admin",
        parameters=(given.NAME,),
        answers=(
            Answer(200, "It may go on.", Released, {"account": "main", "released": "account", "was_held": True}),
        ),
        troubles=(told.WHOLE_ACCOUNT, told.ACCOUNT_NOT_SERVED, told.NOT_REPLICATED, *told.READING),
    ),
)  # fmt: skip
