"""A sliding window: what a rate still allows, counted exactly."""

from collections import deque

from gateway.model.rate import Rate


class Window:
    """Counts what RATE allows. Times are seconds of one clock that only goes forward; it is told, never asked."""

    def __init__(self, rate: Rate) -> None:
        """Start with nothing counted."""
        self.rate = rate
        self.limit = rate.count
        self._period = rate.period / 1000
        self._taken: deque[float] = deque()

    def take(self, now: float) -> bool:
        """Count one more at NOW and return True; False, and nothing is counted, when that would be too many."""
        if not self.left(now):
            return False
        self._taken.append(now)
        return True

    def left(self, now: float) -> int:
        """Return how many more may be taken at NOW."""
        while self._taken and now - self._taken[0] >= self._period:
            self._taken.popleft()
        return self.limit - len(self._taken)

    def frees_in(self, now: float) -> float:
        """Return in how many seconds the oldest of those counted leaves the window; 0 when none is counted."""
        return self._taken[0] + self._period - now if self.left(now) < self.limit else 0.0
