"""Time, chance and ids come in through this door, so that tests can hold it."""

import random
import secrets
import time


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
        return secrets.token_urlsafe(16)
