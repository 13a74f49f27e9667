"""What a replica hears its master by, and what can be cut: the master's last writes are lost with it then."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Self


class Wire:
    """Carries bytes between replicas and the master at `port`, until it is cut: from then on they are swallowed."""

    def __init__(self, port: int) -> None:
        """Lead to the master at this PORT of loopback; nothing listens before `serve`."""
        self._master = port
        self._links: set[asyncio.Task[None]] = set()
        self._whole = True
        self.port = 0

    @asynccontextmanager
    async def serve(self) -> AsyncIterator[Self]:
        """Listen at `port` for the length of an `async with` block."""
        server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()
            for link in self._links:
                link.cancel()
            await asyncio.gather(*self._links, return_exceptions=True)

    def cut(self) -> None:
        """Let nothing through any more; both ends believe that the other is silent."""
        self._whole = False

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        link = asyncio.create_task(self._link(reader, writer))
        self._links.add(link)
        link.add_done_callback(self._links.discard)

    async def _link(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            master_reader, master_writer = await asyncio.open_connection("127.0.0.1", self._master)
            try:
                async with asyncio.TaskGroup() as group:
                    group.create_task(self._carry(reader, master_writer))
                    group.create_task(self._carry(master_reader, writer))
            finally:
                master_writer.close()
        writer.close()

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await reader.read(65_536):
                if self._whole:
                    writer.write(data)
                    await writer.drain()
        writer.close()
