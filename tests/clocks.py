"""Clocks that tests move by hand."""

from gateway.clock import Clock


class Held(Clock):
    """A clock that stands still until a test moves it: SECONDS have passed since it began."""

    began_ms = 1_790_000_000_000
    seconds = 0.0

    def monotonic(self) -> float:
        return self.seconds

    def epoch_ms(self) -> int:
        return self.began_ms + round(self.seconds * 1000)


class Ahead(Clock):
    """The real clock, set ahead by SECONDS."""

    seconds = 0.0

    def monotonic(self) -> float:
        return super().monotonic() + self.seconds

    def epoch_ms(self) -> int:
        return super().epoch_ms() + round(self.seconds * 1000)
