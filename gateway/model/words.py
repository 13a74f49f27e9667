"""The words of a message, as far as a log may carry them."""

import hashlib
import json
from collections.abc import Iterator, Sequence
from typing import Any, Literal

from gateway.model.veil import Veil

LogText = Literal["never", "hash", "full"]
"""Whether logs carry the words of messages: not at all, as something two of which can be compared, or as they are."""

MOST_READ = 64 * 1024  # bytes of a body; what is larger carries media
_MOST_TOLD = 500  # characters


class Words:
    """Tells the words of messages for a log, as the settings say."""

    def __init__(self, how: LogText = "never", veil: Veil | None = None) -> None:
        """Tell them HOW; full words behind a VEIL."""
        self.become(how, veil or Veil())

    def become(self, how: LogText, veil: Veil) -> None:
        """Tell them HOW from now on, full words behind VEIL: the settings were read again."""
        self.wished = how != "never"
        self._how = how
        self._veil = veil

    def of(self, bodies: Sequence[bytes]) -> str | None:
        """Return the words of the parts with these BODIES; None when they are not to be told, or cannot be read.

        `hash`: 16 hex characters of the words' SHA-256, equal for equal words. `full`: the words, cut at 500
        characters. What is no text is named by its type, as `[image]`.
        """
        if not self.wished or not bodies or any(not body or len(body) > MOST_READ for body in bodies):
            return None
        try:
            text = "\n".join("".join(_words(json.loads(body).get("message"))) for body in bodies)
        except (ValueError, AttributeError, RecursionError):
            return None
        if self._how == "hash":
            return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]
        text = self._veil(text)
        return text if len(text) <= _MOST_TOLD else text[: _MOST_TOLD - 1] + "…"


def _words(segments: Any) -> Iterator[str]:
    for segment in segments if isinstance(segments, list) else ():
        kind, data = segment.get("type"), segment.get("data")
        match kind, data:
            case "text", {"text": str(text)}:
                yield text
            case "at", {"qq": qq}:
                yield f"@{qq}"
            case "node", {"content": content}:
                yield from ("[node] ", *_words(content), "\n")
            case _:
                yield f"[{kind}]"
