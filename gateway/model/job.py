"""A job as its producer submits it (the same JSON in Redis and over HTTP)."""

import json
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, WithJsonSchema, model_validator

from gateway.model.card import Card
from gateway.model.duration import Milliseconds
from gateway.model.instant import Instant
from gateway.model.segment import AsWritten
from gateway.model.spelling import QQ
from gateway.model.target import Target

Priority = Literal["high", "normal", "low"]
Format = Literal["text", "cq"]
OnUnknown = Literal["hold", "resend"]
Split = Literal["auto", "refuse"]


def _printable(value: str) -> str:
    if not value.isprintable():
        raise ValueError("leave out what cannot be printed, such as line breaks")
    return value


def _small(value: dict[str, Any]) -> dict[str, Any]:
    size = len(json.dumps(value, ensure_ascii=False).encode())
    if size > 4096:
        raise ValueError(f"metadata is {size} bytes; keep it within 4096 and store the rest on your side")
    return value


Name = Annotated[
    str,
    Field(min_length=1, max_length=128, json_schema_extra={"pattern": r"^[^\x00-\x1f\x7f]*$"}),
    AfterValidator(_printable),
]
_LINE = {
    "type": "object",
    "properties": {"text": {"type": "string", "maxLength": 512}},
    "required": ["text"],
    "additionalProperties": False,
}
_NEWS: dict[str, Any] = {"anyOf": [{"type": "array", "maxItems": 16, "items": _LINE}, {"type": "null"}]}
_GIVEN: dict[str, Any] = {"not": {"type": "null"}}
_ABSENT: dict[str, Any] = {"type": "null"}
_WHERE: list[Any] = [
    {
        "title": "to a group",
        "required": ["group_id"],
        "properties": {"group_id": _GIVEN, "user_id": _ABSENT, "temp_session": {"const": False}},
    },
    {
        "title": "to a person",
        "required": ["user_id"],
        "properties": {"user_id": _GIVEN, "group_id": _ABSENT, "temp_session": {"const": False}},
    },
    {
        "title": "to a person of a group that both are in",
        "required": ["group_id", "user_id", "temp_session"],
        "properties": {"group_id": _GIVEN, "user_id": _GIVEN, "temp_session": {"const": True}},
    },
]
"""What `_one_target` demands, for producers that validate before they send."""
_WHEN: list[Any] = [
    {"not": {"required": list(pair), "properties": dict.fromkeys(pair, _GIVEN)}}
    for pair in (("not_before", "delay"), ("expires_at", "ttl"))
]
"""What `_one_time_each` demands."""
_EXAMPLES: list[Any] = [
    {"group_id": "123456", "message": "hello", "key": "order-42"},
    {"user_id": 10001, "message": [{"type": "image", "data": {"file": "https://example.com/a.png"}}], "delay": "90s"},
    {
        "group_id": "123456",
        "message": ["good morning ", {"type": "at", "data": {"qq": "10001"}}],
        "ttl": "10m",
        "priority": "high",
    },
]


def _described(words: str) -> Any:
    return Field(None, description=words)


class Job(BaseModel):
    """One request to deliver one message to one target; unknown fields are refused by name."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        strict=True,
        json_schema_extra={"oneOf": _WHERE, "allOf": _WHEN, "examples": _EXAMPLES},
    )

    group_id: QQ | None = _described("the group; exactly one of group_id and user_id, unless temp_session")
    user_id: QQ | None = _described("the person")
    temp_session: bool = Field(False, description="to user_id by way of group_id, a group that both are in")
    message: Annotated[Any, AsWritten(), Field(description="what to say: a string, a segment, or a list of both")]
    format: Format = Field("text", description="how strings are read: literally, or as CQ codes")
    account: str | None = Field(None, max_length=64, description="which NapCat; default: by routes, else the first")
    key: Name | None = _described(
        "your idempotency key: the same key and fields are one job, with other fields it is refused"
    )
    requester: QQ | None = _described("the QQ user on whose behalf it is sent; counted by limits.requester")
    priority: Priority = Field("normal", description="among the jobs for its target; low is never starved")
    not_before: Instant | None = _described("not sent before this time; give this or delay")
    delay: Milliseconds | None = _described("not sent before so long has passed; give this or not_before")
    expires_at: Instant | None = _described("not sent any more after this time; give this or ttl")
    ttl: Milliseconds | None = _described("not sent any more after so long; give this or expires_at")
    collapse_key: Name | None = _described("replaces an unsent job for the same target with the same collapse_key")
    on_unknown: OnUnknown | None = _described("when nobody can tell whether it was sent; default: delivery.on_unknown")
    split: Split | None = _described("when QQ takes it only as several messages; default: delivery.split")
    callback_url: str | None = Field(None, max_length=2048, description="where a signed receipt is posted at its end")
    metadata: Annotated[dict[str, Any], AfterValidator(_small)] = Field(
        default_factory=dict, description="at most 4 KiB; returned in receipts, never sent"
    )
    source: str | None = Field(None, max_length=256, description="of a merged forward's card: its title")
    news: Annotated[list[dict[str, str]] | None, WithJsonSchema(_NEWS)] = Field(
        None, max_length=16, description="of a merged forward's card: its preview lines"
    )
    summary: str | None = Field(None, max_length=256, description="of a merged forward's card: its last line")
    prompt: str | None = Field(None, max_length=256, description="of a merged forward's card: in the list of chats")
    echo: Any = Field(None, description="returned by the OneBot endpoints")

    @model_validator(mode="after")
    def _one_target(self) -> Self:
        if self.temp_session:
            if self.group_id is None or self.user_id is None:
                raise ValueError("a temporary session needs group_id and user_id: the person, and the group you share")
        elif self.group_id is not None and self.user_id is not None:
            raise ValueError("give group_id or user_id, not both; a temporary session also says temp_session: true")
        elif self.group_id is None and self.user_id is None:
            raise ValueError("give group_id (a group) or user_id (a person)")
        return self

    @model_validator(mode="after")
    def _one_time_each(self) -> Self:
        if self.not_before is not None and self.delay is not None:
            raise ValueError("give not_before (a time) or delay (a duration), not both")
        if self.expires_at is not None and self.ttl is not None:
            raise ValueError("give expires_at (a time) or ttl (a duration), not both")
        return self

    @property
    def target(self) -> Target:
        """The lane's target: the person when a user is named (temporary sessions included), else the group."""
        if self.user_id is not None:
            return Target("private", self.user_id)
        assert self.group_id is not None  # noqa: S101 - _one_target has seen to it
        return Target("group", self.group_id)

    @property
    def card(self) -> dict[str, Any]:
        """What is given of a merged forward's card."""
        return {name: value for name in Card.__annotations__ if (value := getattr(self, name)) is not None}
