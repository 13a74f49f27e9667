"""CQ codes: the string form of a message, `[CQ:type,key=value]` between escaped text."""

import json
import re
import sys
from collections.abc import Iterable, Mapping
from typing import Any

_CODE = re.compile(r"\[CQ:(\w++)((?:,\w++=[^,\]]*+)*+)\]", re.ASCII)
_MOST_PARAMETERS = 64
_OPENING = "[CQ:"


def parse_cq(text: str, most: int = sys.maxsize) -> list[dict[str, Any]]:
    """Return the segments a CQ string spells: text between codes, one segment per code, all values strings.

    Reading ends after MOST segments.

    Grammar and escapes are those of OneBot 11 (message/string.md) as NapCat reads them (helper/cqcode.ts):
    `&#91;`, `&#93;`, `&#44;`, then `&amp;`, in text and values alike. Raises ValueError for a `[CQ:` that is no
    complete code, which NapCat would send to the chat as it stands.
    """
    segments: list[dict[str, Any]] = []
    position = 0
    while (start := text.find(_OPENING, position)) >= 0:
        match = _CODE.match(text, start)
        if match is None:
            raise ValueError(
                f"the CQ code at character {start} is not complete; write [CQ:type,key=value], with & as &amp; "
                "[ as &#91; ] as &#93; and in values , as &#44;"
            )
        _add_text(segments, text[position:start])
        segments.append({"type": match[1], "data": _parameters(match[2], start)})
        position = match.end()
        if len(segments) >= most:
            return segments
    _add_text(segments, text[position:])
    return segments


def is_plain(text: str) -> bool:
    """Whether a CQ string stands for nothing but itself."""
    return "&" not in text and _OPENING not in text


def _add_text(segments: list[dict[str, Any]], text: str) -> None:
    if text:
        segments.append({"type": "text", "data": {"text": unescape(text)}})


def _parameters(text: str, start: int) -> dict[str, str]:
    if text.count(",") > _MOST_PARAMETERS:
        raise ValueError(f"the CQ code at character {start} has more than {_MOST_PARAMETERS} parameters")
    data: dict[str, str] = {}
    for pair in text.split(",")[1:]:
        key, _, value = pair.partition("=")
        if key in data:
            raise ValueError(f"the CQ code at character {start} gives {key[:24]} twice; give it once")
        data[key] = unescape(value)
    return data


def unescape(text: str) -> str:
    """Return what an escaped text stands for; `&amp;` comes last, so `&amp;#91;` is the text `&#91;`."""
    if "&" not in text:
        return text
    return text.replace("&#91;", "[").replace("&#93;", "]").replace("&#44;", ",").replace("&amp;", "&")


def render_cq(segments: Iterable[Mapping[str, Any]]) -> str:
    """Return the CQ string of segments: what `parse_cq` reads back, their values as strings.

    OneBot 11 gives text three escapes and values a fourth, the comma. Data that is no text, such as the content of a
    node, which CQ codes cannot say, is spelled as JSON.
    """
    return "".join(map(_rendered, segments))


def _rendered(segment: Mapping[str, Any]) -> str:
    data = segment["data"]
    if segment["type"] == "text":
        return escape(data["text"])
    values = (f",{key}={escape(_spelled(value)).replace(',', '&#44;')}" for key, value in data.items())
    return f"[CQ:{segment['type']}{''.join(values)}]"


def escape(text: str) -> str:
    """Return text as it stands between CQ codes; `unescape` turns it back."""
    return text.replace("&", "&amp;").replace("[", "&#91;").replace("]", "&#93;")


def _spelled(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
