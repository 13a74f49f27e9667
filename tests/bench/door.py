"""The gateway's own door: jobs put into their lanes by the gateway's code, while no gateway reads them from anywhere.

    python -m tests.bench.door SETTINGS FIRST STEP COUNT GROUPS ACCOUNT...

admits jobs FIRST, FIRST + STEP, … below COUNT to as many GROUPS of the accounts in turn; several such processes fill
Redis sooner than one.
"""

import asyncio
import sys
from collections.abc import Iterable
from itertools import islice
from pathlib import Path

import uvloop

from gateway.clock import Clock
from gateway.intake.admission import Admission
from gateway.settings import load_settings
from gateway.store.bell import Bell
from gateway.store.client import Clients, connected
from gateway.store.keys import Keys
from gateway.store.pressure import Pressure
from gateway.store.scripts import Scripts
from tests.bench.jobs import jobs

_BATCH = 128  # as many as a reader of the gateway admits at once


class Door:
    """Admits jobs as the readers of a gateway with the settings in FILE do."""

    def __init__(self, file: Path, clients: Clients) -> None:
        keys = Keys("gw")
        self._admission = Admission(
            load_settings(file, {}),
            Scripts(clients.commands, keys),
            Bell(clients, keys, {}),
            Pressure(clients, Clock()),
            Clock(),
        )

    async def admit(self, documents: Iterable[str]) -> None:
        """Put the jobs in DOCUMENTS (JSON) into their lanes."""
        rest = iter(documents)
        while batch := [await self._admission.prepare(one.encode()) for one in islice(rest, _BATCH)]:
            assert all(one.outcome == "admitted" for one in await self._admission.admit(batch))


async def _fill(file: Path, numbers: range, groups: int, accounts: list[str]) -> None:
    async with connected(load_settings(file, {}).redis.url) as clients:
        await Door(file, clients).admit(jobs(numbers, groups, accounts))


def main() -> None:
    """Admit, and end."""
    first, step, count, groups = map(int, sys.argv[2:6])
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_fill(Path(sys.argv[1]), range(first, count, step), groups, sys.argv[6:]))


if __name__ == "__main__":
    main()
