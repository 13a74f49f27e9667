"""What is wrong with a value, in words: a validator's finding as reason, kind and remedy, never the value itself."""

from collections.abc import Iterable
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from gateway.model.errors import Fault

_MOST_FAULTS = 20  # told at once

_WORDS = (
    ("Value error, ", ""),
    ("Input should be a valid dictionary", "must be an object"),
    ("Input should be a valid boolean, unable to interpret input", "must be true or false (or 1/0, yes/no)"),
    ("Input should be a valid integer, unable to parse string as an integer", "must be a whole number"),
    ("Input should be a valid ", "must be a "),
    ("Input should be ", "must be "),
    ("String should have ", "must have "),
    ("List should have ", "must have "),
    ("Dictionary should have ", "must have "),
)
"""The validation library's words in ours."""


def reason(found: ErrorDetails) -> str:
    """Return why a value is refused, and its kind: `write a message id: digits only; this is a list`."""
    words = found["msg"][:200]
    for theirs, ours in _WORDS:
        words = words.replace(theirs, ours)
    if found["type"] == "value_error" and not words.startswith("write "):
        return words  # a sentence of ours that says what is wrong with this very value
    return f"{words}; this is {kind_of(found['input'])}"


def faults_of(error: ValidationError, prefix: str = "", whole: str = "") -> list[Fault]:
    """Return the first twenty things wrong with a document, their places after PREFIX; WHOLE is the place of all."""
    found = error.errors(include_url=False)[:_MOST_FAULTS]
    return [Fault(f"{prefix}{place(one['loc'])}" or whole, reason(one), one["type"]) for one in found]


def kind_of(value: Any) -> str:
    """Name the JSON kind of a value: `a string of 5 characters`, `a number`, `null`."""
    match value:
        case None:
            return "null"
        case bool():
            return "a boolean"
        case str():
            return f"a string of {len(value)} characters"
        case int() | float():
            return "a number" if isinstance(value, int) else "a number with a decimal point"
        case list() | tuple():
            return "a list"
        case _:
            return "an object"


def shown(name: object) -> str:
    """Return a name from the input as it may stand in an error: short, and nothing a terminal would act on."""
    return "".join(character if character.isprintable() else "…" for character in str(name)[:40])


def place(loc: Iterable[object]) -> str:
    """Return where a fault lies, e.g. `message.2.data.file`."""
    return ".".join(map(shown, loc))
