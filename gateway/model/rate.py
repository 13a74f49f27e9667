"""A rate: never more than `count` sends in any sliding window of `period`."""

import re
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import BeforeValidator, PlainSerializer, WithJsonSchema

from gateway.model.duration import format_duration, parse_duration


@dataclass(frozen=True, slots=True)
class Rate:
    """At most `count` sends in any window of `period` milliseconds, measured at the receiver."""

    count: int
    period: int

    def __str__(self) -> str:
        """Spell the rate as settings do: `20/1m`."""
        return f"{self.count}/{format_duration(self.period)}"


def parse_rate(value: Any) -> Rate:
    """Return the rate written as `20/1m` or `1/1100ms`; raise ValueError with the form to use."""
    if isinstance(value, Rate):
        return value
    match = re.fullmatch(r"\s*([0-9]{1,6})\s*/\s*(\S+)\s*", value) if isinstance(value, str) else None
    if match is None:
        raise ValueError(f'a rate is written "count/period", such as "20/1m" or "1/1100ms", not {value!r:.40}')
    rate = Rate(int(match[1]), parse_duration(match[2] if match[2][0].isdigit() else "1" + match[2]))
    if rate.count < 1 or rate.period < 1:
        raise ValueError("a rate allows at least 1 send in at least 1ms; to stop a target, park it")
    return rate


RateField = Annotated[
    Rate,
    BeforeValidator(parse_rate),
    PlainSerializer(str, return_type=str),
    WithJsonSchema({"type": "string", "pattern": r"^\d+/\d+(ms|s|m|h|d)$", "examples": ["20/1m"]}),
]
"""A rate in settings: `"20/1m"` outside, `Rate` inside."""
