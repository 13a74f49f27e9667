"""A Redis with a replica, and clients that find whoever is the master at one address, as behind a virtual one."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from gateway.store.client import connected
from tests.chaos.proxy import Proxy
from tests.chaos.server import Server
from tests.chaos.wire import Wire
from tests.world import until


class Pair:
    """Two servers, `master` and `replica`, the `wire` between them, and a `proxy` that leads clients to the master."""

    def __init__(self, folder: Path) -> None:
        """Prepare both, with their data in folders under FOLDER."""
        folder.mkdir()
        self.master = Server(folder / "one")
        self.replica = Server(folder / "other")
        self.proxy = Proxy(self.master.url)
        self.wire = Wire(self.master.port)
        self._wires = AsyncExitStack()

    async def start(self) -> None:
        """Start both, and return when the replica has what the master has."""
        await self.master.start()
        await self._follow()

    async def fail_over(self) -> None:
        """Kill the master and promote the replica, as a Sentinel does; nobody follows the new master yet.

        What was written since the wire was cut is lost.
        """
        await self.master.kill()
        self.master, self.replica = self.replica, self.master
        async with connected(self.master.url) as clients:
            await clients.commands.replicaof("NO", "ONE")
        await self.proxy.lead_to(self.master.url)

    async def repair(self) -> None:
        """Start who was master before as the replica of who is now; what only that one knew is gone."""
        await self._follow()

    async def kill(self) -> None:
        """End both at once."""
        await asyncio.gather(self.master.kill(), self.replica.kill())
        await self._wires.aclose()

    async def _follow(self) -> None:
        """Start the replica, and wait until it has what was written before this."""
        await self._wires.aclose()
        self.wire = await self._wires.enter_async_context(Wire(self.master.port).serve())
        await self.replica.start(self.wire.port)
        async with connected(self.master.url) as clients:

            async def followed() -> int:
                # On one connection: WAIT waits for what that wrote.
                async with clients.commands.pipeline(transaction=False) as pipe:
                    pipe.set("followed", 1)
                    pipe.execute_command("WAIT", 1, 1_000)
                    return int((await pipe.execute())[1])

            await until(followed)


@asynccontextmanager
async def pair(folder: Path) -> AsyncIterator[Pair]:
    """Yield a pair that runs, reached by its proxy, and end it."""
    made = Pair(folder)
    try:
        await made.start()
        async with made.proxy.serve():
            yield made
    finally:
        await made.kill()
