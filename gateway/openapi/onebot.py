"""The table, of the OneBot 11 drop-in: what a client of NapCat calls, here as there."""

from dataclasses import replace
from typing import Any

from gateway.model.answers import Envelope
from gateway.model.schema import job_schema
from gateway.model.spelling import LARGEST_INTEGER
from gateway.openapi import parameters as given
from gateway.openapi import problems as told
from gateway.openapi.operation import FORM, JSON, Answer, Body, Method, Operation, Parameter, Schema

_TAG = "OneBot 11"
_SENT = {"message_id": 696124706, "message_ids": [696124706]}
_IDS: Schema = {"type": ["integer", "string", "null"], "minimum": 0, "maximum": LARGEST_INTEGER}
_INNER: Schema = {name: {"$ref": "#/components/schemas/Plain"} for name in ("additionalProperties", "items")}
_OWN: dict[str, Schema] = {
    "group_id": _IDS | {"description": "the group"},
    "user_id": _IDS | {"description": "the person"},
    "message": {
        "anyOf": [
            {"type": ["string", "null"]},
            {"type": ["object", "array"], **_INNER},
        ],
        "description": "a string of CQ codes, a segment, or a list of both",
    },
    "message_type": {"enum": ["group", "private", "", None], "description": "of send_msg, where both ids are given"},
    "auto_escape": {
        "anyOf": [{"type": ["boolean", "null"]}, {"enum": ["true", "false", "1", "0", 1, 0, ""]}],
        "default": False,
        "description": "true: strings are text, CQ codes and all",
    },
    "echo": {"$ref": "#/components/schemas/Plain", "description": "comes back in the answer"},
}
PLAIN: Schema = {
    "anyOf": [
        {"type": ["string", "boolean", "null"]},
        {"type": "number", "minimum": -LARGEST_INTEGER, "maximum": LARGEST_INTEGER},
        {"type": "array", "items": {"$ref": "#/components/schemas/Plain"}},
        {"type": "object", "additionalProperties": {"$ref": "#/components/schemas/Plain"}},
    ],
    "description": "JSON that every reader reads alike: no number over 2^53, and at most 32 levels",
}
_LEFT_OUT = frozenset({"callback_url", "temp_session"})
_EXTRAS: dict[str, Schema] = {
    name: {"$ref": "#/components/schemas/Plain", "description": written["description"]}
    for name, written in job_schema()["properties"].items()
    if name not in _OWN and name not in _LEFT_OUT
}
"""Fields of any job: what they may be is said there; a form or a query can spell them only as text."""
CALL: Schema = {
    "type": "object",
    "properties": {**_OWN, **_EXTRAS},
    "additionalProperties": {"$ref": "#/components/schemas/Plain"},
    "description": "Fields that nobody knows are ignored, unless they are nearly one that is known.",
}
"""What the three actions that send take: JSON, a form, or a query."""
_CALL_REF: Schema = {"$ref": "#/components/schemas/Call"}
_BRINGS = "`access_token` in the query wins over the header; a field of the body counts last, up to 64 KiB."
_SENDS = {
    "send_msg": ("Send a message", {"message_type": "group", "group_id": 123456, "message": "hello [CQ:face,id=1]"}),
    "send_group_msg": ("Send a message to a group", {"group_id": 123456, "message": "hello [CQ:face,id=1]"}),
    "send_private_msg": ("Send a message to a person", {"user_id": 10001, "message": "hello"}),
}


def _envelope(status: str, retcode: int, data: Any, words: str = "") -> dict[str, Any]:
    return {"status": status, "retcode": retcode, "data": data, "message": words, "wording": words, "echo": None}


_REFUSALS = (
    Answer(400, "The call cannot be read.", Envelope, _envelope("failed", 400, None, "the JSON is not usable: …")),
    Answer(401, "No key was given.", Envelope, _envelope("failed", 401, None, "send a configured key: …")),
    Answer(
        403, "The key is none, or may not do this.", Envelope,
        _envelope("failed", 403, None, "this access token is none of auth.keys"),
    ),
    Answer(
        404, "There is no such action here.", Envelope,
        _envelope("failed", 404, None, "get_cookies is not served here; see onebot.pass for what is passed to NapCat"),
    ),
    Answer(406, "The content type is neither JSON nor a form.", Envelope, _envelope("failed", 406, None, "send …")),
    Answer(413, "The body is too large.", Envelope, _envelope("failed", 413, None, "the job has 9000000 bytes; …")),
)  # fmt: skip
_TROUBLES = (*told.BODIED, told.NOT_FOUND, *told.ALWAYS)
_SENDING = (
    told.RATE_EXCEEDED, told.STOPPING, told.QUEUE_FULL, told.STORE_UNAVAILABLE, told.DATA_NEWER, told.STORE_REFUSES,
    told.NOT_REPLICATED, told.HEADER_INVALID,
)  # fmt: skip


def _query(properties: dict[str, Schema]) -> tuple[Parameter, ...]:
    spelled = {"group_id": "123456", "message": "hello"}
    return tuple(
        Parameter(name, "query", str(schema["description"]), {"type": "string"}, spelled.get(name))
        for name, schema in properties.items()
    )


