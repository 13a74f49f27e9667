"""One call of a webhook as it came in, and the JSON that is in it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, unquote_plus

from gateway.model.errors import Refused

FORM = "application/x-www-form-urlencoded"
_MOST_FIELDS = 200
_MAX_DEPTH = 64

Payload = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Delivery:
    """What a sender brought: names of headers in lower case, `path` what follows the hook's own, as it was sent."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes

    @property
    def segments(self) -> list[str]:
        """Return the segments of the path, decoded each by itself: `%2F` is no boundary, and `+` is a space."""
        return [unquote_plus(segment) for segment in self.path.split("/") if segment]

    @property
    def content_type(self) -> str:
        """Return the media type of the body, in lower case and without parameters."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()


def field_of(delivery: Delivery, name: str) -> bytes:
    """Return the field NAME of a form, the whole body when there is none: some sign only what is in it."""
    fields = _form(delivery.body) if name and delivery.content_type == FORM else {}
    return fields[name].encode() if name in fields else delivery.body


def payload_of(delivery: Delivery, *, forms: bool) -> Payload:
    """Return the JSON object in the body; a form is one too, where FORMS are taken, or where it has JSON in `payload`.

    Without a body it is what the query says. Unlike a job it may have duplicate keys and large numbers: it is data of
    others, out of which only text is made. Raises Refused `json_invalid` or `content_type`.
    """
    if not delivery.body.strip():
        return dict(delivery.query)
    if delivery.content_type == FORM:
        fields = _form(delivery.body)
        if "payload" in fields:
            return _json(fields["payload"])
        if forms:
            return {**delivery.query, **fields}
        raise Refused("content_type", "send application/json, or a form with JSON in its field `payload`")
    if delivery.content_type != "application/json" and not delivery.content_type.endswith("+json"):
        given = delivery.content_type[:60] or "a body without Content-Type"
        raise Refused("content_type", f"send application/json, not {given}")
    payload = _json(delivery.body)
    return {**delivery.query, **payload} if forms else payload


def _form(body: bytes) -> dict[str, str]:
    try:
        pairs = parse_qsl(body.decode("utf-8"), keep_blank_values=True, max_num_fields=_MOST_FIELDS, errors="strict")
    except ValueError as error:
        raise Refused("json_invalid", f"the form cannot be read: {error}") from None
    return dict(pairs)


def _json(text: str | bytes) -> Payload:
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise Refused("json_invalid", f"the body is no usable JSON: {str(error)[:200]}") from None
    if not isinstance(document, dict):
        raise Refused("json_invalid", "the body is no JSON object; write {…}")
    if _depth(document) > _MAX_DEPTH:
        raise Refused("json_invalid", f"the JSON nests deeper than {_MAX_DEPTH} levels")
    return document


def _depth(document: Any) -> int:
    depth, level = 0, [document]
    while level:
        depth += 1
        inner = [value for one in level for value in (one.values() if isinstance(one, dict) else one)]
        level = [value for value in inner if isinstance(value, dict | list)]
    return depth
