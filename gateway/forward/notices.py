"""Which notices still act: none that is old, that a later one has overtaken, or that was taken before."""

import hashlib
from collections import OrderedDict
from typing import Literal

from gateway.clock import Clock
from gateway.forward.reports import GroupBan, Notice, Report

_FRESH_S = 300  # notices older than this act no more: a recorded one cannot be played again later
_REMEMBERED = 1_000  # notices known to have been taken, so that one is not played again at once either


class Notices:
    """Remembers the notices of one account that were taken, and for each group the last mute of each of its members.

    Only notices: a message is settled once, whatever comes again.
    """

    def __init__(self, clock: Clock) -> None:
        """Begin with none."""
        self._clock = clock
        self._taken: OrderedDict[bytes, None] = OrderedDict()
        self._bans: OrderedDict[tuple[str, str], int] = OrderedDict()

    def stale(self, event: Report, body: bytes) -> Literal["old", "overtaken", "repeated"] | None:
        """Return why the EVENT in BODY acts no more; None when it does, as all that is no notice."""
        if not isinstance(event, Notice):
            return None
        if abs(self._clock.epoch_ms() / 1000 - event.time) > _FRESH_S:
            return "old"
        if isinstance(event, GroupBan) and event.time < self._bans.get((event.group_id, event.user_id), 0):
            return "overtaken"
        return "repeated" if _digest(body) in self._taken else None

    def take(self, event: Report, body: bytes) -> None:
        """Remember the EVENT in BODY: it has acted."""
        if not isinstance(event, Notice):
            return
        self._taken[_digest(body)] = None
        if len(self._taken) > _REMEMBERED:
            self._taken.popitem(last=False)
        if isinstance(event, GroupBan):
            self._bans[event.group_id, event.user_id] = event.time
            if len(self._bans) > _REMEMBERED:
                self._bans.popitem(last=False)


def _digest(body: bytes) -> bytes:
    return hashlib.blake2b(body, digest_size=16).digest()
