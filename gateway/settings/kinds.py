"""The kinds of values that settings have, spelled with units and checked by their form."""

import re
from typing import Annotated

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, PlainSerializer, SecretStr

from gateway.model.rate import RateField

_SIZES = {"B": 1, "KiB": 1024, "MiB": 1024**2, "GiB": 1024**3}


def _bytes(value: object) -> object:
    if isinstance(value, str):
        match = re.fullmatch(r"([0-9]+)\s*(B|KiB|MiB|GiB)", value.strip())
        if match is None:
            raise ValueError(f'a size is written "512KiB" or "8MiB", not {value!r:.40}')
        return int(match[1]) * _SIZES[match[2]]
    return value


def _spell_bytes(value: int) -> str:
    for unit, size in reversed(_SIZES.items()):
        if value and value % size == 0:
            return f"{value // size}{unit}"
    return f"{value}B"


def at_least(least: int) -> AfterValidator:
    """Return the check of a size field that takes LEAST bytes or more."""

    def check(size: int) -> int:
        if size < least:
            raise ValueError(f"write {_spell_bytes(least)} or more, not {_spell_bytes(size)}")
        return size

    return AfterValidator(check)


Bytes = Annotated[int, BeforeValidator(_bytes), PlainSerializer(_spell_bytes, return_type=str)]
Secret = Annotated[
    SecretStr, PlainSerializer(lambda secret: "***" if secret.get_secret_value() else "", return_type=str)
]
Rates = tuple[RateField, ...]


def veiled(url: str) -> str:
    """Return URL without user, password and what says so."""
    return re.sub(r"(?<=://)[^/]*(?=@)|(?<=password=)[^&]*", "***", url)


def form(pattern: str, advice: str) -> AfterValidator:
    """Accept text of a form, and say in words what it is when it is not."""

    def check(value: str) -> str:
        if re.fullmatch(pattern, value) is None:
            raise ValueError(advice)
        return value

    return AfterValidator(check)


TargetPattern = Annotated[
    str, form(r"(group|private):[0-9*?]+", "write group:123, group:12* or private:*, with * and ? as wildcards")
]
TargetText = Annotated[str, form(r"(group|private):[1-9][0-9]{0,19}", "write group:<number> or private:<number>")]
"""One target, spelled out."""


class Section(BaseModel):
    """A frozen part of the settings that refuses unknown keys."""

    model_config = ConfigDict(extra="forbid", frozen=True)
