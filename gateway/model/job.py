"""A job as its producer submits it (the same JSON in Redis and over HTTP)."""

import json
import re
from datetime import UTC, datetime
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from gateway.model.duration import Milliseconds
from gateway.model.target import Target

Priority = Literal["high", "normal", "low"]
Format = Literal["text", "cq"]
OnUnknown = Literal["hold", "resend"]
_FORM = "write an RFC 3339 time such as 2026-01-31T08:00:00Z"


def _digits(value: object) -> object:
    """Return a QQ number as a string of digits; integers over 2^53 were already damaged by some JSON writer."""
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise ValueError("a QQ number is 1 to 20 digits, as a string or a number")  # noqa: TRY004 - a field error
    if isinstance(value, int):
        if value > 2**53:
            raise ValueError("a number over 2^53 loses digits on its way; send it as a string")
        return str(value)
    return value


def _instant(value: datetime) -> int:
    """Return epoch milliseconds of a time that says its offset."""
    if value.tzinfo is None:
        raise ValueError("say the offset, as RFC 3339 does: 2026-01-31T08:00:00Z or …+08:00")
    try:
        return round(value.astimezone(UTC).timestamp() * 1000)
    except OverflowError:
        raise ValueError("a time lies in the years 1 to 9999, in UTC too") from None


def _written(value: object) -> datetime:
    if not isinstance(value, str):
        raise ValueError(_FORM)  # noqa: TRY004 - pydantic turns ValueError into a field error
    try:
        return datetime.fromisoformat(value)
    except ValueError:
        raise ValueError(f"{_FORM}, not {value[:40]!r}") from None


def _small(value: dict[str, Any]) -> dict[str, Any]:
    size = len(json.dumps(value, ensure_ascii=False).encode())
    if size > 4096:
        raise ValueError(f"metadata is {size} bytes; keep it within 4096 and store the rest on your side")
    return value


def _qq_number(value: str) -> str:
    if re.fullmatch(r"[1-9][0-9]{0,19}", value) is None:
        raise ValueError("a QQ number is 1 to 20 digits, the first not 0")
    return value


QQNumber = Annotated[str, BeforeValidator(_digits), AfterValidator(_qq_number)]
Instant = Annotated[int, BeforeValidator(lambda value: _instant(_written(value)))]
Name = Annotated[str, Field(min_length=1, max_length=128)]


class Job(BaseModel):
    """One request to deliver one message to one target; unknown fields are refused by name."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    group_id: QQNumber | None = None
    user_id: QQNumber | None = None
    temp_session: bool = False
    message: Annotated[Any, Field(description="string, segment, or list of segments and strings")]
    format: Format = "text"
    account: str | None = Field(None, max_length=64)
    key: Name | None = None
    requester: QQNumber | None = None
    priority: Priority = "normal"
    not_before: Instant | None = None
    delay: Milliseconds | None = None
    expires_at: Instant | None = None
    ttl: Milliseconds | None = None
    collapse_key: Name | None = None
    on_unknown: OnUnknown | None = None
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
