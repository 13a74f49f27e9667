"""A message as producers write it, to checked segments: every fault is found and named at once."""

from typing import Any

from pydantic import ValidationError

from gateway.convert.cqcode import is_plain, parse_cq
from gateway.convert.faults import MAX_FAULTS, refusal, segment_faults, unknown_type
from gateway.convert.media import resolve
from gateway.convert.split import is_blank
from gateway.model.card import Card
from gateway.model.errors import Fault
from gateway.model.job import Format
from gateway.model.segment import SEGMENT, SEGMENTS, Segment
from gateway.model.segment_types import FIELDS, MEDIA, SOURCES, UNSENT
from gateway.model.spelling import is_carried
from gateway.model.wording import kind_of
from gateway.settings import Media

MAX_NODES = 200  # what QQ takes in one forward (MiraiGo)
MAX_DEPTH = 3  # NapCat stops reading below (SendMsg.ts, uploadForwardedNodesPacket)
MAX_SEGMENTS = 2_000  # keeps one job from taking seconds to read
MAX_FIELDS = 64  # the same, for what somebody puts into one segment

_READY = frozenset({"text", "face", "at"})
"""Types that are ready to be sent as soon as they are valid and have nothing but what they need."""

_AT_ONCE = SEGMENTS.validator.validate_python


def read_message(message: Any, form: Format, private: bool, media: Media) -> list[Segment]:
    """Return the checked segments of a message: a string, a segment, or a list of segments and strings.

    `form` says how strings are read: `text` literally, `cq` as CQ codes. `private` messages may not mention anybody.
    Raises `Refused("message_invalid")` with one fault per wrong segment or field, e.g. at `message.2.data.file`.
    """
    return read_at_once(message, form, private, media) or read_thoroughly(message, form, private, media)


def read_at_once(message: Any, form: Format, private: bool, media: Media) -> list[Segment] | None:
    """Return the segments of an ordinary message, validated in one go; None of one with nodes or with any fault.

    It is half of the cost of reading segment by segment, which is what finding and placing every fault takes.
    """
    if isinstance(message, str) and (form == "text" or is_plain(message)):
        words: Any = {"type": "text", "data": {"text": message}}
        return [words] if is_carried(message) and message.strip() else None
    try:
        segments: list[Any] = _AT_ONCE(_ordinary(message, form))
    except ValueError:  # pydantic's ValidationError is one
        return None
    replies = visible = 0
    for segment in segments:
        kind = segment["type"]
        if kind == "node" or (kind == "at" and private):
            return None
        if (kind not in _READY or len(segment["data"]) > 1) and _canonical(segment, media):
            return None
        if kind == "reply":
            replies += 1
        elif not visible:
            visible = not is_blank(segment)
    return segments if visible and replies <= 1 else None


def _ordinary(message: Any, form: Format) -> list[Any]:
    """Return the raw segments of a message of usual size; raise ValueError for any other."""
    items = message if isinstance(message, list) else [message]
    if len(items) > MAX_SEGMENTS:
        raise ValueError("too many")
    raws: list[Any] = []
    for item in items:
        if not isinstance(item, str):
            raws.append(item)
            continue
        raws += _spelled(item, form)
        if len(raws) > MAX_SEGMENTS:
            raise ValueError("too many")
    if any(map(_crowded, raws)):
        raise ValueError("no segment, or a crowded one")
    return raws


def read_thoroughly(message: Any, form: Format, private: bool, media: Media) -> list[Segment]:
    """Return the segments of any message, or raise `Refused` with all that is wrong with it."""
    reading = _Reading(form, private, media)
    segments = reading.content(message, "message", 0)
    if reading.faults:
        raise refusal(reading.faults)
    return segments


