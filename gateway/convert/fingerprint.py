"""A fingerprint by which a sent message is known again in what NapCat reports of it."""

from collections.abc import Iterable, Mapping
from hashlib import blake2b
from typing import Any

_REPORTED_AS = {
    "mface": "image",
    "onlinefile": "file",
    "json": "card",
    "music": "card",
    "contact": "card",
    "forward": "card",
    "node": "card",
}
"""How NapCat 4.18 reports its own messages (api/msg.ts, rawToOb11Converters): stickers as images, arks as json."""


def fingerprint(segments: Iterable[Any]) -> str:
    """Return 16 hex characters over segment types and text; equal for a sent part and NapCat's report of it.

    Counted: text (adjacent text as one, line ends as newlines, since QQ reports them as it likes), the `qq` of
    at, the `id` of face, and the type alone of everything else: names, URLs and drawn results change. Not
    counted: replies (NapCat drops one whose message it no longer knows), and what is no segment. Merged forwards
    and cards are all alike: QQ reports them as ark or as forward. Never raises, whatever an event contains.
    """
    words: list[tuple[str, str]] = []
    for kind, data in _segments(segments):
        match kind:
            case "text":
                text = _scalar(data.get("text"))
                if words and words[-1][0] == "text":
                    text = words.pop()[1] + text
                if text:
                    words.append((kind, text))
            case "at":
                words.append((kind, _scalar(data.get("qq"))))
            case "face":
                words.append((kind, _scalar(data.get("id"))))
            case "reply":
                pass
            case _:
                words.append((_REPORTED_AS.get(kind, kind), ""))
    if all(kind == "card" for kind, _ in words):
        words = words[:1]  # the nodes of one forward are reported as one card
    digest = blake2b(digest_size=8)
    for word in words:
        for piece in word:
            encoded = piece.replace("\r\n", "\n").replace("\r", "\n").encode("utf-8", "surrogatepass")
            digest.update(len(encoded).to_bytes(4, "big") + encoded)
    return digest.hexdigest()


def _segments(segments: object) -> Iterable[tuple[str, Mapping[str, Any]]]:
    """Yield type and data of whatever is a segment."""
    if not isinstance(segments, Iterable):
        return
    for segment in segments:
        if isinstance(segment, Mapping) and isinstance(kind := segment.get("type"), str):
            data = segment.get("data")
            yield kind, data if isinstance(data, Mapping) else {}


def _scalar(value: object) -> str:
    if isinstance(value, str):
        return value
    return str(value) if isinstance(value, int) and abs(value) < 2**64 else ""
