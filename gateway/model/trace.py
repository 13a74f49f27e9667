"""The trace a job belongs to, as its producer says in the job's metadata."""

import json
import re

_FORM = re.compile(r"(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")


def traceparent_of(metadata: str | bytes) -> str | None:
    """Return `traceparent` of a job's METADATA (JSON), if it has the form W3C Trace Context gives it."""
    try:
        document = json.loads(metadata)
    except (ValueError, RecursionError):
        return None
    trace = document.get("traceparent") if isinstance(document, dict) else None
    return trace if isinstance(trace, str) and _FORM.fullmatch(trace) else None
