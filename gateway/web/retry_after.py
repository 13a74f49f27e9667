"""When a server says it may be asked again."""

from collections.abc import Mapping
from email.utils import mktime_tz, parsedate_tz


def retry_after(headers: Mapping[str, str]) -> int | None:
    """Return Retry-After in milliseconds; a date counts from the answer's own Date, not from our clock."""
    value = headers.get("Retry-After", "").strip()
    if not value:
        return None
    if value.isascii() and value.isdigit():
        return int(value[:9]) * 1000
    until, now = parsedate_tz(value), parsedate_tz(headers.get("Date", ""))
    if until is None or now is None:
        return None
    try:
        return max(0, mktime_tz(until) - mktime_tz(now)) * 1000
    except (ValueError, OverflowError):
        return None
