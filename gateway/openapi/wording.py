"""A JSON Schema in words: what a field is, what it may be, and which fields there are."""

import json
from collections.abc import Iterator
from html import escape
from typing import Any, NamedTuple

from gateway.model.spelling import LARGEST_INTEGER

Document = dict[str, Any]


class FieldTold(NamedTuple):
    """One field of a body or a shape; `kind` is HTML, `meaning` is text."""

    name: str
    kind: str
    meaning: str
    required: bool


def resolved(document: Document, written: Any) -> Any:
    """Return WRITTEN, or what it refers to in DOCUMENT."""
    if not isinstance(written, dict) or "$ref" not in written:
        return written
    found: Any = document
    for step in written["$ref"].removeprefix("#/").split("/"):
        found = found[step]
    return found


def fields_of(document: Document, schema: Any) -> Iterator[FieldTold]:
    """Yield the fields of an object; nothing for what is none."""
    schema = resolved(document, schema)
    required = schema.get("required", ())
    for name, field in schema.get("properties", {}).items():
        meaning = field.get("description", "")
        yield FieldTold(name, kind_of(document, field), with_default(meaning, field), name in required)


def with_default(meaning: str, schema: Any) -> str:
    """Return MEANING, and what SCHEMA says is taken when nothing is given."""
    default = schema.get("default")
    if default in (None, [], {}):
        return meaning
    return f"{meaning}{'; ' if meaning else ''}default: `{_plain(default)}`"


def kind_of(document: Document, schema: Any, *, told: bool = False) -> str:
    """Return what SCHEMA takes, as HTML with links to the shapes it is made of; TOLD: with its own description."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return f'<a href="#schema-{escape(name)}">{escape(name)}</a>'
    if "const" in schema:
        return f"<code>{escape(json.dumps(schema['const'], ensure_ascii=False))}</code>"
    if "enum" in schema:
        return _either([f"<code>{escape(_plain(value))}</code>" for value in schema["enum"]])
    for several in ("anyOf", "oneOf"):
        if several in schema and not schema.get("properties"):
            kinds = [kind_of(document, one, told=True) for one in schema[several] if one != {"type": "null"}]
            return _either(list(dict.fromkeys(kinds)))
    if isinstance(types := schema.get("type"), list):
        return _either([kind_of(document, {**schema, "type": one}) for one in types if one != "null"])
    if schema.get("type") == "array":
        return f"list of {kind_of(document, schema.get('items', {}))}{_bounds(schema)}"
    if isinstance(values := schema.get("additionalProperties"), dict):
        return f"object of {kind_of(document, values)}"
    kind = {"string": "string", "integer": "whole number", "number": "number", "boolean": "true or false"}.get(
        str(schema.get("type", "")), str(schema.get("type", "anything"))
    )
    if schema.get("format") == "date-time":
        kind = "time (RFC 3339)"
    elif told and "description" in schema:
        return f"{kind} ({escape(schema['description'])})"
    elif "pattern" in schema and "\\x00" not in schema["pattern"]:  # that one only says: nothing unprintable
        kind += f" like <code>{escape(schema['pattern'])}</code>"
    return kind + _bounds(schema)


def _plain(value: Any) -> str:
    return value if isinstance(value, str) and value else json.dumps(value)


def _either(kinds: list[str]) -> str:
    return f"{', '.join(kinds[:-1])} or {kinds[-1]}" if len(kinds) > 1 else "".join(kinds) or "anything"


def _bounds(schema: Any) -> str:
    least = next((schema[name] for name in ("minimum", "minLength", "minItems") if name in schema), None)
    most = next((schema[name] for name in ("maximum", "maxLength", "maxItems") if name in schema), None)
    most = None if most == LARGEST_INTEGER else most
    of = {"string": " characters", "array": " of them"}.get(schema.get("type", ""), "")
    if most is None:
        return f", at least {least}{of}" if least and least > 1 else ""
    return f", {least} to {most}{of}" if least is not None else f", at most {most}{of}"
