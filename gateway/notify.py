"""What systemd is told of the service (`Type=notify`, sd_notify(3)): ready, stopping, and that the loop still turns.

Our own, as it is one datagram: the libraries for it either rest since 2017 or are built against libsystemd. Without
`NOTIFY_SOCKET` nothing is told.
"""

import asyncio
import os
import socket
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress


class Service:
    """This process, as the service manager knows it; telling it never fails and never waits."""

    def __init__(self, environ: Mapping[str, str] = os.environ) -> None:
        """Find out in ENVIRON who wants to be told, and how often (`WATCHDOG_USEC`) of a loop that turns."""
        self._address = environ.get("NOTIFY_SOCKET", "")
        self._period_s = _period(environ) if self._address else None

    def ready(self, status: str) -> None:
        """Tell that it serves, which STATUS says in words; also after it has taken new settings."""
        self._tell("READY=1", f"STATUS={status}")

    def reloading(self) -> None:
        """Tell that it takes new settings; `ready` ends that."""
        self._tell(
            "RELOADING=1", f"MONOTONIC_USEC={time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000}", "STATUS=reloading"
        )

    def stopping(self, status: str) -> None:
        """Tell that it ends, with what it still does in STATUS."""
        self._tell("STOPPING=1", f"STATUS={status}")

    @asynccontextmanager
    async def watched(self) -> AsyncIterator[None]:
        """Beat as long as this lasts, twice in the time after which the service manager takes it for hung."""
        if self._period_s is None:
            yield
            return
        beating = asyncio.create_task(self._beat(self._period_s), name="watchdog")
        try:
            yield
        finally:
            beating.cancel()
            await asyncio.gather(beating, return_exceptions=True)

    async def _beat(self, every_s: float) -> None:
        while True:
            self._tell("WATCHDOG=1")
            await asyncio.sleep(every_s)

    def _tell(self, *lines: str) -> None:
        if not self._address:
            return
        # An abstract address is spelled with an @ for its NUL byte.
        address = f"\0{self._address[1:]}" if self._address.startswith("@") else self._address
        with (
            suppress(OSError, ValueError),
            socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as channel,
        ):
            channel.setblocking(False)
            channel.sendto("\n".join(lines).encode(), address)


def _period(environ: Mapping[str, str]) -> float | None:
    """Return the seconds between two beats; None when nobody waits for them, or for those of another process."""
    if environ.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
        return None
    asked = environ.get("WATCHDOG_USEC", "")
    return int(asked) / 2e6 or None if asked.isascii() and asked.isdigit() else None
