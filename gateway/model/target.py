"""Where a message goes: `group:<id>` or `private:<id>`."""

import re
from typing import Literal, NamedTuple, cast

from gateway.model.errors import Refused

Kind = Literal["group", "private"]
_SPELLING = re.compile(r"(group|private):([1-9][0-9]{0,19})")


class Target(NamedTuple):
    """A group or a person; `id` is a string of digits, on the wire too (a JSON number loses digits over 2^53)."""

    kind: Kind
    id: str

    def __str__(self) -> str:
        """Spell the target as keys, logs and JSON do: `group:123`."""
        return f"{self.kind}:{self.id}"


def parse_target(text: str) -> Target:
    """Return the target spelled `group:123` or `private:456`; raise `Refused` with the form to use."""
    match = _SPELLING.fullmatch(text)
    if match is None:
        raise Refused("target_invalid", f"{text[:60]!r} is no target: write group:<digits> or private:<digits>")
    return read_target(text)


def read_target(text: str) -> Target:
    """Return the target spelled TEXT, which was checked before: when it came in."""
    kind, _, number = text.partition(":")
    return Target(cast("Kind", kind), number)
