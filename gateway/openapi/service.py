"""The table, of the gateway itself: how it is, what NapCat tells it, and this description."""

from gateway.model.answers import Fine, NotReady, Status
from gateway.openapi import parameters as given
from gateway.openapi import problems as told
from gateway.openapi.lanes import NUMBERS
from gateway.openapi.operation import Answer, Body, Operation

_STATUS = {
    "status": "ok",
    "reasons": [],
    "version": "0.1.0",
    "uptime_s": 3600,
    "accounts": {"main": {**NUMBERS, "events": {"listening": "connected", "since": "2026-01-31T07:00:00.000Z"}}},
    "sources": {"gw:jobs": {"depth": 0}, "gw:jobs:list": {"depth": 0}},
    "hooks": {"github": {"taken": 12, "pings": 1}},
    "backlog": {"queued": 3},
    "redis": {
        "version": "9.1.0", "role": "master", "used_memory": 1_400_000, "maxmemory": 0, "aof_enabled": True,
    },
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
                 "redis": {}},
            ),
        ),
        troubles=told.KEYED,
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
