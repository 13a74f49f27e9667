"""Which segments go together in one NapCat call."""

from collections.abc import Callable, Sequence
from typing import Any, NoReturn

from gateway.convert.faults import refusal
from gateway.convert.text import MAX_TEXT, cut, length
from gateway.model.errors import Fault
from gateway.model.segment import Segment
from gateway.model.segment_types import ALONE

MAX_PARTS = 50
MAX_IMAGES = 20


def split(segments: Sequence[Segment], *, refuse: bool = False) -> Sequence[Sequence[Segment]]:
    """Return the parts of a checked message, in order; a message of nodes is one part.

    Types that stand alone are parts of their own, the others between them stay together as far as 4,000 characters
    and 20 images go; a part of blank text only is left out. The reply leads the first part that can carry one. Raises
    `Refused("message_invalid")` when none can, when there are more than 50 parts, when a text has more blanks in a
    row than a part has room, and, with `refuse`, when there is more than one part.
    """
    if segments[0]["type"] == "node" or is_one_part(segments):
        return [segments]
    return pack(segments, refuse=refuse)


def pack(segments: Sequence[Segment], *, refuse: bool = False) -> list[list[Segment]]:
    """Return the parts of a checked message without nodes; see `split`."""
    reply = next((segment for segment in segments if segment["type"] == "reply"), None)
    characters = sum(len(segment["data"]["text"]) for segment in segments if segment["type"] == "text")
    # Characters are one or two units: with few enough of them it does not matter how many.
    packing = _Packing(len if 2 * characters <= MAX_TEXT else length)
    for segment in segments:
        if segment is not reply:
            packing.add(segment)
    packing.flush()
    packing.close()
    parts = packing.parts
    if reply is not None:
        carrier = next((part for part in parts if part[0]["type"] not in ALONE), None)
        if carrier is None:
            _refuse(
                f"QQ shows a quote only beside text, faces or images, not with {parts[0][0]['type']}; add a text, or "
                "leave the reply out",
                "reply_alone",
            )
        carrier.insert(0, reply)
    if refuse and len(parts) > 1:
        shapes = [" ".join(dict.fromkeys(segment["type"] for segment in part)) for part in parts]
        _refuse(
            f"it takes {len(parts)} messages ({', then '.join(shapes[:4])}{', …' * (len(parts) > 4)}) and split says "
            "refuse; send several jobs, or say split: auto",
            "split",
        )
    return parts


def is_one_part(segments: Sequence[Segment]) -> bool:
    """Whether a checked message is one part as it stands, as most are: short, with nothing to split off or to drop."""
    characters = images = 0
    for place, segment in enumerate(segments):
        if segment["type"] == "text":
            if not (text := segment["data"]["text"]):
                return False
            characters += len(text)
        elif segment["type"] == "image":
            images += 1
        elif segment["type"] in ALONE or (segment["type"] == "reply" and place):
            return False
    return 2 * characters <= MAX_TEXT and images <= MAX_IMAGES


def is_blank(segment: Segment) -> bool:
    """Whether a segment is text with nothing to see in it, which QQ does not send by itself."""
    return segment["type"] == "text" and not segment["data"]["text"].strip()


class _Packing:
    """Fills one part after the other."""

    def __init__(self, measure: Callable[[str], int]) -> None:
        self.measure = measure
        self.parts: list[list[Segment]] = []
        self.open: list[Segment] = []
        self.texts: list[Any] = []
        self.room = MAX_TEXT
        self.images = 0

    def add(self, segment: Segment) -> None:
        if segment["type"] == "text":
            self.texts.append(segment)
            return
        if self.texts:
            self.flush()
        if segment["type"] in ALONE:
            self.close()
            self.open.append(segment)
            self.close()
        else:
            if segment["type"] == "image":
                if self.images == MAX_IMAGES:
                    self.close()
                self.images += 1
            self.open.append(segment)

    def flush(self) -> None:
        """Put the texts that stand beside each other into the open part, or cut them, as one, over several parts."""
        texts, self.texts = self.texts, []
        size = sum(self.measure(text["data"]["text"]) for text in texts)
        if size > self.room and (size <= MAX_TEXT or self.room < MAX_TEXT // 2):
            self.turn_page()  # a text stays in one piece where it can
        if size > self.room:
            try:
                *full, rest = cut("".join(text["data"]["text"] for text in texts), self.room, MAX_TEXT, MAX_PARTS)
            except ValueError as error:
                _refuse(str(error), "text_blank")
            for piece in full:
                self.open += _text(piece)
                self.close()
            texts, size = _text(rest), length(rest)
        self.open += [text for text in texts if text["data"]["text"]]
        self.room -= size

    def turn_page(self) -> None:
        """Begin a new part with the mentions that stand right before it."""
        mentions: list[Segment] = []
        while len(self.open) > 1 and self.open[-1]["type"] == "at":
            mentions.insert(0, self.open.pop())
        self.close()
        self.open = mentions

    def close(self) -> None:
        """Begin a new part; what has nothing to see is none."""
        if not all(map(is_blank, self.open)):
            if len(self.parts) == MAX_PARTS:
                _refuse(f"it makes more than {MAX_PARTS} separate messages; send several jobs", "parts")
            self.parts.append(self.open)
        self.open, self.room, self.images = [], MAX_TEXT, 0


def _text(text: str) -> list[Any]:
    return [{"type": "text", "data": {"text": text}}] if text else []


def _refuse(reason: str, kind: str) -> NoReturn:
    raise refusal([Fault("message", reason, kind)])
