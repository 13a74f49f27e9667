"""A world for one test: a real server, a stand-in NapCat, and gateways on real sockets."""

import asyncio
import itertools
import json
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web

from gateway.app import create_app
from gateway.clock import Clock
from gateway.model.instant import format_instant
from gateway.model.receipt import FINAL_STATES, Receipt
from gateway.sandbox.napcat import StandIn
from gateway.sandbox.process import GatewayProcess
from gateway.settings import load_settings
from gateway.store.client import Clients, connected, translated
from gateway.store.embedded import embedded_server
from gateway.store.keys import RING, Keys
from gateway.store.producer import Producer
from tests import forks

_NUMBERS = itertools.count(1)
SECRET = "events-secret"
WIDE = {"account": ["10000/1s"], "group": ["10000/1s"], "user": ["10000/1s"]}
"""Limits that never matter, for tests of something else."""


class World:
    """The parts of one test, ended in the reverse order of their beginning."""

    def __init__(
        self,
        stack: AsyncExitStack,
        folder: Path,
        redis_url: str,
        clients: Clients,
        napcat: StandIn,
        server: AsyncExitStack | None = None,
        transport: str = "http",
    ) -> None:
        self._stack = stack
        self._server = server or AsyncExitStack()
        self.folder = folder
        self.redis_url = redis_url
        self.clients = clients
        self.napcat = napcat
        self.transport = transport
        self.producer = Producer(clients)
        self._tails: dict[str, Tail] = {}
        self._port: socket.socket | None = None

    def settings(self, **sections: Any) -> dict[str, Any]:
        """Return settings for this world's Redis and NapCat; SECTIONS replace whole sections."""
        return {
            "redis": {"url": self.redis_url},
            "http": {"port": 0},
            "accounts": [self.account()],
            "limits": WIDE,
            "log": {"format": "json", "level": "error"},
            **sections,
        }

    def account(self, **fields: Any) -> dict[str, Any]:
        """Return the settings of an account at the stand-in."""
        return {
            "name": "main",
            "endpoint": self.napcat.url,
            "events_secret": SECRET,
            "transport": self.transport,
            **fields,
        }

    async def gateway(self, clock: Clock | None = None, **sections: Any) -> "Gateway":
        """Start a gateway in this process, on a real socket; it counts time by CLOCK."""
        gateway = Gateway(self.settings(**sections), self.folder, clock)
        await gateway.start()
        self._stack.push_async_callback(gateway.stop)
        return gateway

    async def process(self, **sections: Any) -> GatewayProcess:
        """Start a gateway as a process of its own."""
        return await self.process_in({}, **sections)

    async def process_in(self, environ: Mapping[str, str], **sections: Any) -> GatewayProcess:
        """The same, with ENVIRON added to what it finds in its environment."""
        log = {"format": "json", "level": "info"}
        gateway = GatewayProcess(self.settings(**{"log": log, **sections}), self.folder, environ, forks.start)
        await gateway.start()
        self._stack.push_async_callback(gateway.kill)
        return gateway

    async def stop_redis(self) -> None:
        """End the server, as a restart of its machine does; what it has written stays on disk."""
        await self._server.aclose()
        for client in (self.clients.commands, self.clients.blocking):
            await client.connection_pool.disconnect()
        # Kept until it is started again: anybody's connection could take the port meanwhile.
        self._port = self._stack.enter_context(socket.socket())
        self._port.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._port.bind(("127.0.0.1", int(self.redis_url.rpartition(":")[2].partition("/")[0])))

    async def start_redis(self) -> None:
        """Start a server on the same port with what the stopped one has written."""
        if self._port is not None:
            self._port.close()
        url = await self._server.enter_async_context(embedded_server(self.folder / "redis"))
        assert url == self.redis_url

    async def add(self, *jobs: dict[str, Any]) -> list[str]:
        """Push jobs through the stream."""
        return await self.producer.add(*(json.dumps(job) for job in jobs))

    async def receipts(self, account: str = "main") -> list[Receipt]:
        """Return every receipt told in the stream of ACCOUNT so far."""
        return await self._tails.setdefault(account, Tail(self.clients, account)).read()

    async def ended(self, count: int, deadline: float = 60.0) -> list[Receipt]:
        """Wait until COUNT jobs have ended and return their final receipts, in the order of their endings."""

        async def finals() -> list[Receipt]:
            return [receipt for receipt in await self.receipts() if receipt.state in FINAL_STATES]

        found: list[Receipt] = await until(finals, lambda found: len(found) >= count, deadline)
        return found


class Tail:
    """Reads the stream of receipts of an account, each entry once."""

    def __init__(self, clients: Clients, account: str = "main") -> None:
        """Begin at the stream's beginning."""
        self._redis = clients.commands
        self._stream = Keys("gw").account(account)[RING.index("receipts")]
        self._last = "0-0"
        self._seen: list[Receipt] = []

    async def read(self) -> list[Receipt]:
        """Return what was read before and what is new; raises StoreUnavailable."""
        with translated():
            entries: Any = await self._redis.xrange(self._stream, min=f"({self._last}")
        for entry, fields in entries:
            self._seen.append(Receipt.model_validate_json(fields[b"receipt"]))
            self._last = entry.decode()
        return list(self._seen)


