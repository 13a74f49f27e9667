"""The table, of jobs: submitting them, finding out what became of them, taking them back, sending them again."""

from typing import Any

from gateway.model.answers import Accepted, BatchTaken, JobPage, MessageShown, ReplayTold
from gateway.model.job import Job
from gateway.model.receipt import Receipt
from gateway.openapi import parameters as given
from gateway.openapi import problems as told
from gateway.openapi.operation import Answer, Body, Operation, Schema

_ID = "main.Zk3vQ1yTq0WmB2uXhJ5dSg"
_OTHER = "main.b7RrW0aXk3PpYc1Lq9fEoA"
_ACCEPTED = {"id": _ID, "state": "queued", "duplicate": False}
_TIMES = {"created_at": "2026-01-31T08:00:00.120Z", "updated_at": "2026-01-31T08:00:01.480Z"}
_LISTED: dict[str, Any] = {
    "id": _ID,
    "key": "order-42",
    "account": "main",
    "target": "group:123456",
    "state": "delivered",
    **_TIMES,
    "ended_at": "2026-01-31T08:00:01.480Z",
    "message_ids": [696124706],
    "parts": {"total": 1, "delivered": 1},
    "evidence": "response",
}
_ATTEMPT = {
    "n": 1,
    "part": 0,
    "began_at": "2026-01-31T08:00:00.310Z",
    "took_ms": 1170,
    "http_status": 200,
    "retcode": 0,
    "verdict": "delivered",
    "rule": "ok",
}
_RECEIPT = _LISTED | {"attempts": [_ATTEMPT]}
_DEAD = {**_LISTED, "state": "dead", "code": "rich_media", "parts": {"total": 1, "delivered": 0}, "message_ids": []}
_DEAD.pop("evidence")
_CANCELLED = {
    **{name: _LISTED[name] for name in ("id", "key", "account", "target", "created_at")},
    "updated_at": "2026-01-31T08:00:00.900Z",
    "ended_at": "2026-01-31T08:00:00.900Z",
    "state": "cancelled",
    "parts": {"total": 1, "delivered": 0},
    "message_ids": [],
    "attempts": [],
}
_MESSAGE = {
    "id": _ID,
    "account": "main",
    "target": "group:123456",
    "parts": [
        {
            "action": "send_group_msg",
            "delivered": False,
            "segments": [
                {"type": "text", "data": {"text": "look: "}},
                {"type": "image", "data": {"file": "base64://iVBORw0KGgo…"}, "cut": {"file": 48_213}},
            ],
        }
    ],
}
_EXAMPLES: Any = Job.model_config["json_schema_extra"]
_JOBS = dict(zip(("text", "picture", "mention"), _EXAMPLES["examples"], strict=True))
_BATCH: Schema = {
    "type": "object",
    "required": ["jobs"],
    "additionalProperties": False,
    "properties": {
        "jobs": {
            "type": "array",
            "minItems": 1,
            "maxItems": 1000,
            "items": {
                "anyOf": [{"$ref": "#/components/schemas/Job"}, {}],
                "description": "jobs; anything else is refused in its place",
            },
        }
    },
}
_UNDELIVERED: Schema = {"type": "string", "enum": ["rejected", "dead", "unconfirmed", "expired", "cancelled"]}


def _also_null(schema: Schema, description: str) -> Schema:
    return {"anyOf": [schema, {"type": "null"}], "description": description}


_REPLAY: Schema = {
    "type": "object",
    "required": ["state"],
    "additionalProperties": False,
    "properties": {
        "state": {
            "anyOf": [_UNDELIVERED, {"type": "array", "minItems": 1, "items": _UNDELIVERED}],
            "description": "which endings are sent again; one, or several",
        },
        "target": _also_null(given.TARGET.schema, "only of this target"),
        "account": _also_null(given.OF_ACCOUNT.schema, "only of this account"),
        "since": _also_null(given.SINCE.schema, "changed (`updated_at`) at this time or later"),
        "until": _also_null(given.UNTIL.schema, "changed at this time or earlier"),
        "dry_run": {"type": "boolean", "default": False, "description": "count them and show ten, and send nothing"},
    },
}
_LINKS: dict[str, Any] = {
    "receipt": {"operationId": "getJob", "parameters": {"id": "$response.body#/id"}},
    "cancel": {"operationId": "cancelJob", "parameters": {"id": "$response.body#/id"}},
    "replay": {"operationId": "replayJob", "parameters": {"id": "$response.body#/id"}},
}
_OPENING = (*told.BODIED, told.JSON_INVALID)
_TAKING = (*_OPENING, told.CONTENT_TYPE, *told.SENDING, told.STORE_REFUSES, told.NOT_REPLICATED, *told.READING)