def _sends(action: str) -> tuple[Operation, ...]:
    """Return every way to call ACTION: waiting for its end or not, by POST and GET, by routes or by an account."""
    summary, example = _SENDS[action]
    done = Answer(
        200, "What became of it, in NapCat's envelope.", Envelope, _envelope("ok", 0, _SENT), headers=("Job",)
    )
    at_once = replace(done, example=_envelope("async", 1, {"job": "main.Zk3vQ1yTq0WmB2uXhJ5dSg"}))
    waiting = Operation(
        action, "post", f"/{action}", _TAG, summary,
        "As at NapCat, answered when the message is delivered or refused; `async` after `onebot.wait`, and at once for "
        f"`/{action}_async` and for what is scheduled. Also by GET with the fields as a query, and under "
        f"`/{{account}}/{action}` by that account; `…_rate_limited` is the same. Fields of a job are understood too. "
        + _BRINGS,
        scope="send",
        parameters=(given.IDEMPOTENCY_KEY,),
        body=Body(_CALL_REF, {"hello": example}, types=(JSON, FORM)),
        answers=(done, *_REFUSALS),
        troubles=(*_TROUBLES, *_SENDING),
        token_in_query=True,
    )  # fmt: skip
    scheduling = replace(
        waiting,
        name=f"{action}_async",
        path=f"/{action}_async",
        description=_another_way(waiting),
        answers=(at_once, *_REFUSALS),
        like=action,
    )
    return (*_ways(waiting, _query(_OWN)), *_ways(scheduling, _query(_OWN)))


def _ways(first: Operation, query: tuple[Parameter, ...] = ()) -> tuple[Operation, ...]:
    """Return FIRST and the other ways to call it: by GET with QUERY, and by the account that the path names."""
    others: tuple[tuple[Method, str], ...] = (("get", ""), ("post", "/{account}"), ("get", "/{account}"))
    return (first, *(_way(first, method, prefix, query) for method, prefix in others))


def _way(first: Operation, method: Method, prefix: str, query: tuple[Parameter, ...]) -> Operation:
    by_get = method == "get"
    return replace(
        first,
        name=f"{first.name}{'_by_get' if by_get else ''}{'_of_account' if prefix else ''}",
        method=method,
        path=f"{prefix}{first.path}",
        description=_another_way(first),
        parameters=(*((given.IN_PATH,) if prefix else ()), *first.parameters, *(query if by_get else ())),
        body=None if by_get else first.body,
        like=first.like or first.name,
    )


def _another_way(first: Operation) -> str:
    return f"Another way to call `{first.like or first.name}`."


_ACTION = Parameter(
    "action", "path", "an action that `onebot.pass` lists",
    {"type": "string", "pattern": "^[._]?[A-Za-z0-9]+(_[A-Za-z0-9]+)+$"}, "get_login_info", required=True,
)  # fmt: skip
_PASS = Operation(
    "pass", "post", "/{action}", _TAG, "Ask NapCat something else",
    "Passed to the account's NapCat as it is, one at a time, and its answer passed back, if `onebot.pass` lists it: by "
    "default `get_status`, `get_login_info`, `get_version_info`, `can_send_image` and `can_send_record`. What sends, "
    "deletes or tells secrets is never passed. Also by GET, and under `/{account}/…`.",
    scope="send",
    parameters=(_ACTION,),
    body=Body({"type": "object", **_INNER}, {"nothing": {}}, types=(JSON, FORM), required=False),
    answers=(
        Answer(
            200, "NapCat's answer.", Envelope, _envelope("ok", 0, {"user_id": 10001, "nickname": "bot"})
        ),
        *_REFUSALS,
    ),
    troubles=_TROUBLES,
    token_in_query=True,
)  # fmt: skip
_TAKE_BACK = Operation(
    "delete_msg", "post", "/delete_msg", _TAG, "Take back a message",
    "Only what this gateway sent today or yesterday, and as long as QQ allows it: about two minutes. Also by GET, and "
    "under `/{account}/delete_msg`.",
    scope="send",
    body=Body(
        {
            "type": "object",
            "required": ["message_id"],
            "properties": {
                "message_id": {
                    "anyOf": [
                        {"type": "integer", "minimum": -LARGEST_INTEGER, "maximum": LARGEST_INTEGER},
                        {"type": "string", "pattern": "^-?[0-9]{1,20}$"},
                    ],
                    "description": "as the send was answered with",
                }
            },
            **_INNER,
        },
        {"one": {"message_id": 696124706}},
        types=(JSON, FORM),
    ),
    answers=(Answer(200, "What NapCat says to it.", Envelope, _envelope("ok", 0, None)), *_REFUSALS),
    troubles=(*_TROUBLES, *_SENDING),
    token_in_query=True,
)  # fmt: skip
_MESSAGE_ID = Parameter(
    "message_id", "query", "as the send was answered with", {"type": "string", "pattern": "^-?[0-9]{1,20}$"},
    "696124706", required=True,
)  # fmt: skip

ONEBOT = (
    *(operation for action in _SENDS for operation in _sends(action)),
    *_ways(_TAKE_BACK, (_MESSAGE_ID,)),
    *_ways(_PASS),
)