class Gateway:
    """A gateway inside the test's process."""

    def __init__(self, settings: dict[str, Any], folder: Path, clock: Clock | None = None) -> None:
        self.file = folder / f"gateway-{next(_NUMBERS)}.yaml"
        self._written = settings
        self.change()
        self.settings = load_settings(self.file, {})
        self.url = ""
        self.app = create_app(self.settings, clock, lambda: load_settings(self.file, {}))
        self._runner = web.AppRunner(self.app, access_log=None, shutdown_timeout=0.1)

    async def start(self) -> None:
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self.settings.http.port).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"

    async def stop(self) -> None:
        await self._runner.cleanup()

    def change(self, **sections: Any) -> None:
        """Write other SECTIONS into the file of settings; nothing is told of it."""
        self._written = {**self._written, **sections}
        self.file.write_text(json.dumps(self._written))

    async def reload(self, headers: dict[str, str] | None = None, **sections: Any) -> dict[str, Any]:
        """Change SECTIONS, have them applied and return what is answered."""
        self.change(**sections)
        reply = await self.post("/v1/reload", b"", headers)
        assert reply.status == 200, reply.body
        document: dict[str, Any] = reply.json
        return document

    async def post(self, path: str, document: Any, headers: dict[str, str] | None = None) -> "Reply":
        body = document if isinstance(document, bytes) else json.dumps(document).encode()
        return await self.request(
            "POST", path, data=body, headers={"Content-Type": "application/json"} | (headers or {})
        )

    async def get(self, path: str, headers: dict[str, str] | None = None) -> "Reply":
        return await self.request("GET", path, headers=headers)

    async def request(self, method: str, path: str, **options: Any) -> "Reply":
        async with aiohttp.ClientSession() as session, session.request(method, self.url + path, **options) as answer:
            return Reply(answer.status, dict(answer.headers), await answer.read())

    async def receipt(self, job: str) -> Receipt:
        """Return the receipt of a job id, or of `key:…`."""
        receipt = await self.find(job)
        assert receipt is not None, f"there is no job {job}"
        return receipt

    async def find(self, job: str) -> Receipt | None:
        """Return the receipt of a job id, or of `key:…`, if there is one yet."""
        reply = await self.get(f"/v1/jobs/{job}")
        assert reply.status in {200, 404}, reply.body
        return Receipt.model_validate_json(reply.body) if reply.status == 200 else None

    async def shows(self, job: str, state: str, reason: str | None = None, deadline: float = 60.0) -> Receipt:
        """Wait until the job is shown in STATE (with REASON) and return its receipt."""
        receipt: Receipt = await until(
            lambda: self.find(job),
            lambda receipt: receipt and receipt.state == state and reason in {None, receipt.reason},
            deadline,
        )
        return receipt

    async def status(self) -> dict[str, Any]:
        """Return what /status says of a look that began after this call: it answers with one of a second ago."""
        asked = format_instant(Clock().epoch_ms())
        reply: Reply = await until(lambda: self.get("/status"), lambda reply: reply.json["at"] >= asked)
        document: dict[str, Any] = reply.json
        return document


class Reply:
    """An HTTP answer, read."""

    def __init__(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.status = status
        self.headers = headers
        self.body = body

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@asynccontextmanager
async def serving(method: str, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]) -> AsyncIterator[str]:
    """Serve every path of METHOD by HANDLER on a free port of loopback, and yield the address."""
    app = web.Application()
    app.router.add_route(method, "/{path:.*}", handler)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


async def until(look: Callable[[], Any], fits: Callable[[Any], Any] = bool, deadline: float = 60.0) -> Any:
    """Look again and again until what is seen fits, and return it; fail with the last sight at the DEADLINE (s).

    A look that takes long is taken less often: who waits leaves the machine to what is waited for.
    """
    now = asyncio.get_running_loop().time
    ends_at = now() + deadline
    while True:
        began = now()
        seen = look()
        if asyncio.iscoroutine(seen):
            seen = await seen
        if fits(seen):
            return seen
        if now() > ends_at:
            raise AssertionError(f"not within {deadline} s; last seen: {seen!r:.2000}")
        await asyncio.sleep(min(max(0.01, 8 * (now() - began)), 0.25))


async def listens(port: int) -> bool:
    """Return whether somebody takes connections at PORT of this machine."""
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    return True


@asynccontextmanager
async def world(folder: Path, transport: str = "http") -> AsyncIterator[World]:
    """Yield a world whose data lies in FOLDER, and whose gateways reach the stand-in by TRANSPORT."""
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(AsyncExitStack())
        redis_url = await server.enter_async_context(embedded_server(folder / "redis"))
        clients = await stack.enter_async_context(connected(redis_url))
        napcat = await stack.enter_async_context(StandIn(events_secret=SECRET).serve())
        yield World(stack, folder, redis_url, clients, napcat, server, transport)
