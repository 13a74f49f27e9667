"""Which segments go together in one NapCat call."""

from collections.abc import Sequence
from itertools import groupby
from typing import NoReturn

from gateway.convert.faults import refusal
from gateway.model.errors import Fault
from gateway.model.segment import AnySegment, TextData

ALONE = frozenset(
    {"record", "video", "file", "json", "markdown", "music", "contact", "forward", "dice", "rps", "mface"}
)
"""Types that QQ shows only in a message of their own; NapCat splits them off in forwards only (SendMsg.ts)."""

MAX_PARTS = 50
MAX_IMAGES = 50


def split(segments: Sequence[AnySegment]) -> list[tuple[AnySegment, ...]]:
    """Return the parts of a checked message, in order; a message of nodes is one part.

    Segments of `ALONE` are parts of their own, the others between them stay together; a part of blank text only is
    left out. The reply leads the first part that can carry one. Raises `Refused("message_invalid")` when none can,
    when there are more than 50 parts, or more than 50 images in one.
    """
    if segments[0].type == "node":
        return [tuple(segments)]
    reply = next((segment for segment in segments if segment.type == "reply"), None)
    parts: list[tuple[AnySegment, ...]] = []
    rest = [segment for segment in segments if segment is not reply and not _is_empty(segment)]
    for alone, group in groupby(rest, key=lambda segment: segment.type in ALONE):
        run = tuple(group)
        if alone:
            parts += [(segment,) for segment in run]
        elif not all(map(is_blank, run)):
            parts.append(run)
    if reply is not None:
        carrier = next((i for i, part in enumerate(parts) if part[0].type not in ALONE), None)
        if carrier is None:
            _refuse(
                f"QQ shows a quote only beside text, faces or images, not with {parts[0][0].type}; add a text, or "
                "leave the reply out",
                "reply_alone",
            )
        parts[carrier] = (reply, *parts[carrier])
    if len(parts) > MAX_PARTS:
        _refuse(f"{len(parts)} separate messages; a job has at most {MAX_PARTS}, send several jobs", "parts")
    if any(sum(segment.type == "image" for segment in part) > MAX_IMAGES for part in parts):
        _refuse(f"QQ takes at most {MAX_IMAGES} images in one message; send several jobs", "images")
    return parts


def is_blank(segment: AnySegment) -> bool:
    """Whether a segment is text with nothing to see in it, which QQ does not send by itself."""
    return isinstance(segment.data, TextData) and not segment.data.text.strip()


def _is_empty(segment: AnySegment) -> bool:
    return isinstance(segment.data, TextData) and not segment.data.text


def _refuse(reason: str, kind: str) -> NoReturn:
    raise refusal([Fault("message", reason, kind)])
