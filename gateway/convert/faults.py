"""What to say about a message that cannot be sent: field, reason and remedy, never the value."""

import difflib
from collections.abc import Sequence

from pydantic import ValidationError

from gateway.model.errors import Fault, Refused
from gateway.model.segment import TAGS
from gateway.model.segment_types import ALTERNATIVES, FIELDS
from gateway.model.wording import kind_of, reason, shown

INSTEAD = {
    "anonymous": "QQ has no anonymous messages any more; leave it out",
    "cardimage": "NapCat knows no such card; send an image",
    "flashtransfer": "NapCat only receives these; send a file",
    "gift": "NapCat cannot send gifts; leave it out",
    "location": "NapCat sends a fixed text in its place; write the place as text",
    "miniapp": "NapCat drops mini programs; send the card as json",
    "onlinefile": "NapCat only receives these; send a file",
    "poke": "this gateway sends messages only; call NapCat's group_poke or friend_poke",
    "redbag": "NapCat cannot send red packets; leave it out",
    "shake": "this gateway sends messages only; call NapCat's friend_poke",
    "share": "NapCat knows no link cards; write the link as text, or send the card as json",
    "tts": "NapCat does not speak; send a record",
    "xml": "NapCat drops XML cards; send the card as json",
}
"""Types that other implementations know and NapCat 4.18 drops or corrupts (api/msg.ts), with the way out."""

MAX_FAULTS = 100
"""So many faults are named in one answer; a longer list helps nobody."""


def refusal(faults: Sequence[Fault]) -> Refused:
    """Return the refusal of a message for these faults."""
    first, more = faults[0], len(faults) - 1
    detail = f"the message cannot be sent: {first.loc}: {first.msg}" + (f" (and {more} more)" if more else "")
    return Refused("message_invalid", detail, tuple(faults[:MAX_FAULTS]))


def segment_faults(error: ValidationError, kind: str, loc: str = "", skip: int = 0) -> list[Fault]:
    """Return pydantic's findings about a segment of type `kind` at `loc`, less their first `skip` steps."""
    faults = []
    for found in error.errors(include_url=False)[:MAX_FAULTS]:
        steps = [shown(step) for step in found["loc"][skip:] if step not in TAGS]
        match found["type"]:
            case "missing":
                msg = f"is missing; {kind} needs it"
            case "extra_forbidden":
                msg = _unknown_field(steps, kind)
            case "dict_type":
                msg = f"write the fields of {kind} as an object {{…}}; this is {kind_of(found['input'])}"
            case _:
                msg = reason(found)
        faults.append(Fault(".".join([loc, *steps] if loc else steps), msg, found["type"]))
    return faults


def unknown_type(kind: str) -> str:
    """Return what to do about a segment type that cannot be sent."""
    if kind in INSTEAD:
        return f"{kind} cannot be sent: {INSTEAD[kind]}"
    name = shown(kind)
    near = difflib.get_close_matches(name.lower(), [*FIELDS, *INSTEAD], n=1)
    if not near:
        return f"{name!r} is no segment type; use one of {', '.join(FIELDS)}"
    hint = f"; but {INSTEAD[near[0]]}" if near[0] in INSTEAD else ""
    return f"{name!r} is no segment type; did you mean {near[0]}?{hint}"


def _unknown_field(steps: list[str], kind: str) -> str:
    if len(steps) == 1:
        return "is unknown; a segment has type and data"
    known = dict.fromkeys(FIELDS.get(kind, ())) if steps[:-1] == ["data"] else {}
    if steps[-1] in known:
        forms = "; or ".join(", ".join(form) for form in ALTERNATIVES[kind])
        return f"does not go with the other fields; {kind} takes {forms}"
    near = difflib.get_close_matches(steps[-1], known, n=1)
    if near:
        return f"is unknown; did you mean {near[0]}?"
    return f"is unknown; {kind} takes {', '.join(known)}" if known else "is unknown; leave it out"
