"""How NapCat reads a request body and writes its envelope (NAPCAT.md §1.2, §1.3)."""

import json
import math
import re
from typing import Any
from urllib.parse import parse_qsl

_CHUNK = 65_536


class ActionError(Exception):
    """An action threw, or its check said no: `text` goes into the envelope's `message`.

    `retcode` is NapCat's HTTP one: 200 (threw) or 400 (check failed). `mute_over_ws` marks what is thrown
    outside NapCat's try block: over WebSocket it is never answered.
    """

    def __init__(self, text: str, retcode: int = 200, *, mute_over_ws: bool = False) -> None:
        """Carry the words and the code of the failure."""
        super().__init__(text)
        self.text = text
        self.retcode = retcode
        self.mute_over_ws = mute_over_ws


def _javascript_number(digits: str) -> int | float:
    """Return an integer as JavaScript keeps it: whole digits only up to 2^53."""
    if len(digits) < 16:
        return int(digits)
    number = float(digits)
    return int(number) if math.isfinite(number) else number


_DECODER = json.JSONDecoder(parse_int=_javascript_number)
_DOUBLE = r'"[^"\\]*(?:\\.[^"\\]*)*"'
_COMMENT = re.compile(rf"({_DOUBLE})|'([^'\\]*(?:\\.[^'\\]*)*)'|//[^\n]*|/\*.*?\*/", re.DOTALL)
_TRAILING_COMMA = re.compile(rf"({_DOUBLE})|,(?=\s*[}}\]])", re.DOTALL)


def _without_comments(match: re.Match[str]) -> str:
    if match[1] is not None:
        return match[1]
    if match[2] is not None:
        return '"' + match[2].replace("\\'", "'").replace('"', '\\"') + '"'
    return " "


def _decode(raw: bytes) -> str:
    """Return the text as NapCat makes it: each chunk decoded alone, a character across a border is lost."""
    if raw.isascii():
        return raw.decode("ascii")
    return "".join(raw[start : start + _CHUNK].decode("utf-8", "replace") for start in range(0, len(raw), _CHUNK))


def parse_json5(text: str) -> Any:
    """Return the value of JSON, comments, trailing commas and single quotes allowed; else ValueError."""
    try:
        try:
            return _DECODER.decode(text)
        except ValueError:
            strict = _TRAILING_COMMA.sub(lambda match: match[1] or "", _COMMENT.sub(_without_comments, text))
            return _DECODER.decode(strict)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def parse_body(raw: bytes, *, form: bool) -> dict[str, Any]:
    """Return the fields of a request body, form or JSON5; raise ValueError when it is neither."""
    text = _decode(raw)
    if form:
        return dict(parse_qsl(text, keep_blank_values=True))
    value = parse_json5(text or "{}")
    return value if isinstance(value, dict) else {}


def envelope(data: Any, echo: Any, *, retcode: int = 0, text: str = "", status: str = "") -> dict[str, Any]:
    """Return NapCat's answer, with the text twice: `ok` when retcode is 0, else `failed`, unless STATUS is given."""
    return {
        "status": status or ("failed" if retcode else "ok"),
        "retcode": retcode,
        "data": data,
        "message": text,
        "wording": text,
        "echo": echo,
        "stream": "normal-action",
    }


def dump(value: Any) -> str:
    """Return compact JSON with raw Chinese in it and lone surrogates escaped, as JSON.stringify writes it."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode()
