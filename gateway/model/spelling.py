"""How single values are spelled: text that QQ can carry, ids as digits, links, file names."""

import json
import re
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field

LARGEST_INTEGER = 2**53
"""Beyond it some JSON reader on the way, NapCat's included, loses digits."""

_UNCARRIED = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")


def carried(value: str) -> str:
    """Return text as it is; raise ValueError for what QQ cannot carry.

    That is a lone surrogate, or a control character other than newline, carriage return and tab.
    """
    if not value.isprintable() and (found := _UNCARRIED.search(value)):
        raise ValueError(f"QQ cannot carry U+{ord(found[0]):04X} (character {found.start()}); leave it out")
    return value


def spelled(pattern: str, form: str) -> BeforeValidator:
    """Return a validator that turns a number or string into a string of the given form, described by `form`."""
    matches = re.compile(pattern).fullmatch

    def spell(value: object) -> str:
        if isinstance(value, int) and not isinstance(value, bool):
            if abs(value) > LARGEST_INTEGER:
                raise ValueError("a number over 2^53 loses digits on its way; send it as a string")
            value = str(value)
        if not isinstance(value, str) or matches(value) is None:
            raise ValueError(f"write {form}")
        return value

    return BeforeValidator(spell, json_schema_input_type=str | int)


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


Text = Annotated[str, AfterValidator(carried)]
Words = Annotated[Text, Field(min_length=1)]
Label = Annotated[Text, Field(max_length=512)]
"""A name or title: short, since NapCat reads whole bodies on its only thread."""
QQ = Annotated[str, spelled(r"[1-9][0-9]{0,19}", "a QQ or group number: 1 to 20 digits, the first not 0")]
MessageId = Annotated[str, spelled(r"-?[0-9]{1,20}", "a message id: digits only")]
Number = Annotated[int, BeforeValidator(_number), Field(ge=0, le=LARGEST_INTEGER)]
Link = Annotated[Text, spelled(r"https?://\S{1,4000}", "an http(s):// URL")]
FileName = Annotated[
    Text, spelled(r'(?!\.{1,2}$)[^\\/:*?"<>|\x00-\x1f]{1,255}', 'a file name without \\ / : * ? " < > |')
]
Ark = Annotated[Text, BeforeValidator(_ark, json_schema_input_type=str | dict[str, Any])]
