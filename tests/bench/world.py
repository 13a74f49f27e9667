"""A world for one measurement: a server, a stub and gateways as processes of their own, as an operator runs them.

It begins empty and takes everything down with it, so that nothing of one measurement is left in the next.
"""

import asyncio
import json
import os
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from gateway.sandbox.process import GatewayProcess
from gateway.store.client import Clients, connected
from gateway.store.embedded import embedded_server
from gateway.store.keys import Keys
from gateway.store.producer import Producer
from gateway.store.scripts import Scripts
from tests.bench import meters
from tests.bench.door import Door
from tests.bench.program import ours
from tests.bench.receiver import Seen, Stub, stub
from tests.topologies import cluster
from tests.world import WIDE

__all__ = ["Seen", "World", "world"]

_ACCOUNT = "main"
_KEYS = Keys("gw")
_PUSHED = 500  # jobs in a round trip of the producer


class World:
    """One server, one stub, and as many gateways as were started.

    accounts  their names, the first of which takes the jobs that name none
    peers     address of a database of the same server that is not the gateway's
    """

    def __init__(
        self, stack: AsyncExitStack, folder: Path, clients: Clients, stub: Stub, sections: dict[str, Any]
    ) -> None:
        self._stack = stack
        self._folder = folder
        self.gateways: list[GatewayProcess] = []
        self.accounts: list[str] = [account["name"] for account in sections["accounts"]]
        self._settings = {"redis": {"url": clients.url}, "log": {"format": "json", "level": "info"}, **sections}
        self._file = folder / "admission.yaml"
        self._file.write_text(json.dumps(self._settings))
        self._clients = clients
        self._scripts = Scripts(clients.commands, _KEYS)
        self._door = Door(self._file, clients)
        self.producer = Producer(clients)
        self.peers = clients.url.removesuffix("/0") + "/1"
        self.stub = stub

    async def start(self, replicas: int = 1) -> list[GatewayProcess]:
        """Start REPLICAS gateways; returns them when they are ready."""
        gateways = [GatewayProcess(self._settings, self._folder) for _ in range(replicas)]
        for gateway in gateways:
            self._stack.push_async_callback(_kill, gateway)
        await asyncio.gather(*(gateway.start() for gateway in gateways))
        self.gateways += gateways
        return gateways

    async def admit(self, jobs: Iterable[dict[str, Any]]) -> None:
        """Put JOBS into their lanes through the gateway's own door, in batches as large as its readers take."""
        await self.put(map(json.dumps, jobs))

    async def put(self, documents: Iterable[str]) -> None:
        """The same with jobs that are JSON already."""
        await self._door.admit(documents)

    async def fill(self, count: int, groups: int, deadline: float) -> None:
        """Put COUNT jobs into the lanes of GROUPS groups of each account, by as many processes as there are cores.

        Raises an ExceptionGroup of TimeoutError at the DEADLINE (s).
        """
        fillers = os.cpu_count() or 1
        async with asyncio.TaskGroup() as filling:
            for first in range(fillers):
                words = (self._file, first, fillers, count, groups, *self.accounts)
                filling.create_task(ours("door", *words, deadline=deadline))

    async def push(self, jobs: Sequence[str]) -> None:
        """Push JOBS into the stream, as a producer that has many of them does."""
        for begin in range(0, len(jobs), _PUSHED):
            await self.producer.add(*jobs[begin : begin + _PUSHED])

    async def read_up(self, deadline: float) -> None:
        """Wait until the gateways have read all that was pushed; raises TimeoutError at the DEADLINE (s)."""
        async with asyncio.timeout(deadline):
            while await self._clients.commands.xlen("gw:jobs"):
                await asyncio.sleep(0.05)

    async def settled(self, deadline: float) -> None:
        """Wait until no job is queued any more; raises TimeoutError at the DEADLINE (s)."""
        async with asyncio.timeout(deadline):
            while await self.queued():
                await asyncio.sleep(0.1)

    async def queued(self) -> int:
        """Return how many jobs of all accounts are queued."""
        return sum([(await self._scripts.overview(account)).queued for account in self.accounts])

    def gateway_cpu(self) -> float:
        """Return the seconds of CPU the gateways have used, in user and system mode."""
        return sum(meters.cpu(gateway.pid) for gateway in self.gateways)

    def gateway_memory(self) -> int:
        """Return the bytes of memory of the gateway that holds most."""
        return max(meters.memory(gateway.pid) for gateway in self.gateways)

    async def redis_cpu(self) -> float:
        """Return the seconds of CPU the server has used, in user and system mode, all its threads together."""
        return sum(await self.server_cpu())

    async def server_cpu(self) -> list[float]:
        """Return the same of each master, if Redis is a cluster."""
        told = [await master.info("cpu") for _, master in sorted((await self._clients.masters()).items())]
        return [float(info["used_cpu_user"]) + float(info["used_cpu_sys"]) for info in told]

    async def redis_memory(self) -> int:
        """Return the bytes the server holds for keys and their values: without buffers and the receipts streams."""
        info: dict[str, Any] = await self._clients.commands.info("memory")
        used = int(info["used_memory"]) - int(info["mem_clients_normal"]) - int(info["mem_aof_buffer"])
        for account in self.accounts:
            stream = _KEYS.of(account, "receipts")
            used -= int(await self._clients.commands.memory_usage(stream, samples=0) or 0)
        return used


@asynccontextmanager
async def world(
    *,
    answer_ms: float = 0,
    hanging: Sequence[str] = (),
    limits: dict[str, Any] = WIDE,
    account: dict[str, Any] | None = None,
    others: Sequence[str] = (),
    intake: dict[str, Any] | None = None,
    masters: int = 0,
) -> AsyncIterator[World]:
    """Yield a world whose stub answers after ANSWER_MS, and never to the HANGING groups; no gateway runs yet.

    Redis is a single server, or a cluster of so many MASTERS.
    What LIMITS, ACCOUNT and INTAKE do not say is as the gateway's defaults say. OTHERS are accounts like the first.
    """
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="gateway-bench-")))
        if masters:
            url = (await stack.enter_async_context(cluster(folder / "redis", masters))).url
        else:
            url = await stack.enter_async_context(embedded_server(folder / "redis"))
        clients = await stack.enter_async_context(connected(url))
        napcat = await stack.enter_async_context(stub(answer_ms, hanging))
        accounts = [{"name": name, "endpoint": napcat.url, **(account or {})} for name in (_ACCOUNT, *others)]
        yield World(stack, folder, clients, napcat, {"accounts": accounts, "limits": limits, "intake": intake or {}})


async def _kill(gateway: GatewayProcess) -> None:
    with suppress(RuntimeError):  # it was never started
        await gateway.kill()
