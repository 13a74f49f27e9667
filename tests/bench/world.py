"""A world for one measurement: a server, a stub and gateways as processes of their own, as an operator runs them.

It begins empty and takes everything down with it, so that nothing of one measurement is left in the next.
"""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import aiohttp

from gateway.clock import Clock
from gateway.intake.admission import Admission
from gateway.sandbox.process import GatewayProcess
from gateway.settings import load_settings
from gateway.store.bell import Bell
from gateway.store.client import Clients, connected
from gateway.store.embedded import embedded_server
from gateway.store.keys import Keys
from gateway.store.pressure import Pressure
from gateway.store.producer import Producer
from gateway.store.scripts import Scripts
from tests.world import WIDE

_ACCOUNT = "main"
_KEYS = Keys("gw")
_BATCH = 128  # as many as a reader of the gateway admits at once


class Seen(NamedTuple):
    """A send as the stub saw it: monotonic seconds of its arrival and its answer (0.0: none), group and text."""

    at: float
    answered: float
    group: str
    text: str


class Stub:
    """The stub's other end: asks it what came."""

    def __init__(self, port: int, session: aiohttp.ClientSession) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self._session = session

    async def count(self) -> int:
        """Return how many sends have come."""
        return int(await self._get("count"))

    async def seen(self) -> list[Seen]:
        """Return every send that came, in the order of arrival."""
        return [Seen(*fields) for fields in json.loads(await self._get("arrivals"))]

    async def has(self, count: int, deadline: float) -> None:
        """Wait until COUNT sends have come; raises TimeoutError at the DEADLINE (s)."""
        async with asyncio.timeout(deadline):
            while await self.count() < count:
                await asyncio.sleep(0.1)

    async def _get(self, path: str) -> str:
        async with self._session.get(f"{self.url}/{path}") as answer:
            return await answer.text()


class World:
    """One server, one stub, and as many gateways as were started."""

    def __init__(
        self, stack: AsyncExitStack, folder: Path, clients: Clients, stub: Stub, sections: dict[str, Any]
    ) -> None:
        self._stack = stack
        self._folder = folder
        self.gateways: list[GatewayProcess] = []
        self._settings = {"redis": {"url": clients.url}, "log": {"format": "json", "level": "info"}, **sections}
        self._clients = clients
        self._scripts = Scripts(clients.commands, _KEYS)
        self.producer = Producer(clients)
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
        file = self._folder / "admission.yaml"
        file.write_text(json.dumps(self._settings))
        bell, pressure = Bell(self._clients, _KEYS, {}), Pressure(self._clients, Clock())
        admission = Admission(load_settings(file, {}), self._scripts, bell, pressure, Clock())
        rest = iter(jobs)
        while batch := [await admission.prepare(json.dumps(job).encode()) for job in islice(rest, _BATCH)]:
            assert all(one.outcome == "admitted" for one in await admission.admit(batch))

    async def read_up(self, deadline: float) -> None:
        """Wait until the gateways have read all that was pushed; raises TimeoutError at the DEADLINE (s)."""
        async with asyncio.timeout(deadline):
            while await self._clients.commands.xlen("gw:jobs"):
                await asyncio.sleep(0.05)

    async def settled(self, deadline: float) -> None:
        """Wait until no job is queued any more; raises TimeoutError at the DEADLINE (s)."""
        async with asyncio.timeout(deadline):
            while (await self._scripts.overview(_ACCOUNT)).queued:
                await asyncio.sleep(0.1)

    def gateway_cpu(self) -> float:
        """Return the seconds of CPU the gateways have used, in user and system mode."""
        stats = [Path(f"/proc/{gateway.pid}/stat").read_text().rpartition(") ")[2].split() for gateway in self.gateways]
        return sum(int(stat[11]) + int(stat[12]) for stat in stats) / os.sysconf("SC_CLK_TCK")

    async def redis_cpu(self) -> float:
        """Return the seconds of CPU the server has used, in user and system mode, all its threads together."""
        info: dict[str, Any] = await self._clients.commands.info("cpu")
        return float(info["used_cpu_user"]) + float(info["used_cpu_sys"])


@asynccontextmanager
async def world(
    *,
    answer_ms: float = 0,
    hanging: Sequence[str] = (),
    limits: dict[str, Any] = WIDE,
    account: dict[str, Any] | None = None,
    others: Sequence[str] = (),
) -> AsyncIterator[World]:
    """Yield a world whose stub answers after ANSWER_MS, and never to the HANGING groups; no gateway runs yet.

    What LIMITS and ACCOUNT do not say is as the gateway's defaults say. OTHERS are accounts like the first.
    """
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="gateway-bench-")))
        url = await stack.enter_async_context(embedded_server(folder / "redis"))
        clients = await stack.enter_async_context(connected(url))
        session = await stack.enter_async_context(aiohttp.ClientSession())
        port = await stack.enter_async_context(_stub(answer_ms, hanging))
        stub = Stub(port, session)
        accounts = [{"name": name, "endpoint": stub.url, **(account or {})} for name in (_ACCOUNT, *others)]
        yield World(stack, folder, clients, stub, {"accounts": accounts, "limits": limits})


@asynccontextmanager
async def _stub(answer_ms: float, hanging: Sequence[str]) -> AsyncIterator[int]:
    """Run the stub and yield its port."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.bench.stub", "--answer-ms", str(answer_ms)),
        *(word for group in hanging for word in ("--hang", group)),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        start_new_session=True,  # Ctrl-C is for the measurement, which closes the stub's input in the end
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        yield int(await process.stdout.readline())
    finally:
        process.stdin.close()
        await process.wait()


async def _kill(gateway: GatewayProcess) -> None:
    with suppress(RuntimeError):  # it was never started
        await gateway.kill()
