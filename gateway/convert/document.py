"""One strict JSON object out of bytes: what two readers could understand differently is refused."""

import json
import math
import re
from collections.abc import Iterator
from typing import Any, NoReturn

from gateway.model.errors import Fault, Refused

MAX_DEPTH = 32
MAX_INTEGER = 2**53
_LONGEST_NUMBER = 64
_STRING = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"?', re.DOTALL)
_BRACKETS = bytes.maketrans(b"{}", b"[]")
_NO_BRACKET = bytes(set(range(256)) - set(b"[]{}"))
_SUSPICIOUS_ESCAPE = re.compile(r"\\u(?:0000|[dD][89a-fA-F])")
_UNTRANSPORTABLE = re.compile("[\0\ud800-\udfff]")


def parse_document(raw: bytes | str) -> dict[str, Any]:
    """Return the JSON object that `raw` spells, in UTF-8 and nothing else.

    Raises `Refused("json_invalid")` for anything but exactly one object, and for duplicate keys (NapCat takes the
    last, http-server.ts), NaN and Infinity, integers over 2^53, lone surrogates, NUL, and more than 32 levels. A
    UTF-8 byte order mark is tolerated: Windows tools write one unasked, and it changes no meaning.
    """
    text = _decoded(raw)
    if text.count("[") + text.count("{") > MAX_DEPTH:
        _refuse_depth(text)
    try:
        document = _DECODER.decode(text)
    except json.JSONDecodeError as error:
        _refuse(f"{error.msg} at line {error.lineno}, column {error.colno}")
    if not isinstance(document, dict):
        _refuse("this is no JSON object; write {…}")
    if _SUSPICIOUS_ESCAPE.search(text):
        _refuse_characters(document)
    return document


def _refuse(reason: str, loc: str = "document") -> NoReturn:
    raise Refused("json_invalid", f"the JSON is not usable: {reason}", (Fault(loc, reason, "json_invalid"),))


def _decoded(raw: bytes | str) -> str:
    try:
        if isinstance(raw, bytes):
            text = raw.decode("utf-8")
        else:
            raw.encode("utf-8")
            text = raw
    except UnicodeError as error:
        _refuse(f"not UTF-8 (at position {getattr(error, 'start', 0)}); send the JSON as UTF-8")
    if "\0" in text:
        _refuse("it contains NUL, as UTF-16 and UTF-32 do; send the JSON as UTF-8")
    return text.removeprefix("\ufeff")


def _refuse_depth(text: str) -> None:
    """Refuse nesting over the limit in time linear to the text, before the decoder recurses into it."""
    skeleton = _STRING.sub(b"", text.encode()).translate(_BRACKETS, _NO_BRACKET)
    rounds = 0
    while b"[]" in skeleton and rounds < MAX_DEPTH and b"[" * (MAX_DEPTH + 1) not in skeleton:
        skeleton = skeleton.replace(b"[]", b"")
        rounds += 1
    if b"[]" in skeleton or skeleton.count(b"[") > MAX_DEPTH:
        _refuse(f"it nests deeper than {MAX_DEPTH} levels; flatten it")


def _refuse_characters(document: dict[str, Any]) -> None:
    faults = tuple(
        Fault(
            loc,
            f"U+{ord(found[0]):04X} is no character to send; leave it out, or write both halves of the pair",
            "json_invalid",
        )
        for loc, value in _strings(document, "")
        if (found := _UNTRANSPORTABLE.search(value))
    )
    if faults:
        raise Refused("json_invalid", "the JSON is not usable: it contains characters that are none", faults)


def _strings(value: Any, loc: str) -> Iterator[tuple[str, str]]:
    """Yield every string with its place; a key's place is the object that has it."""
    if isinstance(value, str):
        yield loc or "document", value
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield loc or "document", key
            yield from _strings(inner, _join(loc, "…" if _UNTRANSPORTABLE.search(key) else key[:40]))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _strings(inner, _join(loc, str(index)))


def _join(loc: str, name: str) -> str:
    return f"{loc}.{name}" if loc else name


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        seen: set[str] = set()
        for key, _ in pairs:
            if key in seen:
                shown = _UNTRANSPORTABLE.sub("…", key[:40])
                _refuse(f"the key {shown!r} is given twice; give it once", shown)
            seen.add(key)
    return result


def _integer(literal: str) -> int:
    if len(literal) > 17 or abs(value := int(literal)) > MAX_INTEGER:
        _refuse(f"the number {literal[:24]} loses digits over 2^53; send it as a string")
    return value


def _real(literal: str) -> float:
    if len(literal) > _LONGEST_NUMBER or not math.isfinite(value := float(literal)):
        _refuse(f"the number {literal[:24]} is out of range")
    return value


def _constant(literal: str) -> NoReturn:
    _refuse(f"{literal} is no JSON; use a number or null")


_DECODER = json.JSONDecoder(object_pairs_hook=_object, parse_int=_integer, parse_float=_real, parse_constant=_constant)
