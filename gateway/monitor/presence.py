"""Telling the other replicas, and whoever looks, that this one lives."""

import asyncio
import json
import os
import socket
from contextlib import suppress

from gateway import __version__
from gateway.clock import Clock
from gateway.model.errors import StoreRefuses, StoreUnavailable
from gateway.store.format import FORMAT
from gateway.store.scripts.processes import ProcessScripts

EVERY_S = 5
REMEMBERED_S = 20
"""A replica that has said nothing for so long is taken for dead."""


class Presence:
    """Says every few seconds that this process lives.

    refused  why Redis last took no write, "" since it took one: nothing moves then, though Redis answers
    """

    def __init__(self, replica: str, scripts: ProcessScripts, clock: Clock) -> None:
        """Speak for REPLICA, which began now."""
        self.replica = replica
        self.refused = ""
        self._scripts = scripts
        told = {"host": socket.gethostname(), "pid": os.getpid(), "version": __version__, "began_at": clock.epoch_ms()}
        self._told = json.dumps(told | {"format": FORMAT})

    async def run(self) -> None:
        """Say so until cancelled; raises StoreUnavailable when Redis is lost, and can be run again."""
        while True:
            try:
                await self._scripts.present(self.replica, self._told, REMEMBERED_S)
            except StoreRefuses as error:
                self.refused = str(error)
                raise
            self.refused = ""
            await asyncio.sleep(EVERY_S)

    async def leave(self) -> None:
        """Say that this process ends."""
        with suppress(StoreUnavailable):
            await self._scripts.present(self.replica, "", REMEMBERED_S)
