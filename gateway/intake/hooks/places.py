"""Where in a delivery something stands: in a header, or at a JSONPath of its payload; pure."""

import json
from collections.abc import Iterator
from typing import Any

from jsonpath import CompoundJSONPath, JSONPath, JSONPathEnvironment, JSONPathError

from gateway.intake.hooks.delivery import Delivery, Payload
from gateway.model.errors import Refused

Path = JSONPath | CompoundJSONPath
Place = str | Path
"""A header's name in lower case, or a path."""

_JSONPATH = JSONPathEnvironment(strict=False)
_HEADER = "header:"


def place_of(text: str) -> Place:
    """Return the place that TEXT names: `header:x-github-event`, `$.action`; raises Refused when it names none."""
    return text.removeprefix(_HEADER) if text.startswith(_HEADER) else path_of(text)


def path_of(text: str) -> Path:
    """Return TEXT as a path into payloads; raises Refused `path_invalid` when it is none."""
    try:
        return _JSONPATH.compile(text)
    except JSONPathError as error:
        why = str(error).partition("\n")[0]
        raise Refused("path_invalid", f"{text!r} is no JSONPath: {why}; write $.a.b[*].c") from None


def found(place: Place, delivery: Delivery, payload: Payload) -> str:
    """Return the text that stands first at PLACE; empty when there is none."""
    if isinstance(place, str):
        return delivery.headers.get(place, "").strip()
    return next(texts_at(place, payload), "")


def texts_at(path: Path, payload: Payload) -> Iterator[str]:
    """Yield all that stands at PATH; what is no text is spelled as in JSON."""
    try:
        yield from (spelled(match.obj) for match in path.finditer(payload))
    except (JSONPathError, RecursionError):  # what the path cannot be asked of is not there
        return


def spelled(value: Any) -> str:
    """Return VALUE as text; what is none is spelled as in JSON, and null as nothing."""
    return value if isinstance(value, str) else "" if value is None else json.dumps(value, ensure_ascii=False)
