"""Whether Redis has room for more jobs: intake stops before it is full, so that settling can go on."""

from gateway.clock import Clock
from gateway.model.errors import StoreRefuses
from gateway.store.client import Clients
from gateway.store.server import MOST_MEMORY, memory

_LOOK_EVERY = 1.0  # seconds


class Pressure:
    """Asked before jobs are admitted; it asks Redis at most once a second.

    `reason` says why intake waits, None while it does not.
    """

    def __init__(self, clients: Clients, clock: Clock) -> None:
        """Look at the server of CLIENTS."""
        self._clients = clients
        self._clock = clock
        self._looked = float("-inf")
        self.reason: str | None = None

    @property
    def apart(self) -> bool:
        """Whether accounts may lie on several servers, so that what one refuses says nothing about the others."""
        return self._clients.kind == "cluster"

    async def check(self) -> None:
        """Raise StoreRefuses while Redis is too full for new jobs; raises StoreUnavailable when it does not answer."""
        now = self._clock.monotonic()
        if now - self._looked >= _LOOK_EVERY:
            self._looked = now
            used, most = await memory(self._clients)
            full = most and used >= MOST_MEMORY * most
            self.reason = f"Redis uses {used / most:.0%} of its maxmemory" if full else None
        if self.reason is not None:
            raise StoreRefuses(self.reason)

    def refused(self, error: StoreRefuses) -> None:
        """Remember that Redis refused a write, until it is asked again; of one among several that says too little."""
        if self.apart:
            return
        self._looked = self._clock.monotonic()
        self.reason = str(error)
