"""One strict JSON object out of bytes: what two readers could understand differently is refused."""

import json
import math
import re
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any, NoReturn

from gateway.model.errors import Fault, Refused
from gateway.model.spelling import LARGEST_INTEGER
from gateway.model.wording import place

MAX_DEPTH = 32
_MOST_FAULTS = 100  # told at once
_LONGEST_NUMBER = 64
_STRING = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"?', re.DOTALL)
_BRACKETS = bytes.maketrans(b"{}", b"[]")
_NO_BRACKET = bytes(set(range(256)) - set(b"[]{}"))
_SUSPICIOUS_ESCAPE = re.compile(r"\\u(?:0000|[dD][89a-fA-F])")
_SPACE = re.compile(r"[ \t\n\r]*")
_NEXT = re.compile(r"[ \t\n\r]*,?[ \t\n\r]*")
_UNTRANSPORTABLE = re.compile("[\0\ud800-\udfff]")


def parse_document(raw: bytes | str) -> dict[str, Any]:
    """Return the JSON object that `raw` spells, in UTF-8 and nothing else.

    Raises `Refused("json_invalid")` for anything but exactly one object, and for duplicate keys (NapCat takes the
    last, http-server.ts), NaN and Infinity, numbers over 2^53, lone surrogates, NUL, and more than 32 levels. A
    UTF-8 byte order mark is tolerated: Windows tools write one unasked, and it changes no meaning.
    """
    text = _decoded(raw)
    if text.count("[") + text.count("{") > MAX_DEPTH:
        _refuse_depth(text)
    try:
        try:
            document = _read(text)
        except _Questionable:
            _refuse_values(text)  # or what comes behind the questionable value is no JSON at all
    except json.JSONDecodeError as error:
        _refuse_syntax(error)
    document = _object(document)
    if "\\u" in text and _SUSPICIOUS_ESCAPE.search(text):
        _refuse_characters(document)
    return document


def split_document(raw: bytes, name: str) -> tuple[dict[str, Any], list[str]]:
    """Return the JSON object that `raw` spells, and the text of each item of its list `name`, still to be parsed.

    What is questionable inside an item is a matter of that item alone. Raises `Refused("json_invalid")` when items
    cannot be told apart: for what is no JSON object in UTF-8.
    """
    text = _decoded(raw)
    try:
        document = _MARKING_DECODER.decode(text)
        items = list(_items(text, name)) if isinstance(document, dict) and isinstance(document.get(name), list) else []
    except json.JSONDecodeError as error:
        _refuse_syntax(error)
    except RecursionError:
        _refuse("it nests too deep to be read; flatten it")
    return _object(document), items


def _items(text: str, name: str) -> Iterator[str]:
    """Yield the text of each item of the list NAME in TEXT, which is an object that has one."""
    at = _past(text, "{", 0)
    while True:
        key, at = _MARKING_DECODER.raw_decode(text, at)
        at = _past(text, ":", at)
        if key == name:
            break
        at = _past(text, ",", _MARKING_DECODER.raw_decode(text, at)[1])
    at = _past(text, "[", at)
    while text[at] != "]":
        _, end = _MARKING_DECODER.raw_decode(text, at)
        yield text[at:end]
        at = _NEXT.match(text, end).end()  # type: ignore[union-attr]  # it matches anything


def _past(text: str, sign: str, at: int) -> int:
    """Return where what follows the next SIGN in TEXT begins."""
    return _SPACE.match(text, text.index(sign, at) + 1).end()  # type: ignore[union-attr]  # it matches anything


def _read(text: str) -> Any:
    """Return what TEXT spells: as a rule an object with nothing around it, where no blanks need to be looked for."""
    if text.startswith("{"):
        document, end = _DECODER.raw_decode(text)
        if end == len(text):
            return document
    return _DECODER.decode(text)


def _refuse(reason: str, loc: str = "document") -> NoReturn:
    raise Refused("json_invalid", f"the JSON is not usable: {reason}", (Fault(loc, reason, "json_invalid"),))


def _refuse_syntax(error: json.JSONDecodeError) -> NoReturn:
    where = f"{error.msg} at line {error.lineno}, column {error.colno}"
    _refuse(where if error.doc.strip() else "it is empty")


def _object(document: Any) -> dict[str, Any]:
    if not isinstance(document, dict):
        _refuse("this is no JSON object; write {…}")
    return document


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
    _refuse_where(document, _unsendable)


def _unsendable(value: object) -> str | None:
    found = _UNTRANSPORTABLE.search(value) if isinstance(value, str) else None
    return found and f"U+{ord(found[0]):04X} is no character to send; leave it out, or write both halves of the pair"


def _refuse_values(text: str) -> NoReturn:
    """Refuse what is valid JSON and can be understood in two ways, with its places: read again, marking it."""
    document = _MARKING_DECODER.decode(text)
    _refuse_where(document, lambda value: getattr(value, "reason", None))
    raise AssertionError("what was refused is found again")


def _refuse_where(document: Any, reason: Callable[[object], str | None]) -> None:
    """Refuse a document if there is a REASON to refuse any of its values, naming the places of the first hundred."""
    found = ((loc, told) for loc, value in _values(document, ()) if (told := reason(value)) is not None)
    faults = tuple(Fault(place(loc) or "document", told, "json_invalid") for loc, told in islice(found, _MOST_FAULTS))
    if faults:
        raise Refused("json_invalid", f"the JSON is not usable: {faults[0].loc}: {faults[0].msg}", faults)


def _values(value: Any, loc: tuple[object, ...]) -> Iterator[tuple[tuple[object, ...], Any]]:
    """Yield every value, and every key, with its place; a key's place is the object that has it."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield loc, key
            yield from _values(inner, (*loc, key))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _values(inner, (*loc, index))
    else:
        yield loc, value


class _Questionable(Exception):
    """A value that two readers could understand differently, and why."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def _raised(found: _Questionable) -> NoReturn:
    raise found


def _decoder(question: Callable[[_Questionable], Any]) -> json.JSONDecoder:
    """Return a decoder that asks QUESTION what to do with a questionable value."""

    def take_object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        result = dict(pairs)
        if len(result) != len(pairs):
            seen: set[str] = set()
            for key, _ in pairs:
                if key in seen:
                    result[key] = question(_Questionable("the key is given twice; give it once"))
                seen.add(key)
        return result

    def integer(literal: str) -> Any:
        if len(literal) > 17 or abs(value := int(literal)) > LARGEST_INTEGER:
            return question(_Questionable(f"the number {literal[:24]} loses digits over 2^53; send it as a string"))
        return value

    def real(literal: str) -> Any:
        if len(literal) > _LONGEST_NUMBER or not math.isfinite(value := float(literal)):
            return question(_Questionable(f"the number {literal[:24]} is out of range"))
        if abs(value) > LARGEST_INTEGER:  # it is whole then, and some writers spell it with all its digits
            return question(_Questionable(f"the number {literal[:24]} loses digits over 2^53; send it as a string"))
        return value

    def constant(literal: str) -> Any:
        return question(_Questionable(f"{literal} is no JSON; use a number or null"))

    return json.JSONDecoder(object_pairs_hook=take_object, parse_int=integer, parse_float=real, parse_constant=constant)


_DECODER = _decoder(_raised)
_MARKING_DECODER = _decoder(lambda found: found)
