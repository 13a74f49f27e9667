"""Which delivery this is: what comes again under its id is not told again."""

import hashlib
import json

from gateway.intake.hooks.delivery import Delivery, Payload
from gateway.intake.hooks.places import Place, found

_LONGEST = 60  # characters of an id in a key; a longer one is digested
_REMEMBERED = 1_000  # payloads without an id, of each hook


class Identity:
    """Names the deliveries of one hook: by their own id, else by what they say and when they first said it."""

    def __init__(self, places: tuple[Place, ...], again_after_ms: int) -> None:
        """Look for an id at PLACES; without one the same payload is another delivery after AGAIN_AFTER_MS."""
        self._places = places
        self._again_after = again_after_ms
        self._said: dict[str, int] = {}

    def of(self, delivery: Delivery, payload: Payload, now: float) -> str:
        """Return the id of DELIVERY, at most 60 printable characters; NOW in epoch seconds."""
        own = next((text for place in self._places if (text := found(place, delivery, payload))), "")
        if own:
            return own if len(own) <= _LONGEST and own.isprintable() else digest(own)
        said = json.dumps(payload, sort_keys=True)
        return digest(f"{said} {self._first_said(digest(said), int(now * 1000)) // self._again_after}")

    def _first_said(self, said: str, now: int) -> int:
        """Return when this was SAID before, if less than `again_after` ago, else NOW; in epoch milliseconds.

        Without this memory a retry would be another message whenever it comes in another stretch of time; with it that
        is so only where another process took the first.
        """
        first = self._said.get(said)
        if first is not None and now - first < self._again_after:
            return first
        self._said.pop(said, None)
        self._said[said] = now
        for oldest in list(self._said)[:-_REMEMBERED]:
            self._said.pop(oldest, None)
        return now


def digest(text: str) -> str:
    """Return 128 bits of TEXT's SHA-256 in hex."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]
