"""The keys that let callers in."""

from typing import Annotated, Literal

from pydantic import Field, field_validator

from gateway.model.rate import RateField
from gateway.settings.kinds import Section, form

KeyPattern = Annotated[
    str,
    form(r"\*|(group|private):[0-9*?]+", "write * for all, or group:123, group:12* or private:*, with * and ?"),
]


class Key(Section):
    """One API key, stored as its SHA-256."""

    name: Annotated[str, form(r"[A-Za-z0-9_.-]{1,64}", "1 to 64 letters, digits, _ . or -")]
    sha256: Annotated[
        str, form(r"(?!e3b0c44298fc1c14)[0-9a-f]{64}", "the 64 lower-case hex digits of the key's SHA-256")
    ] = Field(description="hex SHA-256 of the key")
    scopes: frozenset[Literal["send", "read", "admin"]] = frozenset({"send", "read"})
    targets: tuple[KeyPattern, ...] = Field(("*",), description="target patterns this key may use")
    rate: RateField | None = Field(None, description="requests with scope send, counted by each replica for itself")


class Auth(Section):
    """Who may call; without keys only on a loopback bind."""

    keys: tuple[Key, ...] = Field(
        (),
        description="{name, sha256 of the key, scopes: [send, read, admin], targets, rate}: see `gateway keys new`",
    )

    @field_validator("keys")
    @classmethod
    def _are_told_apart(cls, keys: tuple[Key, ...]) -> tuple[Key, ...]:
        """Refuse a secret that is there twice; two of one name are one client's old and new, and have to agree."""
        by_secret: dict[str, Key] = {}
        by_name: dict[str, Key] = {}
        for key in keys:
            if (same := by_secret.setdefault(key.sha256, key)) is not key:
                raise ValueError(f"{same.name!r} and {key.name!r} have the same sha256; make a key for each")
            first = by_name.setdefault(key.name, key)
            if (first.scopes, first.targets, first.rate) != (key.scopes, key.targets, key.rate):
                raise ValueError(
                    f"two keys are named {key.name!r}, which is one client with two secrets: "
                    "give both the same scopes, targets and rate, or one another name"
                )
        return keys
