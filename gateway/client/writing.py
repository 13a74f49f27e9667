"""What a caller gives, as the gateway reads it: jobs as JSON, times and durations as text."""

import json
import secrets
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from gateway.model.duration import parse_duration
from gateway.model.errors import Fault, Refused
from gateway.model.instant import format_instant, parse_instant
from gateway.model.job import Job

Moment = datetime | timedelta | str
"""A time: a datetime that knows its zone, its RFC 3339 text, or a timedelta ago."""
Span = timedelta | float | str
"""A duration: a timedelta, seconds, or text such as `"90s"`."""


def job_document(job: Job | Mapping[str, Any] | None, fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return a job as the gateway takes it: JOB with FIELDS over it, and with a key of its own if it has none.

    Raises Refused when it is no JSON.
    """
    given = job.model_dump(mode="json", exclude_unset=True) if isinstance(job, Job) else dict(job or {})
    document = {name: _plain(value) for name, value in {**given, **fields}.items()}
    if document.get("key") is None:
        document["key"] = secrets.token_urlsafe(16)
    try:
        json.dumps(document, allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        fault = Fault("job", f"{error}; give what JSON has: text, numbers, lists, dictionaries, None", "json")
        raise Refused("job_invalid", "this is no job: it cannot be written as JSON", [fault]) from None
    return document


def moment(value: Moment, name: str) -> datetime:
    """Return a time in UTC; raises Refused naming the parameter NAME."""
    if isinstance(value, timedelta):
        return datetime.now(UTC) - value
    try:
        text = value.isoformat() if isinstance(value, datetime) else value
        return datetime.fromtimestamp(parse_instant(text) / 1000, UTC)
    except (ValueError, OverflowError, OSError) as error:
        raise Refused("query_invalid", f"{name}: {error}", [Fault(name, str(error), "instant")]) from None


def rfc3339(value: datetime) -> str:
    """Spell a time of UTC as the gateway reads it, in milliseconds."""
    return format_instant((value - datetime.fromtimestamp(0, UTC)) // timedelta(milliseconds=1))


def seconds(value: Span, name: str) -> float:
    """Return a duration in seconds; raises Refused naming the parameter NAME."""
    try:
        return parse_duration(value.total_seconds() if isinstance(value, timedelta) else value) / 1000
    except ValueError as error:
        raise Refused("query_invalid", f"{name}: {error}", [Fault(name, str(error), "duration")]) from None


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    return value.total_seconds() if isinstance(value, timedelta) else value
