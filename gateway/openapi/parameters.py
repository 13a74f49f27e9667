"""The parameters that several paths share."""

from gateway.openapi.operation import Parameter, Schema

_TIME: Schema = {
    "type": "string",
    "format": "date-time",
    "pattern": r"^\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d)$",
}
_NAME: Schema = {"type": "string", "pattern": "^[a-z0-9][a-z0-9_-]{0,31}$"}

JOB = Parameter(
    "id",
    "path",
    "the job's id, or `key:` and its idempotency key",
    {"type": "string", "minLength": 1},
    "key:order-42",
    required=True,
)
ACCOUNT = Parameter(
    "account", "query", "whose key `key:…` is; default: the first account. An id says it already", _NAME, "main"
)
SERVED_BY = Parameter("account", "query", "default: the account that serves the target", _NAME, "main")
OF_ACCOUNT = Parameter("account", "query", "only of this account", _NAME, "main")
NAME = Parameter("name", "path", "the account", _NAME, "main", required=True)
IN_PATH = Parameter("account", "path", "the account that does it", _NAME, "main", required=True)
KIND = Parameter(
    "kind", "path", "group or private", {"type": "string", "enum": ["group", "private"]}, "group", required=True
)
TARGET_ID = Parameter(
    "id", "path", "the QQ or group number", {"type": "string", "pattern": "^[1-9][0-9]{0,19}$"}, "123456", required=True
)
IDEMPOTENCY_KEY = Parameter(
    "Idempotency-Key",
    "header",
    "the same as the field `key`",
    {"type": "string", "minLength": 1, "maxLength": 128, "pattern": "^[ -~]+$"},
    "order-42",
)
WAIT = Parameter(
    "wait",
    "query",
    "answer when the job has ended, or after so long: a duration, or seconds, up to 60s",
    {"type": "string", "pattern": r"^([0-5]?[0-9](\.[0-9]{1,3})?s?|60s?|1m|[0-9]{1,4}ms)$"},
    "20s",
)
STATES = ["queued", "waiting", "sending", "unknown"]
ENDINGS = ["delivered", "rejected", "dead", "unconfirmed", "expired", "cancelled"]
STATE = Parameter(
    "state",
    "query",
    "one or several, parted by commas; default: all",
    {"type": "array", "minItems": 1, "items": {"type": "string", "enum": [*STATES, *ENDINGS]}},
    ["dead", "unconfirmed"],
    style={"style": "form", "explode": False},
)
TARGET = Parameter(
    "target",
    "query",
    "only of this target",
    {"type": "string", "pattern": "^(group|private):[1-9][0-9]{0,19}$"},
    "group:123456",
)
SINCE = Parameter(
    "since", "query", "changed (`updated_at`) at this time or later, RFC 3339", _TIME, "2026-01-31T08:00:00Z"
)
UNTIL = Parameter("until", "query", "changed at this time or earlier", _TIME, "2026-01-31T20:00:00Z")
LIMIT = Parameter(
    "limit", "query", "most jobs in a page", {"type": "integer", "minimum": 1, "maximum": 500, "default": 50}, 100
)
CURSOR = Parameter(
    "cursor", "query", "`next_cursor` of the page before, as it is; not given: begin", {"type": "string"}
)
RECALL = Parameter(
    "recall",
    "query",
    "take back at QQ what was delivered of it, once it has ended",
    {"type": "string", "enum": ["true", "false"], "default": "false"},
    "true",
)
SIGNATURE = Parameter(
    "X-Signature",
    "header",
    "`sha1=` and the HMAC-SHA1 of the body with `accounts[].events_secret`, in hex",
    {"type": "string", "pattern": "^sha1=[0-9a-f]{40}$"},
    "sha1=8c6f4f1b2c6d3f5b0e1a3d4c5b6a79808f7e6d5c",
    required=True,
)
