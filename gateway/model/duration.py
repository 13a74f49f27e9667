"""Spans of time as people write them: `"1500ms"`, `"2m"`, `"7d"`, or a number of seconds."""

import re
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, PlainSerializer, WithJsonSchema

_UNITS = {"ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
_PATTERN = re.compile(r"([0-9]+(?:\.[0-9]+)?)(ms|s|m|h|d)")
_LONGEST = 366 * 86_400_000


def parse_duration(value: object) -> int:
    """Return whole milliseconds for `"1500ms"`, `"2m"`, `"7d"` or a number of seconds.

    Raises ValueError when the value is none of these, negative, or longer than 366 days.
    """
    advice = 'write a duration such as "1500ms", "10s", "2m", "1h" or "7d", or a number of seconds'
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ValueError(f"{advice}, not {type(value).__name__}")  # noqa: TRY004 - pydantic turns ValueError into a field error
    if isinstance(value, str):
        match = _PATTERN.fullmatch(value.strip())
        if match is None:
            raise ValueError(f"{advice}, not {value[:40]!r}")
        milliseconds = float(match[1]) * _UNITS[match[2]]
    else:
        milliseconds = value * 1_000
    if not 0 <= milliseconds <= _LONGEST:
        raise ValueError("a duration is between 0 and 366 days")
    return round(milliseconds)


def format_duration(milliseconds: int) -> str:
    """Return the shortest exact spelling, e.g. `"2m"` for 120000; `parse_duration` reads it back unchanged."""
    for unit, size in reversed(_UNITS.items()):
        if milliseconds and milliseconds % size == 0:
            return f"{milliseconds // size}{unit}"
    return "0s"


_WRITTEN = {
    "anyOf": [
        {"type": "string", "pattern": r"^\s*[0-9]+(\.[0-9]+)?(ms|s|m|h|d)\s*$", "description": "with its unit"},
        {"type": "number", "minimum": 0, "maximum": _LONGEST // 1_000, "description": "seconds"},
    ],
    "examples": ["1500ms", "2m", 90],
}
Milliseconds = Annotated[
    int,
    BeforeValidator(parse_duration, json_schema_input_type=Annotated[Any, WithJsonSchema(_WRITTEN)]),
    PlainSerializer(format_duration, return_type=str),
]
"""A duration field: spelled with its unit outside, whole milliseconds inside."""


def lasting(least: int, most: int = _LONGEST) -> AfterValidator:
    """Return the check of a duration field that takes LEAST to MOST milliseconds."""

    def check(milliseconds: int) -> int:
        if not least <= milliseconds <= most:
            end = "or more" if most == _LONGEST else f"to {format_duration(most)}"
            raise ValueError(f"write {format_duration(least)} {end}, not {format_duration(milliseconds)}")
        return milliseconds

    return AfterValidator(check)
