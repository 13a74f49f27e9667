"""A bad network between a gateway and its Redis: a proxy that knows where a request and a reply begin and end."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from random import Random
from typing import Literal, Self
from urllib.parse import urlsplit

Kind = Literal["drop", "cut", "delay", "stall"]


@dataclass
class Mishap:
    """What befalls the next replies (or requests) that it fits.

    kind     `drop`: Redis does what it is asked, but its reply is lost with the connection; `cut`: the reply breaks off
             somewhere in its middle, and the connection closes; `delay`: the reply is late; `stall`: the request is,
             and arrives even when its sender has given up
    to       beginning of the commands it befalls, such as `EVALSHA`, `XDEL gw:jobs` or `EVALSHA <sha>`; "": all
    having   bytes that have to be in the reply (with `stall`: in the request)
    times    how many more it befalls; None: all from now on
    share    how many of those that fit it befalls, by chance, from 0 to 1
    seconds  how late a reply or a request is
    befell   the replies (with `stall`: the requests) it befell, as they should have arrived
    """

    kind: Kind
    to: str = ""
    having: bytes = b""
    times: int | None = 1
    share: float = 1.0
    seconds: float = 0.0
    befell: list[bytes] = field(default_factory=list)

    def fits(self, command: bytes, frame: bytes) -> bool:
        """Return whether it may befall FRAME; what Redis refuses to do is no write whose reply could be lost."""
        fits = command.startswith(self.to.encode()) and self.having in frame
        return fits and self.times != 0 and not frame.startswith(b"-")


class Proxy:
    """Stands between clients and the Redis at `redis_url`; chance is drawn from SEED.

    All switches may be turned at any time. Requests and replies that no mishap befalls pass as they are. `fallen` is
    how many fell into a black hole.
    """

    def __init__(self, redis_url: str, seed: int = 0) -> None:
        """Lead to the Redis at REDIS_URL; nothing listens before `serve`."""
        self._redis = _address(redis_url)
        self._chance = Random(seed)
        self._mishaps: list[Mishap] = []
        self._server: asyncio.Server | None = None
        self._port = 0
        self._links: set[asyncio.Task[None]] = set()
        self._failures: list[Exception] = []
        self._open = asyncio.Event()
        self._open.set()
        self._silent = False
        self.fallen = 0

    @property
    def url(self) -> str:
        """Where clients find it."""
        return f"redis://127.0.0.1:{self._port}/0"

    @asynccontextmanager
    async def serve(self) -> AsyncIterator[Self]:
        """Listen for the length of an `async with` block."""
        await self._listen()
        try:
            yield self
        finally:
            await self.refuse()
        if self._failures:
            raise ExceptionGroup("the proxy did not understand what it carried", self._failures)

    def befall(self, *mishaps: Mishap) -> None:
        """Let MISHAPS befall what fits them, beside those that are there already; the first that fits wins."""
        self._mishaps += mishaps

    async def lead_to(self, redis_url: str) -> None:
        """Lead to another Redis from now on; connections to the one before break."""
        self._redis = _address(redis_url)
        await self.refuse()
        await self.heal()

    def black_hole(self) -> None:
        """From now on accept everything, and forward and answer nothing."""
        self._open.clear()

    async def refuse(self) -> None:
        """Break every connection and refuse new ones."""
        if self._server is not None:
            server, self._server = self._server, None
            server.close()
        links = list(self._links)
        for link in links:
            link.cancel()
        await asyncio.gather(*links, return_exceptions=True)

    async def heal(self, *, silently: bool = False) -> None:
        """End every mishap, black hole and refusal.

        What fell into the hole is lost, and its connections close; SILENTLY: they stay, and nobody ever hears of them
        again, as when a router forgot them.
        """
        self._mishaps.clear()
        self._silent = silently
        self._open.set()
        if self._server is None:
            await self._listen()

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", self._port)
        self._port = self._server.sockets[0].getsockname()[1]

    def _mishap(self, stalls: bool, command: bytes, frame: bytes) -> Mishap | None:
        """Return what befalls FRAME, and count it."""
        for mishap in self._mishaps:
            fits = (mishap.kind == "stall") == stalls and mishap.fits(command, frame)
            if fits and self._chance.random() < mishap.share:
                mishap.times = mishap.times and mishap.times - 1
                mishap.befell.append(frame)
                return mishap
        return None

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        link = asyncio.create_task(self._link(reader, writer))
        self._links.add(link)
        link.add_done_callback(self._links.discard)

    async def _link(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Carry one connection until one of its ends closes, or a mishap closes it."""
        writers = [writer]
        ways: list[asyncio.Task[None]] = []
        try:
            redis_reader, redis_writer = await asyncio.open_connection(*self._redis)
            writers.append(redis_writer)
            asked: deque[bytes] = deque()
            ways = [
                asyncio.create_task(self._requests(reader, redis_writer, asked)),
                asyncio.create_task(self._replies(redis_reader, writer, asked)),
            ]
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        except OSError:
            pass  # Redis is gone, and the client is told by closing
        finally:
            for way in ways:
                way.cancel()
            for end in writers:
                end.close()
            endings = await asyncio.gather(*ways, return_exceptions=True)
            self._failures += [error for error in endings if isinstance(error, Exception)]
            for end in writers:
                with suppress(OSError):
                    await end.wait_closed()

    async def _requests(self, reader: asyncio.StreamReader, redis: asyncio.StreamWriter, asked: deque[bytes]) -> None:
        with suppress(OSError, asyncio.IncompleteReadError):
            while True:
                request = await _frame(reader)
                command = b" ".join(request.split(b"\r\n", 5)[2:5:2])
                if mishap := self._mishap(True, command, request):
                    await asyncio.sleep(mishap.seconds)
                await self._fall()
                if not command.startswith(b"SUBSCRIBE"):
                    asked.append(command)
                redis.write(request)
                await redis.drain()

    async def _replies(self, redis: asyncio.StreamReader, writer: asyncio.StreamWriter, asked: deque[bytes]) -> None:
        with suppress(OSError, asyncio.IncompleteReadError):
            while True:
                reply = await _frame(redis)
                # A push is no answer to anything; nor are the replies to SUBSCRIBE, which are pushes.
                command = b"" if reply.startswith(b">") else asked.popleft()
                mishap = self._mishap(False, command, reply)
                if mishap and mishap.kind == "drop":
                    return
                if mishap and mishap.kind == "cut":
                    reply = reply[: self._chance.randrange(1, len(reply))]
                if mishap and mishap.kind == "delay":
                    await asyncio.sleep(mishap.seconds)
                await self._fall()
                writer.write(reply)
                await writer.drain()
                if mishap and mishap.kind == "cut":
                    return

    async def _fall(self) -> None:
        """Pass; but what is on its way while the proxy is a black hole falls into it, and its connection with it."""
        if not self._open.is_set():
            self.fallen += 1
            await self._open.wait()
            if self._silent:
                await asyncio.Event().wait()
            raise ConnectionAbortedError("it fell into the black hole")


def _address(redis_url: str) -> tuple[str, int]:
    address = urlsplit(redis_url)
    return address.hostname or "127.0.0.1", address.port or 6379


async def _frame(reader: asyncio.StreamReader) -> bytes:
    """Return the next request or reply as its bytes, in RESP2 or RESP3."""
    line = await reader.readuntil(b"\r\n")
    kind, size = line[:1], line[1:-2]
    if kind in b"$=!" and size != b"-1":
        return line + await reader.readexactly(int(size) + 2)
    if kind in b"*~>%" and size != b"-1":
        return line + b"".join([await _frame(reader) for _ in range(int(size) * (2 if kind == b"%" else 1))])
    return line
