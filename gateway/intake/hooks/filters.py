"""What templates may do to a value, beyond Jinja2's own filters: pure, each says what it makes of the unexpected."""

import html
import re
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

_BLANKS = re.compile(r"[ \t]+")
_LONGEST = 64 * 1024  # characters of a text that are looked at
# What repeats is possessive: an attempt that fails is not tried again in other lengths, which takes forever.
_PICTURE = re.compile(r"!\[([^\[\]]*+)\]\(([^()\s]*+)[^()]*+\)")
_LINK = re.compile(r"\[([^\[\]]*+)\]\(([^()\s]*+)[^()]*+\)")


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


def line(value: Any) -> str:
    """Return VALUE and a line break; nothing where it says nothing."""
    text = "" if value is None else str(value).strip()
    return f"{text}\n" if text else ""


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


def plain(value: Any, *, links: bool = False) -> str:
    """Return the words of a text in HTML or Markdown: without tags, emphasis, marks of headings and link targets.

    With LINKS the targets stay, behind the words.
    """
    text = re.sub(r"<(https?://[^<>\s]++)>", r"\1", str(value or "")[:_LONGEST])
    text = re.sub(r"</?(br|p|div|li)\b[^<>]*>", "\n", text, flags=re.IGNORECASE)
    text = _unescaped(re.sub(r"</?[a-zA-Z!][^<>]*>", "", text))
    text = _PICTURE.sub("" if links else r"\1", text)
    text = _LINK.sub(_words_and_target if links else r"\1", text)
    text = re.sub(r"^ {0,3}(#{1,6}[ \t]+|>[ \t]?|(```|~~~|---|\*\*\*).*$)", "", text, flags=re.MULTILINE)
    text = re.sub(r"(\*\*|__|`)", "", text)
    text = _BLANKS.sub(" ", re.sub(r"(?<![ \t])[ \t]+$", "", text, flags=re.MULTILINE))
    return re.sub(r"\n{3,}", "\n\n", text).strip()


def _unescaped(text: str) -> str:
    try:
        return html.unescape(text)
    except ValueError:  # the number of a character has thousands of digits
        return text


def _words_and_target(found: re.Match[str]) -> str:
    words, target = found[1].strip(), found[2]
    return target if words in {"", target} else f"{words} {target}".strip()


def pictures(value: Any, most: int = 3) -> list[str]:
    """Return the addresses of the first MOST images in a text in Markdown."""
    found = [link(address) for _words, address in _PICTURE.findall(str(value or "")[:_LONGEST])]
    return [address for address in found if address][:most]


def facts(value: Any, without: Iterable[str] = ()) -> list[str]:
    """Return `name: value` of all that is simple in a mapping, and in those in it, but for the names WITHOUT.

    Of a list it is what is in it, or how much.
    """
    told: list[str] = []
    waiting: list[tuple[str, Any]] = list(value.items())[::-1] if isinstance(value, Mapping) else []
    waiting = [(name, one) for name, one in waiting if name not in without]
    while waiting:
        name, one = waiting.pop()
        if isinstance(one, Mapping):
            within = cut(name, 60)
            waiting += [(f"{within}.{cut(inner, 60)}", deeper) for inner, deeper in list(one.items())[::-1]]
        elif isinstance(one, list):
            simple = len(one) <= 10 and all(isinstance(item, str | int | float) for item in one)
            told += [f"{cut(name, 60)}: {cut(', '.join(map(str, one)), 100) if simple else len(one)}"] if one else []
        elif one not in (None, ""):
            said = "yes" if one is True else "no" if one is False else first_line(str(one), 100)
            told.append(f"{cut(name, 60)}: {said}")
    return told


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
    "line": line,
    "local_time": local_time,
    "duration": duration,
    "link": link,
    "plain": plain,
    "pictures": pictures,
    "facts": facts,
    "branch": branch,
}
"""By the names under which templates know them."""
