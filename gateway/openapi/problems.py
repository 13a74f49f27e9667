"""Every error that is told over HTTP: status, stable code, and how it reads."""

from typing import Any, NamedTuple


class Trouble(NamedTuple):
    """One error: what it means is its example's detail; `errors` shows how single fields are told.

    retry_after  whether the answer says when to come again
    """

    status: int
    code: str
    detail: str
    errors: tuple[tuple[str, str, str], ...] = ()
    retry_after: bool = False

    @property
    def told(self) -> list[dict[str, Any]]:
        """The faults of single fields, as JSON."""
        return [dict(zip(("loc", "msg", "type"), fault, strict=True)) for fault in self.errors]


def _wrong(code: str, detail: str, *errors: tuple[str, str, str]) -> Trouble:
    return Trouble(422, code, detail, errors)


def _later(code: str, detail: str, status: int = 503) -> Trouble:
    return Trouble(status, code, detail, retry_after=True)


QUERY_UNREADABLE = Trouble(400, "query_unreadable", "the query is not UTF-8; percent-encode it as UTF-8")
JSON_INVALID = Trouble(
    400,
    "json_invalid",
    "the JSON is not usable: Expecting value at line 1, column 1",
    (("document", "Expecting value at line 1, column 1", "json_invalid"),),
)
BODY_UNREADABLE = Trouble(400, "body_unreadable", "the body is not what its Content-Length or Content-Encoding says")
UNAUTHORIZED = Trouble(401, "unauthorized", "send a configured key: `Authorization: Bearer <key>`")
SIGNATURE_INVALID = Trouble(
    401, "signature_invalid", "X-Signature must be sha1=<HMAC-SHA1 of the body with events_secret>"
)
SCOPE = Trouble(403, "forbidden", "the key 'shop' has no scope 'send'; see auth.keys")
REACH = Trouble(403, "forbidden", "this key may not send to group:2; see auth.keys[].targets")
TARGET_FORBIDDEN = Trouble(403, "target_forbidden", "this key does not reach group:2; see auth.keys[].targets")
WHOLE_ACCOUNT = Trouble(
    403, "target_forbidden", "this key reaches only some targets, and this concerns all of the account"
)
WHOLE_GATEWAY = Trouble(403, "target_forbidden", "this key reaches only some targets, and this concerns all of them")
FOREIGN = Trouble(
    403,
    "foreign",
    "a page of another site may not call, and not by a name that is not this machine's; configure auth.keys",
)
NOT_FOUND = Trouble(404, "not_found", "there is nothing at /v1/job")
JOB_NOT_FOUND = Trouble(404, "job_not_found", "there is no such job, or its record has been dropped (results.keep)")
MESSAGE_GONE = Trouble(404, "message_gone", "what a job says is kept until it is delivered, or sent again")
TARGET_INVALID = Trouble(404, "target_invalid", "'group:012' is no target: write group:<digits> or private:<digits>")
EVENTS_OF_NOBODY = Trouble(404, "account_unknown", "no account has this name")
HOOK_UNKNOWN = Trouble(404, "hook_unknown", "there is no such hook; see `hooks` in the settings")
PATH_UNKNOWN = Trouble(
    404, "path_unknown", "behind the key there are at most /title/subtitle/body; write a slash as %2F"
)
BODY_LATE = Trouble(408, "body_late", "the body did not come within 30000 ms (http.timeout)")
TOO_LATE = Trouble(409, "too_late", "the job is sending: something of it may have been sent, or it has ended")
RELOAD_UNAVAILABLE = Trouble(
    409, "reload_unavailable", "this gateway was not started from settings that can be read again"
)
NOT_ENDED = Trouble(409, "not_ended", "it has not ended; what is under way is not sent again")
NOTHING_LEFT = Trouble(409, "nothing_left", "all of it was delivered; nothing is left to send")
JOB_GONE = Trouble(410, "job_gone", "its record has been dropped (results.keep), or there never was such a job")
TOO_LARGE = Trouble(413, "too_large", "the body is larger than http.max_body")
CONTENT_TYPE = Trouble(415, "content_type", "send the job as application/json, not text/plain")
QUERY_INVALID = _wrong(
    "query_invalid",
    "the query is not understood: acount",
    ("query.acount", "this path takes account and wait", "unknown"),
)
HEADER_INVALID = _wrong(
    "header_invalid", "Idempotency-Key is given twice", ("header.Idempotency-Key", "give it once", "repeated")
)
JOB_INVALID = _wrong(
    "job_invalid", "this is no job", ("group", "unknown field; did you mean group_id?", "unknown_field")
)
MESSAGE_INVALID = _wrong(
    "message_invalid",
    "the message cannot be sent: message.0.type: 'img' is no segment type; did you mean image?",
    ("message.0.type", "'img' is no segment type; did you mean image?", "segment_type"),
)
ACCOUNT_UNKNOWN = _wrong(
    "account_unknown",
    "no account is named 'second'",
    ("account", "use one of: main; or leave it out", "account_unknown"),
)
ACCOUNT_NOT_SERVED = _wrong("account_unknown", "no account is named 'second'; known: main")
KEY_REUSED = _wrong(
    "key_reused",
    "the idempotency key 'order-42' was used for a job with other fields",
    ("key", "send the same fields again, or a new key for a new job", "key_reused"),
)
BATCH_INVALID = _wrong("batch_invalid", "this is no batch of jobs", ("jobs", "give a list of jobs", "list"))
HOLD_INVALID = _wrong(
    "hold_invalid",
    "this is no hold: give reason, and for or until",
    ("for", 'write a duration such as "1500ms", "10s", "2m", "1h" or "7d", or a number of seconds', "value_error"),
)
REPLAY_INVALID = _wrong("replay_invalid", "the filter cannot be used", ("state", "Field required", "missing"))
SESSION_INVALID = _wrong("session_invalid", "this is no sign-in: give key", ("key", "Field required", "missing"))
SETTINGS_INVALID = _wrong(
    "settings_invalid",
    "the settings are refused, and those from before go on",
    ("limits.grup", "unknown setting; did you mean 'group'?", "invalid"),
)
EVENT_UNKNOWN = _wrong("event_unknown", "GitHub has no message for the event 'ping2'")
TEMPLATE_FAILED = _wrong("template_failed", "the template failed at line 3: 'commit' is undefined")
RATE_EXCEEDED = _later("rate_exceeded", "the key 'shop' may send 100/1s; the next in 1 s", 429)
SIGN_IN_LIMITED = _later("sign_in_limited", "too many wrong keys from this address; the next try in 60 s", 429)
INTERNAL = Trouble(500, "internal", "the gateway failed; its log says why")
RECALL_FAILED = Trouble(502, "recall_failed", "NapCat would not take it back: the message is too old")
STORE_UNAVAILABLE = _later("store_unavailable", "Redis does not answer; try again")
STORE_REFUSES = _later("store_refuses", "Redis uses 91% of its maxmemory; try again later")
DATA_NEWER = _later(
    "data_newer",
    "the data of account 'main' were raised to format 2 by a newer gateway, and this one knows 1; it leaves them "
    "alone; ask another replica",
)
NOT_REPLICATED = _later(
    "not_replicated", "Redis: 0 of 1 replicas have what was written, after 1 s; nothing was taken; try again"
)
QUEUE_FULL = _later("queue_full", "account 'main' has intake.max_queued jobs waiting; try again later")
STREAMS_FULL = _later("streams_full", "64 streams are open in this process; close one, or read /status")
STOPPING = _later("stopping", "this gateway is stopping; try again")

ALWAYS = (INTERNAL,)
KEYED = (UNAUTHORIZED, SCOPE, FOREIGN, *ALWAYS)
"""What any path may answer that asks for a key."""
READING = (QUERY_UNREADABLE, QUERY_INVALID, STORE_UNAVAILABLE, DATA_NEWER, *KEYED)
"""What any path under /v1 may answer."""
BODIED = (BODY_UNREADABLE, BODY_LATE, TOO_LARGE)
"""What any path may answer that reads a body."""
SENDING = (RATE_EXCEEDED, STOPPING)
"""What any path may answer that asks for the scope `send`."""
