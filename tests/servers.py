"""Servers set up as no gateway likes them, and what makes one tell something else than it is."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from gateway.store.embedded import find_server, free_port
from tests.world import listens, until


@asynccontextmanager
async def server(folder: Path, *options: str) -> AsyncIterator[int]:
    """Run a server with OPTIONS on its command line and its data in FOLDER; yield its port."""
    await asyncio.to_thread(folder.mkdir, parents=True)
    port = free_port()
    process = await asyncio.create_subprocess_exec(
        find_server(),
        *("--port", str(port), "--bind", "127.0.0.1", "--dir", str(folder), "--logfile", str(folder / "log"), *options),
    )
    try:
        await until(lambda: listens(port))
        yield port
    finally:
        process.kill()
        await process.wait()


@asynccontextmanager
async def saying(port: int, **instead: str) -> AsyncIterator[int]:
    """Pass a server on at another port, where it says other words INSTEAD of some, of the same length."""
    words = {name.encode(): other.encode() for name, other in instead.items()}
    assert all(len(word) == len(other) for word, other in words.items())
    open_: set[asyncio.StreamWriter] = set()

    async def pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while piece := await reader.read(65536):
                for word, other in words.items():
                    piece = piece.replace(word, other)
                writer.write(piece)
        writer.close()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        behind, beyond = await asyncio.open_connection("127.0.0.1", port)
        open_.update((writer, beyond))
        await asyncio.gather(pass_on(reader, beyond), pass_on(behind, writer))

    relay = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield relay.sockets[0].getsockname()[1]
    finally:
        relay.close()
        for writer in open_:
            writer.close()
        await asyncio.sleep(0)
