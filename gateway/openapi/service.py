"""The table, of the gateway itself: how it is, what NapCat tells it, and this description."""

from gateway.model.answers import Reloaded
from gateway.model.status import Fine, Flow, NotReady, Status
from gateway.openapi import parameters as given
from gateway.openapi import problems as told
from gateway.openapi.lanes import NUMBERS
from gateway.openapi.operation import Answer, Body, Operation

_STATUS = {
    "status": "ok",
    "reasons": [],
    "version": "0.1.0",
    "uptime_s": 3600,
    "at": "2026-01-31T08:00:00.000Z",
    "accounts": {
        "main": {
            "reachable": True,
            "online": True,
            "checked_at": "2026-01-31T07:59:58.000Z",
            "events": {"listening": "connected", "since": "2026-01-31T07:00:00.000Z"},
            **NUMBERS,
        }
    },
    "sources": {
        "gw:jobs": {"kind": "stream", "depth": 0, "reader": "here"},
        "gw:jobs:list": {"kind": "list", "depth": 0, "reader": "here"},
    },
    "hooks": {"github": {"taken": 12, "pings": 1}},
    "backlog": {
        "queued": 3,
        "oldest_waiting_ms": 21_300,
        "targets": [
            {
                "account": "main", "target": "group:123456", "queued": 3, "state": "waiting", "reason": "parked",
                "eta": "2099-01-31T10:00:00.000Z", "oldest_waiting_ms": 21_300,
            },
        ],
    },
    "redis": {
        "version": "9.1.0", "role": "master", "used_memory": 1_400_000, "maxmemory": 0, "aof_enabled": True,
        "persistence": "ok", "latency_ms": 0.2,
    },
    "replicas": [
        {
            "id": "u5Yk1w3nTqWm0b1cXbq2Qg", "host": "gateway-0", "pid": 7, "version": "0.1.0",
            "began_at": "2026-01-31T07:00:00.000Z", "seen_at": "2026-01-31T07:59:57.000Z",
        },
    ],
    "tasks": {"bell": "ok", "lanes main": "ok"},
}  # fmt: skip
_LOST = {
    "code": "redis_unavailable",
    "detail": "Redis does not answer",
    "advice": "nothing accepted is lost; check redis.url and the server",
}
_EVENT = {"post_type": "meta_event", "meta_event_type": "heartbeat", "time": 1769846400, "self_id": 10001}

SERVICE = (
    Operation(
        "getStatus", "get", "/status", "Service", "See how the whole gateway is",
        "`ok`, `degraded` or `down`, with reasons and advice, then every part. Parameters are passed over: a probe may "
        "add what evades caches.",
        scope="read",
        answers=(
            Answer(200, "It works, if degraded with reasons.", Status, _STATUS),
            Answer(
                503, "It is down.", Status,
                {**_STATUS, "status": "down", "reasons": [_LOST], "accounts": {}, "sources": {}, "backlog": {},
                 "redis": {}, "replicas": []},
            ),
        ),
        troubles=told.KEYED,
    ),
    Operation(
        "getFlow", "get", "/v1/flow", "Service", "See the last hour",
        "What was admitted, sent and ended in each of the last 60 minutes, by account.",
        scope="read",
        answers=(
            Answer(
                200, "The last hour by the minute.", Flow,
                {
                    "until": "2026-01-31T08:00:00.000Z",
                    "accounts": {
                        "main": {
                            "admitted": [0] * 58 + [14, 3], "sent": [0] * 58 + [13, 4],
                            "delivered": [0] * 58 + [13, 4], "undelivered": [0] * 60,
                        },
                    },
                },
            ),
        ),
        troubles=told.READING,
    ),
    Operation(
        "reload", "post", "/v1/reload", "Service", "Apply changed settings",
        "Reads the file, the secret files and the environment again, as at the start, and applies what differs without "
        "dropping a job, a claim or a waiting request; SIGHUP does the same. Settings with a fault are refused whole. "
        "What only a restart changes (`redis`, `http`, `log.format`) stays as it is, and is named.",
        scope="admin",
        answers=(
            Answer(
                200, "What counts now.", Reloaded,
                {
                    "detail": "applied: accounts, limits.group; only a restart changes http.port",
                    "applied": ["accounts", "limits.group"],
                    "needs_restart": ["http.port"],
                    "accounts": {"added": ["second"], "removed": ["old"], "changed": []},
                    "waiting": {"old": 12},
                },
            ),
        ),
        troubles=(
            told.SETTINGS_INVALID, told.RELOAD_UNAVAILABLE, told.STOPPING, told.QUERY_UNREADABLE, told.QUERY_INVALID,
            told.WHOLE_GATEWAY, *told.KEYED,
        ),
    ),
    Operation(
        "getMetrics", "get", "/metrics", "Service", "Read the metrics",
        "For Prometheus: what this process counted and timed, and what Redis holds now; OpenMetrics where asked for.",
        answers=(Answer(200, "The metrics.", {"type": "string"}, media="text/plain"),),
        scope="read",
        troubles=told.KEYED,
    ),
    Operation(
        "isLive", "get", "/healthz/live", "Service", "Ask whether the process lives",
        answers=(Answer(200, "Its loop turns.", Fine, {"status": "ok"}),),
    ),
    Operation(
        "isReady", "get", "/healthz/ready", "Service", "Ask whether the process can work",
        "About this process and its Redis: a NapCat that is down makes `/status` degraded, not the process unready.",
        answers=(
            Answer(200, "It can.", Fine, {"status": "ok"}),
            Answer(503, "It cannot, or is stopping.", NotReady, {"status": "down", "reasons": [_LOST]}),
        ),
        troubles=told.ALWAYS,
    ),
    Operation(
        "takeEvent", "post", "/napcat/{account}/events", "Service", "Take an event of NapCat",
        "Where NapCat's HTTP client posts its events, signed with its token. What is no event, or says nothing to the "
        "gateway, is passed over.",
        parameters=(given.IN_PATH, given.SIGNATURE),
        body=Body({}, {"heartbeat": _EVENT}),
        answers=(Answer(204, "It was taken."),),
        troubles=(
            *told.BODIED, told.SIGNATURE_INVALID, told.EVENTS_OF_NOBODY, told.STORE_UNAVAILABLE, *told.ALWAYS,
        ),
    ),
    Operation(
        "getOpenApi", "get", "/openapi.json", "Service", "Read this description",
        answers=(Answer(200, "OpenAPI 3.1.", {"type": "object"}),),
        troubles=(told.FOREIGN,),
    ),
    Operation(
        "getDocs", "get", "/docs", "Service", "Read this description as a page",
        answers=(Answer(200, "A page without scripts.", {"type": "string"}, media="text/html"),),
        troubles=(told.FOREIGN,),
    ),
)  # fmt: skip