JOBS = (
    Operation(
        "submitJob", "post", "/v1/jobs", "Jobs", "Submit a job",
        "202 means that it is durable: it ends in exactly one final state, whatever happens to this process. Send it "
        "with a `key`, and send it again when no answer came: the same key and the same fields are one job.",
        scope="send",
        parameters=(given.IDEMPOTENCY_KEY,),
        body=Body(Job, _JOBS),
        answers=(Answer(202, "It was accepted.", Accepted, _ACCEPTED, headers=("Location",), links=_LINKS),),
        troubles=(
            *_TAKING, told.REACH, told.HEADER_INVALID, told.JOB_INVALID, told.MESSAGE_INVALID, told.ACCOUNT_UNKNOWN,
            told.KEY_REUSED, told.QUEUE_FULL,
        ),
    ),
    Operation(
        "submitJobs", "post", "/v1/jobs/batch", "Jobs", "Submit many jobs",
        "Each job is taken or refused by itself, and counts by itself in the rate of the key; results come in the "
        "order of the jobs. An `Idempotency-Key` header is for one job: here each has its own `key`.",
        scope="send",
        body=Body(_BATCH, {"two": {"jobs": [_JOBS["text"], {"user_id": 10001, "message": "and you", "key": "b"}]}}),
        answers=(
            Answer(
                202, "A result for each job.", BatchTaken,
                {"items": [_ACCEPTED, {
                    "code": "job_invalid", "detail": "this is no job",
                    "errors": [{"loc": "message", "msg": "is required", "type": "missing"}],
                }]},
            ),
        ),
        troubles=(*_TAKING, told.BATCH_INVALID),
    ),
    Operation(
        "listJobs", "get", "/v1/jobs", "Jobs", "List jobs",
        "Newest first by creation, without gaps or repeats while jobs come and end. A page may hold fewer than "
        "`limit`, even none, while `next_cursor` is not null: go on until it is null.",
        scope="read",
        parameters=(
            given.STATE, given.TARGET, given.OF_ACCOUNT, given.SINCE, given.UNTIL, given.LIMIT, given.CURSOR,
        ),
        answers=(Answer(200, "A page.", JobPage, {"items": [_LISTED], "next_cursor": "MTc2OTg0NjQwMC0xIG1haW4"}),),
        troubles=(*told.READING, told.ACCOUNT_NOT_SERVED),
    ),
    Operation(
        "getJob", "get", "/v1/jobs/{id}", "Jobs", "Find out what became of a job",
        "The receipt, with every attempt. With `wait` it comes when the job has ended, or when that time is over.",
        scope="read",
        parameters=(given.JOB, given.ACCOUNT, given.WAIT),
        answers=(Answer(200, "Its receipt.", Receipt, _RECEIPT),),
        troubles=(told.JOB_NOT_FOUND, *told.READING),
    ),
    Operation(
        "getMessage", "get", "/v1/jobs/{id}/message", "Jobs", "See what a job says",
        "As NapCat gets it, part by part. Inline media are cut. It is kept until the job is delivered, or sent again.",
        scope="read",
        parameters=(given.JOB, given.ACCOUNT),
        answers=(Answer(200, "Its parts.", MessageShown, _MESSAGE),),
        troubles=(told.JOB_NOT_FOUND, told.MESSAGE_GONE, *told.READING),
    ),
    Operation(
        "cancelJob", "delete", "/v1/jobs/{id}", "Jobs", "Cancel a job, or take it back",
        "Cancels while nothing of it may have been sent. With `recall=true` what was delivered is taken back at QQ, "
        "which allows that for about two minutes: `recalled_at` is in the receipt then.",
        scope="send",
        parameters=(given.JOB, given.ACCOUNT, given.RECALL),
        answers=(Answer(200, "Its receipt.", Receipt, _CANCELLED),),
        troubles=(
            told.JOB_NOT_FOUND, told.TOO_LATE, told.RECALL_FAILED, told.RATE_EXCEEDED, told.NOT_REPLICATED,
            *told.READING,
        ),
    ),
    Operation(
        "replayJob", "post", "/v1/jobs/{id}/replay", "Jobs", "Send a job again",
        "As a new job with the parts that were not delivered; its receipt names the old one as `replay_of`. Asked "
        "again, its replay answers for it, so that a call whose answer was lost can be made again.",
        scope="admin",
        parameters=(given.JOB, given.ACCOUNT),
        answers=(
            Answer(202, "The new job.", Accepted, {**_ACCEPTED, "id": _OTHER}, headers=("Location",), links=_LINKS),
        ),
        troubles=(
            told.JOB_NOT_FOUND, told.NOT_ENDED, told.NOTHING_LEFT, told.JOB_GONE, told.QUEUE_FULL, told.STORE_REFUSES,
            told.NOT_REPLICATED, *told.READING,
        ),
    ),
    Operation(
        "replayJobs", "post", "/v1/jobs/replay", "Jobs", "Send many jobs again",
        "All that fit the filter and were not sent again before, oldest first, at most 1,000 a call: call again while "
        "`more` is true.",
        scope="admin",
        body=Body(
            _REPLAY,
            {
                "look first": {"state": ["dead", "unconfirmed"], "target": "group:123456", "dry_run": True},
                "send again": {"state": "dead", "since": "2026-01-31T08:00:00Z"},
            },
        ),
        answers=(
            Answer(
                200, "What was done, or would be.", ReplayTold,
                {"count": 1, "items": [{"id": _OTHER, "replay_of": _ID}], "more": False},
            ),
        ),
        troubles=(
            *_OPENING, told.REPLAY_INVALID, told.ACCOUNT_NOT_SERVED, told.STORE_REFUSES, told.NOT_REPLICATED,
            *told.READING,
        ),
    ),
)  # fmt: skip
