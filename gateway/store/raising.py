"""Raising the data to the newest format, once every replica that lives knows it."""

import asyncio
from collections.abc import Sequence

from gateway.clock import Clock
from gateway.store.client import Clients, translated
from gateway.store.format import FORMAT
from gateway.store.keys import Keys
from gateway.store.presence import replicas
from gateway.store.scripts.processes import ProcessScripts
from gateway.telemetry import Event, Log

SETTLED_S = 30.0
"""For so long every replica has to have known the format: longer than one that lives may have been silent."""
_EVERY_S = 5.0


class Raising:
    """Raises the data of the accounts to FORMAT; where that is the first, there is nothing to do."""

    def __init__(
        self,
        accounts: Sequence[str],
        clients: Clients,
        keys: Keys,
        scripts: ProcessScripts,
        clock: Clock,
        settled_s: float = SETTLED_S,
    ) -> None:
        """Raise the data of ACCOUNTS when nobody has needed the old ones for SETTLED_S seconds."""
        self._accounts = accounts
        self._clients = clients
        self._keys = keys
        self._scripts = scripts
        self._clock = clock
        self._settled_s = settled_s

    async def run(self) -> None:
        """Return when all is raised; raises StoreUnavailable when Redis is lost, and can be run again."""
        if FORMAT == 1:
            return
        since: float | None = None
        while since is None or self._clock.monotonic() - since < self._settled_s:
            known = [replica.format for replica in await replicas(self._clients, self._keys)]
            if not known or min(known) < FORMAT:
                since = None
            elif since is None:
                since = self._clock.monotonic()
            await asyncio.sleep(min(_EVERY_S, self._settled_s / 4))
        # First what an older gateway asks before it looks at any account.
        with translated():
            await self._clients.commands.set(self._keys.format, FORMAT)
        for account in self._accounts:
            await self._scripts.raise_format(account)
        Log().info(Event.DATA_RAISED, format=FORMAT, accounts=list(self._accounts))
