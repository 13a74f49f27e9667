"""An end for calls that take too long: one timer for all, as one for each costs more than the rest of a call."""

import asyncio

_EARLY = 0.001  # seconds; what timers are rounded by


class Deadlines:
    """Cancels each task whose time is over; to be built inside a running event loop."""

    def __init__(self) -> None:
        """Begin with nobody waiting."""
        self._loop = asyncio.get_running_loop()
        self._until: dict[asyncio.Task[object], float] = {}
        self._passed: set[asyncio.Task[object]] = set()
        self._next = float("inf")
        self._timer: asyncio.TimerHandle | None = None

    def put(self, task: asyncio.Task[object], until: float) -> None:
        """Give TASK time UNTIL then (loop time), whatever it had before."""
        self._until[task] = until
        if until < self._next:
            self._set(until)

    def lift(self, task: asyncio.Task[object]) -> bool:
        """Take the deadline of TASK away; return whether it has passed and nobody else has cancelled the task."""
        self._until.pop(task, None)
        if task not in self._passed:
            return False
        self._passed.remove(task)
        return not task.uncancel()

    def _set(self, until: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._next = until
        self._timer = self._loop.call_at(until, self._look) if self._until else None

    def _look(self) -> None:
        now = self._loop.time() + _EARLY
        for task in [task for task, until in self._until.items() if until <= now]:
            del self._until[task]
            self._passed.add(task)
            task.cancel()
        self._set(min(self._until.values(), default=float("inf")))
