"""What a segment type says of itself beyond how its fields are spelled."""

from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import Field

from gateway.model.spelling import Flag

NOT_SENT = Field(description="accepted, and not sent: NapCat ignores it")
Unsent = Annotated[Any, NOT_SENT]
"""Accepted and not sent: NapCat ignores it, or only reports it in the messages it receives."""
UnsentFlag = Annotated[Flag, NOT_SENT]
"""A OneBot boolean (true/false, 1/0, yes/no) that NapCat ignores."""


def one_of(*names: str) -> dict[str, Any]:
    """Return, for a JSON Schema, that one of these fields has to be given, and not be empty."""
    given = {"not": {"enum": [None, ""]}}
    return {"anyOf": [{"required": [name], "properties": {name: given}} for name in names]}


@dataclass(frozen=True, slots=True)
class Trait:
    """How a type behaves once it is sent.

    alone        QQ shows it only in a message of its own; NapCat splits it off in forwards only (SendMsg.ts)
    reported_as  the type under which NapCat 4.18 reports it, where that is another (api/msg.ts, rawToOb11Converters)
    told_by      the field whose value NapCat reports as it was sent; the others change, or are left out
    """

    alone: bool = False
    reported_as: str = ""
    told_by: str = ""


ALONE = Trait(alone=True)
ARK = Trait(alone=True, reported_as="card")
"""A card, which QQ reports like all others."""
