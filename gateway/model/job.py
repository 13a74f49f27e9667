"""A job as its producer submits it (the same JSON in Redis and over HTTP)."""

import json
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from gateway.model.duration import Milliseconds
from gateway.model.instant import Instant
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


Name = Annotated[str, Field(min_length=1, max_length=128), AfterValidator(_printable)]


class Job(BaseModel):
    """One request to deliver one message to one target; unknown fields are refused by name."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    group_id: QQ | None = None
    user_id: QQ | None = None
    temp_session: bool = False
    message: Annotated[Any, Field(description="string, segment, or list of segments and strings")]
    format: Format = "text"
    account: str | None = Field(None, max_length=64)
    key: Name | None = None
    requester: QQ | None = None
    priority: Priority = "normal"
    not_before: Instant | None = None
    delay: Milliseconds | None = None
    expires_at: Instant | None = None
    ttl: Milliseconds | None = None
    collapse_key: Name | None = None
    on_unknown: OnUnknown | None = None
    split: Split | None = None
    callback_url: str | None = Field(None, max_length=2048)
    metadata: Annotated[dict[str, Any], AfterValidator(_small)] = Field(default_factory=dict)
    source: str | None = Field(None, max_length=256)
    news: list[dict[str, str]] | None = Field(None, max_length=16)
    summary: str | None = Field(None, max_length=256)
    prompt: str | None = Field(None, max_length=256)
    echo: Any = None

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
