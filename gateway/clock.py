"""Time, chance and ids come in through this door, so that tests can hold it."""

import random
import secrets
import time
from itertools import chain

_TOKEN = 22  # characters of 6 bits each
_DRAWN = 128  # tokens at once: asking the system costs more than all the rest of making one


def _drawn() -> list[str]:
    """Return tokens nobody can guess, and nobody has."""
    text = secrets.token_urlsafe(_DRAWN * _TOKEN * 6 // 8)
    return [text[start : start + _TOKEN] for start in range(0, len(text), _TOKEN)]


_TOKENS = chain.from_iterable(iter(_drawn, []))


class Clock:
    """The real one; a test passes its own."""

    def monotonic(self) -> float:
        """Return seconds that only go forward."""
        return time.monotonic()

    def epoch_ms(self) -> int:
        """Return the time of day as epoch milliseconds: never to count with, as it may jump."""
        return time.time_ns() // 1_000_000

    def chance(self) -> float:
        """Return a number in [0, 1)."""
        return random.random()  # noqa: S311 - jitter, not a secret

    def token(self) -> str:
        """Return 22 URL-safe characters nobody can guess."""
        return next(_TOKENS)
