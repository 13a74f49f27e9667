"""How single values are spelled: text that QQ can carry, ids as digits, links, file names."""

import json
import re
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, GetJsonSchemaHandler, WithJsonSchema
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

LARGEST_INTEGER = 2**53
"""Beyond it some JSON reader on the way, NapCat's included, loses digits."""

_UNCARRIED = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")


def is_carried(value: str) -> bool:
    """Whether QQ carries all of a text; `carried` says what it does not."""
    return value.isprintable() or _UNCARRIED.search(value) is None


def carried(value: str) -> str:
    """Return text as it is; raise ValueError for what QQ cannot carry.

    That is a lone surrogate, or a control character other than newline, carriage return and tab.
    """
    if not value.isprintable() and (found := _UNCARRIED.search(value)):
        raise ValueError(f"QQ cannot carry U+{ord(found[0]):04X} (character {found.start()}); leave it out")
    return value


def spelled(pattern: str, form: str, numbers: tuple[int, int] | None = None) -> BeforeValidator:
    """Return a validator that turns a number or string into a string of the given form, described by `form`.

    NUMBERS are the least and the largest number of that form, None where no number has it: what a schema tells.
    """
    matches = re.compile(pattern).fullmatch

    def spell(value: object) -> str:
        if isinstance(value, int) and not isinstance(value, bool):
            if abs(value) > LARGEST_INTEGER:
                raise ValueError("a number over 2^53 loses digits on its way; send it as a string")
            value = str(value)
        if not isinstance(value, str) or matches(value) is None:
            raise ValueError(f"write {form}")
        return value

    return BeforeValidator(
        spell, json_schema_input_type=Annotated[Any, WithJsonSchema(_written(pattern, form, numbers))]
    )


def _written(pattern: str, form: str, numbers: tuple[int, int] | None) -> dict[str, Any]:
    """Return the JSON Schema of what `spelled` takes."""
    text = {"type": "string", "pattern": f"^(?:{pattern})$", "description": form}
    if numbers is None:
        return text
    return {"anyOf": [text, {"type": "integer", "minimum": numbers[0], "maximum": numbers[1]}]}


def _number(value: object) -> object:
    if isinstance(value, bool | float) or (isinstance(value, str) and not re.fullmatch("[0-9]{1,16}", value)):
        raise ValueError("write a whole number")
    return value


def _ark(value: object) -> str:
    """Return the text of a JSON object given as an object or as its text."""
    try:
        if isinstance(value, dict):
            return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        if isinstance(value, str) and isinstance(json.loads(value), dict):
            return value
    except (TypeError, ValueError, RecursionError):
        pass
    raise ValueError("write the card as a JSON object, or as the text of one")


_TRUE_OR_FALSE = "|".join(
    "".join(f"[{letter.upper()}{letter}]" for letter in word)
    for word in ("t", "f", "y", "n", "on", "off", "true", "false", "yes", "no")
)
_FLAG = {
    "anyOf": [
        {"type": "boolean"},
        {"enum": [0, 1]},
        {"type": "string", "pattern": f"^([01]|{_TRUE_OR_FALSE})$"},
    ]
}
_DIGITS = {"type": "string", "pattern": "^[0-9]{1,16}$"}
_WHOLE = {"anyOf": [{"type": "integer", "minimum": 0, "maximum": LARGEST_INTEGER}, _DIGITS]}
_ARK = {"anyOf": [{"type": "object"}, {"type": "string", "pattern": r"^\s*\{[\s\S]*\}\s*$"}]}
_CARRIED = r"^[^\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]*$"  # no surrogates: readers of patterns differ on them


class _Carried:
    """Tells a JSON Schema which characters QQ carries."""

    def __get_pydantic_json_schema__(self, core: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return {"pattern": _CARRIED, **handler(core)}


ANY_NUMBER = (-LARGEST_INTEGER, LARGEST_INTEGER)
Text = Annotated[str, AfterValidator(carried), _Carried()]
SomeText = Annotated[Text, Field(min_length=1)]
Label = Annotated[Text, Field(max_length=512)]
"""A name or title: short, since NapCat reads whole bodies on its only thread."""
QQ = Annotated[
    str, spelled(r"[1-9][0-9]{0,19}", "a QQ or group number: 1 to 20 digits, the first not 0", (1, LARGEST_INTEGER))
]
MessageId = Annotated[str, spelled(r"-?[0-9]{1,20}", "a message id: digits only", ANY_NUMBER)]
Number = Annotated[
    int,
    Field(ge=0, le=LARGEST_INTEGER),
    BeforeValidator(_number, json_schema_input_type=Annotated[Any, WithJsonSchema(_WHOLE)]),
]
Flag = Annotated[bool, WithJsonSchema(_FLAG)]
"""A OneBot boolean: true/false, 1/0, yes/no, on/off."""
Link = Annotated[Text, spelled(r"https?://\S{1,4000}", "an http(s):// URL")]
FileName = Annotated[
    Text, spelled(r'(?!\.{1,2}$)[^\\/:*?"<>|\x00-\x1f]{1,255}', 'a file name without \\ / : * ? " < > |', ANY_NUMBER)
]
Ark = Annotated[Text, BeforeValidator(_ark, json_schema_input_type=Annotated[Any, WithJsonSchema(_ARK)])]
