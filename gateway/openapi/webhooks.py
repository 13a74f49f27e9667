"""The table, of webhooks: where other products post what they have to say."""

from dataclasses import replace

from gateway.model.answers import HookTaken
from gateway.openapi import problems as told
from gateway.openapi.operation import Answer, Body, Operation, Parameter

_NAME = Parameter("name", "path", "`hooks[].name`", {"type": "string"}, "deploy", required=True)
_REST = Parameter("path", "path", "what the product puts behind it", {"type": "string"}, "push", required=True)
_JOBS = [{"id": "main.Zk3vQ1yTq0WmB2uXhJ5dSg", "target": "group:123456", "duplicate": False}]
_TAKE = Operation(
    "takeHook", "post", "/hooks/{name}", "Webhooks", "Take what another product says",
    "Configured under `hooks`: verified the way that product signs, and turned into jobs by its preset or a template. "
    "Where a product wants an answer of its own, it gets that one. Some presets are called by GET too, or with more "
    "behind the name.",
    parameters=(_NAME,),
    body=Body({}, {"any": {"event": "deployed", "version": "1.4.2"}}, required=False),
    answers=(
        Answer(200, "There is nothing to say of it; or the answer of its own.", {"type": "object"}),
        Answer(202, "It became jobs.", HookTaken, {"event": "deployed", "jobs": _JOBS}),
    ),
    troubles=(
        *told.BODIED, told.JSON_INVALID, told.CONTENT_TYPE, told.SIGNATURE_INVALID, told.HOOK_UNKNOWN,
        told.PATH_UNKNOWN, told.EVENT_UNKNOWN, told.TEMPLATE_FAILED, told.JOB_INVALID, told.MESSAGE_INVALID,
        *told.SENDING, told.QUEUE_FULL, told.STORE_REFUSES, told.NOT_REPLICATED, told.STORE_UNAVAILABLE,
        told.DATA_NEWER, *told.ALWAYS,
    ),
)  # fmt: skip
_BELOW = replace(_TAKE, name="takeHook_below", path="/hooks/{name}/{path}", parameters=(_NAME, _REST))

WEBHOOKS = (
    _TAKE,
    *(
        replace(other, like=_TAKE.name, description=f"Another way to call `{_TAKE.name}`, for products that do.")
        for other in (
            replace(_TAKE, name="takeHook_by_get", method="get", body=None),
            _BELOW,
            replace(_BELOW, name="takeHook_by_get_below", method="get", body=None),
        )
    ),
)