class _Reading:
    """One pass over one message, collecting its faults."""

    def __init__(self, form: Format, private: bool, media: Media) -> None:
        self.form = form
        self.private = private
        self.media = media
        self.faults: list[Fault] = []
        self.segments = 0
        self.nodes = 0

    def fault(self, loc: str, msg: str, kind: str) -> None:
        self.faults.append(Fault(loc, msg, kind))

    def content(self, value: Any, loc: str, depth: int) -> list[Segment]:
        """Read a whole message or the content of a node, which lies `depth` nodes deep."""
        before = len(self.faults)
        segments: list[Segment] = []
        if isinstance(value, list):
            for index, item in enumerate(value):
                if len(self.faults) >= MAX_FAULTS or self.segments > MAX_SEGMENTS:
                    break
                segments += self.item(item, f"{loc}.{index}", depth)
        elif isinstance(value, str | dict):
            segments += self.item(value, loc, depth)
        else:
            self.fault(
                loc,
                "write a string, a segment {type, data}, or a list of segments and strings; "
                f"this is {kind_of(value)}",
                "message_type",
            )
        if len(self.faults) == before:
            self.whole(segments, loc)
        return segments

    def item(self, value: Any, loc: str, depth: int) -> list[Segment]:
        """Read one entry of a message; a string may be several segments."""
        if not isinstance(value, str):
            segment = self.segment(value, loc, depth)
            return [] if segment is None else [segment]
        try:
            raws = _spelled(value, self.form)
        except ValueError as error:
            self.fault(loc, str(error), "cq_code")
            return []
        several = len(raws) > 1
        found = (self.segment(raw, f"{loc}.{number}" if several else loc, depth) for number, raw in enumerate(raws))
        return [segment for segment in found if segment is not None]

    def segment(self, raw: Any, loc: str, depth: int) -> Segment | None:
        """Read one segment; None when it has a fault."""
        self.segments += 1
        if self.segments > MAX_SEGMENTS:
            if self.segments == MAX_SEGMENTS + 1:
                self.fault(loc, f"a message has at most {MAX_SEGMENTS} segments; send several jobs", "message_size")
            return None
        if not isinstance(raw, dict) or not isinstance(raw.get("type"), str):
            what = "it has no type" if isinstance(raw, dict) else f"this is {kind_of(raw)}"
            self.fault(loc, f'write a segment as {{"type": …, "data": {{…}}}}, or a string; {what}', "segment_type")
            return None
        raw, kind = _present(raw), raw["type"]
        if kind not in FIELDS:
            self.fault(f"{loc}.type", unknown_type(kind), "segment_unknown")
            return None
        if _crowded(raw):
            self.fault(loc, f"a segment has at most {MAX_FIELDS} fields; leave out the others", "segment_size")
            return None
        return self.known(raw, kind, loc, depth)

    def known(self, raw: dict[str, Any], kind: str, loc: str, depth: int) -> Segment | None:
        """Read a segment of a type that can be sent."""
        if kind == "at" and self.private:
            self.fault(loc, "NapCat drops at in a private message; write the name as text", "segment_not_private")
        if kind == "record":
            raw, kind = _meant(raw)
        if kind == "node":
            node = self.node(raw, loc, depth)
            if node is None:
                return None
            raw = node
        try:
            segment = SEGMENT.validate_python(raw)
        except ValidationError as error:
            self.faults += segment_faults(error, kind, loc, skip=1)
            return None
        for field, msg in _canonical(segment, self.media):
            self.fault(f"{loc}.data.{field}", msg, "media")
        return segment

    def node(self, raw: dict[str, Any], loc: str, depth: int) -> dict[str, Any] | None:
        """Count a node and read its content, so that what remains to be checked is the node's own fields."""
        self.nodes += 1
        if self.nodes > MAX_NODES:
            if self.nodes == MAX_NODES + 1:
                self.fault(loc, f"a forward has at most {MAX_NODES} nodes in all; send a second one", "forward_size")
            return None
        if depth >= MAX_DEPTH:
            self.fault(
                loc,
                f"nodes nest at most {MAX_DEPTH} deep, NapCat drops the rest; flatten them",
                "forward_depth",
            )
            return None
        data = raw.get("data")
        if not isinstance(data, dict) or "content" not in data:
            return raw
        if "id" in data:
            self.fault(f"{loc}.data", "give id (an existing message) or content (a new one), not both", "node_both")
            return None
        content = self.content(data["content"], f"{loc}.data.content", depth + 1)
        if not any(segment["type"] == "node" for segment in content):
            for name in Card.__annotations__:
                if data.get(name) is not None:
                    self.fault(
                        f"{loc}.data.{name}",
                        "NapCat uses it only where the content is nodes again; leave it out",
                        "card_field",
                    )
        return {**raw, "data": {**data, "content": content}}

    def whole(self, segments: list[Segment], loc: str) -> None:
        """Check what holds for a message as a whole."""
        nodes = sum(segment["type"] == "node" for segment in segments)
        if nodes and nodes != len(segments):
            self.fault(
                loc,
                "node segments stand alone (NapCat refuses a mixture); put the rest into another job or a node",
                "node_mixed",
            )
        replies = sum(segment["type"] == "reply" for segment in segments)
        if replies > 1:
            self.fault(loc, "a message quotes one other; keep one reply", "reply_several")
        if all(is_blank(segment) or segment["type"] == "reply" for segment in segments):
            alone = "a reply alone is nothing to send" if replies else "the message is empty"
            self.fault(loc, f"{alone}; give a text that is not blank, or another segment", "empty")


def _spelled(text: str, form: Format) -> list[dict[str, Any]]:
    """Return the segments a string stands for; raise ValueError for a broken CQ code."""
    return parse_cq(text, MAX_SEGMENTS + 1) if form == "cq" else [{"type": "text", "data": {"text": text}}]


def _present(raw: dict[str, Any]) -> dict[str, Any]:
    """Return a segment without the fields that are null."""
    data = raw.get("data")
    if isinstance(data, dict) and len(data) <= MAX_FIELDS:
        return {**raw, "data": {name: value for name, value in data.items() if value is not None}}
    return {name: value for name, value in raw.items() if name != "data" or value is not None}


def _crowded(raw: Any) -> bool:
    """Whether this is no segment, or one with so many fields that reading them would take long."""
    if not isinstance(raw, dict):
        return True
    data = raw.get("data")
    return len(raw) > MAX_FIELDS or (isinstance(data, dict) and len(data) > MAX_FIELDS)


def _meant(record: dict[str, Any]) -> tuple[dict[str, Any], str]:
    """Return the segment a `record` means, and its type: the published page writes markdown under that name."""
    data = record.get("data")
    if isinstance(data, dict) and "content" in data and data.keys().isdisjoint(SOURCES):
        return {**record, "type": "markdown"}, "markdown"
    return record, "record"


def _canonical(segment: Any, media: Media) -> list[tuple[str, str]]:
    """Bring a valid segment into the one form that is sent, in place; return what is wrong with its media.

    Left out is what NapCat ignores; added is what NapCat would choose for itself.
    """
    kind = segment["type"]
    data = segment.setdefault("data", {})  # dice and rps may have none
    if kind in UNSENT and not UNSENT[kind].isdisjoint(data):
        for name in UNSENT[kind]:
            data.pop(name, None)
    if kind == "contact":
        data.setdefault("type", "qq")
    return resolve(kind, data, media) if kind in MEDIA else []
