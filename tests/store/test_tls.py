"""TLS to a server, and to every master of a cluster: the bundled server has none, so something stands before each."""

import asyncio
import shutil
import ssl
import subprocess
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path

import pytest

from gateway.model.errors import StoreUnavailable
from gateway.store.client import connected
from gateway.store.server import server_numbers
from tests.topologies import Server, cluster
from tests.world import until

OPENSSL = shutil.which("openssl")
pytestmark = pytest.mark.skipif(OPENSSL is None, reason="needs openssl to make a certificate")


@pytest.fixture(name="certificate")
def _certificate(tmp_path: Path) -> tuple[Path, Path]:
    """A certificate for 127.0.0.1 that vouches for itself, and its key."""
    certificate, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    subprocess.run(
        [
            *(str(OPENSSL), "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=127.0.0.1"),
            *("-addext", "subjectAltName=IP:127.0.0.1", "-out", str(certificate), "-keyout", str(key)),
        ],
        check=True,
        capture_output=True,
    )
    return certificate, key


@asynccontextmanager
async def before(server: Server, certificate: tuple[Path, Path]) -> AsyncIterator[int]:
    """Yield the port at which SERVER is reached by TLS."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(*certificate)
    links: set[asyncio.Task[None]] = set()

    async def pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await reader.read(65_536):
                writer.write(data)
                await writer.drain()
        writer.close()

    async def link(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        links.add(task)
        from_server, to_server = await asyncio.open_connection("127.0.0.1", server.port)
        try:
            await asyncio.gather(pass_on(reader, to_server), pass_on(from_server, writer))
        finally:
            to_server.close()
            writer.close()

    listening = await asyncio.start_server(link, "127.0.0.1", 0, ssl=context)
    try:
        yield listening.sockets[0].getsockname()[1]
    finally:
        listening.close()
        for task in links:
            task.cancel()
        await asyncio.gather(*links, return_exceptions=True)


async def test_a_server_is_reached_by_tls_and_only_where_its_certificate_is_trusted(
    tmp_path: Path, certificate: tuple[Path, Path]
) -> None:
    async with AsyncExitStack() as stack:
        server = Server(tmp_path / "server")
        stack.push_async_callback(server.close)
        await server.start()
        port = await stack.enter_async_context(before(server, certificate))
        clients = await stack.enter_async_context(
            connected(f"rediss://127.0.0.1:{port}/0?ssl_ca_certs={certificate[0]}")
        )
        assert await clients.lanes.set("key", "value")
        with pytest.raises(StoreUnavailable, match="certificate"):
            await stack.enter_async_context(connected(f"rediss://127.0.0.1:{port}/0"))


async def test_every_master_of_a_cluster_is_reached_by_tls(tmp_path: Path, certificate: tuple[Path, Path]) -> None:
    async with AsyncExitStack() as stack:
        made = await stack.enter_async_context(cluster(tmp_path / "cluster"))
        ports = [await stack.enter_async_context(before(server, certificate)) for server in made.servers]
        for server, port in zip(made.servers, ports, strict=True):
            await server.redis.config_set("cluster-announce-port", port)
        for server in made.servers:

            async def named(server: Server = server) -> list[int]:
                slots = await server.redis.execute_command("CLUSTER", "SLOTS")  # type: ignore[no-untyped-call]
                return sorted(port for _, _, (_, port, *_), *_ in slots)

            await until(named, lambda found: found == sorted(ports))
        url = f"rediss+cluster://127.0.0.1:{ports[0]}?ssl_ca_certs={certificate[0]}"
        clients = await stack.enter_async_context(connected(url))
        keys = [f"key{number}" for number in range(20)]
        assert [await clients.commands.set(key, key) for key in keys] == [True] * len(keys)
        assert {node.address for node in (await server_numbers(clients)).nodes} == {
            f"127.0.0.1:{port}" for port in ports
        }
