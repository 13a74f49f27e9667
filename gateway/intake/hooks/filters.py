"""What templates may do to a value, beyond Jinja2's own filters: pure, each says what it makes of the unexpected."""

import html
import re
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

_BLANKS = re.compile(r"[ \t]+")


def cut(value: Any, most: int = 200) -> str:
    """Return VALUE as text of at most MOST characters; one that is longer ends in `…`."""
    text = "" if value is None else str(value)
    return text if len(text) <= most else text[: max(0, most - 1)].rstrip() + "…"


def first_line(value: Any, most: int = 200) -> str:
    """Return the first line of a text that says something, cut to MOST characters."""
    lines = (line.strip() for line in str(value or "").splitlines())
    return cut(next((line for line in lines if line), ""), most)


def short(value: Any, length: int = 7) -> str:
    """Return the beginning of a hash, as people write commits."""
    return str(value or "")[:length]


def few(values: Iterable[Any] | None, most: int = 5) -> list[Any]:
    """Return the first MOST of VALUES; how many more there are says `more`."""
    return list(values or [])[:most]


def more(values: Iterable[Any] | None, most: int = 5) -> str:
    """Return `+7 more` and a line break for what `few` leaves out; nothing where nothing is left out."""
    left = len(list(values or [])) - most
    return f"+{left} more\n" if left > 0 else ""


def local_time(value: Any, zone: str = "", spelling: str = "%Y-%m-%d %H:%M") -> str:
    """Return a time (RFC 3339, or seconds or milliseconds since the epoch) as people of ZONE write it.

    Without a zone it is UTC, and says so. What is no time is returned as it is.
    """
    instant = _instant(value)
    if instant is None:
        return "" if value is None else str(value)
    try:
        there = instant.astimezone(ZoneInfo(zone) if zone else UTC)
    except (ZoneInfoNotFoundError, ValueError, OverflowError):
        there = instant
        zone = ""
    return there.strftime(spelling) + ("" if zone else " UTC")


def duration(seconds: Any) -> str:
    """Return a number of seconds as people say it: `2h 5m`, `45s`."""
    try:
        left = round(float(seconds))
    except (TypeError, ValueError, OverflowError):
        return str(seconds)
    parts = []
    for unit, size in (("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1)):
        count, left = divmod(left, size)
        if count:
            parts.append(f"{count}{unit}")
    return " ".join(parts[:2]) or "0s"


def link(value: Any) -> str:
    """Return a web address, nothing when VALUE is none: what stands in a payload may be anything."""
    text = str(value or "").strip()
    return text if re.fullmatch(r"https?://[^\s<>\"']+", text) else ""


def plain(value: Any) -> str:
    """Return the words of a text in HTML or Markdown: without tags, link targets, emphasis and marks of headings."""
    text = re.sub(r"<(br|/p|/div|/li)[^<>]*>", "\n", str(value or ""), flags=re.IGNORECASE)
    text = html.unescape(re.sub(r"</?[a-zA-Z!][^<>]*>", "", text))
    text = re.sub(r"!?\[([^\[\]]*)\]\([^()]*\)", r"\1", text)
    text = re.sub(r"(\*\*|__|`)|^[ \t]*#{1,6}[ \t]+", "", text, flags=re.MULTILINE)
    return _BLANKS.sub(" ", text).strip()


def branch(value: Any) -> str:
    """Return the branch or tag in a ref: `refs/heads/main` is `main`."""
    return re.sub(r"^refs/(heads|tags)/", "", str(value or ""))


def _instant(value: Any) -> datetime | None:
    if isinstance(value, bool) or value is None:
        return None
    try:
        if isinstance(value, int | float) or str(value).isdigit():
            seconds = float(value)
            return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds / 1000 if seconds > 1e11 else seconds)
        # Some write nanoseconds, which Python does not read.
        text = re.sub(r"(\.\d{6})\d+", r"\1", str(value).strip())
        instant = datetime.fromisoformat(re.sub(r" ?(UTC|Z)$", "+00:00", text))
    except (ValueError, OverflowError):
        return None
    return instant if instant.tzinfo else instant.replace(tzinfo=UTC)


FILTERS: dict[str, Callable[..., Any]] = {
    "cut": cut,
    "first_line": first_line,
    "short": short,
    "few": few,
    "more": more,
    "local_time": local_time,
    "duration": duration,
    "link": link,
    "plain": plain,
    "branch": branch,
}
"""By the names under which templates know them."""
