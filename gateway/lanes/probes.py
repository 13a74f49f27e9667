"""When an account is asked how it is: before the first send, when somebody wishes for it, and after a silence."""

from collections.abc import Callable, Coroutine
from typing import Any

from gateway.clock import Clock

_RECHECK = 5.0  # seconds between two probes that somebody else wishes for
_SILENCE = 27.0  # seconds after which a NapCat unheard of is asked; lanes without work look again a little later


class Probes:
    """Runs the probe of one account, one at a time.

    heard_at  when NapCat last answered, in monotonic seconds
    """

    def __init__(
        self,
        account: str,
        probe: Callable[[], Coroutine[Any, Any, bool]],
        clock: Clock,
        run: Callable[[Coroutine[Any, Any, None], str], None],
    ) -> None:
        """Find out by PROBE whether the account works, in a task that RUN starts and names."""
        self._name = f"probe {account}"
        self._probe = probe
        self._clock = clock
        self._run = run
        self._wished = False
        self._under_way = False
        self._ended = False
        self._rechecked = float("-inf")
        self.heard_at = clock.monotonic()

    def become(self, probe: Callable[[], Coroutine[Any, Any, bool]]) -> None:
        """Ask by PROBE from now on, and at once if it is another one."""
        changed = probe != self._probe
        self._probe = probe
        if changed or self._wished:
            self.ask()

    def ask(self) -> None:
        """Find out whether the account works; a probe that is under way is not enough, one follows it."""
        self._wished = True
        if not (self._under_way or self._ended):
            self._under_way = True
            self._run(self._ask(), self._name)

    def recheck(self) -> None:
        """The same, if nobody wished for that just now."""
        now = self._clock.monotonic()
        if now - self._rechecked >= _RECHECK:
            self._rechecked = now
            self.ask()

    def keep_watch(self) -> None:
        """Ask an account that has sent nothing for a while: whoever looks is to know before a message does.

        What waits, scheduled, parked or paused, and what other replicas send, tells this one nothing.
        """
        if self._clock.monotonic() - self.heard_at >= _SILENCE:
            self.ask()

    def end(self) -> None:
        """Begin no more."""
        self._ended = True

    async def _ask(self) -> None:
        try:
            while self._wished:
                self._wished = False
                self.heard_at = self._clock.monotonic()
                await self._probe()
        finally:
            self._under_way = False
