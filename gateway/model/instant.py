"""Points in time: RFC 3339 with an offset outside, epoch milliseconds inside."""

import re
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

from pydantic import BeforeValidator, PlainSerializer, WithJsonSchema

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SPELLING = re.compile(r"\d{4}-\d\d-\d\d([Tt ]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d)?)?")
_FORM = "write an RFC 3339 time such as 2026-01-31T08:00:00Z"


def parse_instant(value: object) -> int:
    """Return the epoch milliseconds of a time that says its offset; raise ValueError with the form to use."""
    if not isinstance(value, str):
        raise ValueError(_FORM)  # noqa: TRY004 - pydantic turns ValueError into a field error
    if _SPELLING.fullmatch(value) is None:
        raise ValueError(_FORM)
    try:
        instant = datetime.fromisoformat(value)
    except ValueError:
        raise ValueError(_FORM) from None
    if instant.tzinfo is None:
        raise ValueError("say the offset, as RFC 3339 does: 2026-01-31T08:00:00Z or …+08:00")
    try:
        return (instant.astimezone(UTC) - _EPOCH) // timedelta(milliseconds=1)
    except OverflowError:
        raise ValueError("a time lies in the years 1 to 9999, in UTC too") from None


def format_instant(milliseconds: int) -> str:
    """Return epoch milliseconds as RFC 3339 in UTC."""
    return (_EPOCH + timedelta(milliseconds=milliseconds)).isoformat(timespec="milliseconds").replace("+00:00", "Z")


_WRITTEN = {
    "type": "string",
    "format": "date-time",
    "pattern": r"^\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d)$",
    "examples": ["2026-01-31T08:00:00+08:00"],
}
Instant = Annotated[
    int,
    BeforeValidator(parse_instant, json_schema_input_type=Annotated[Any, WithJsonSchema(_WRITTEN)]),
    PlainSerializer(format_instant, return_type=str),
]
"""A point in time: RFC 3339 outside, epoch milliseconds inside."""
