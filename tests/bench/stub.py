"""The receiver of a measurement: NapCat's envelope over raw asyncio, in a process of its own.

It does as little as it can (no framework, no parsing of bodies until it is asked), so that what is measured is the
gateway. It notes `time.monotonic()`, which all processes of a Linux machine share, when a whole request has come and
again when its answer leaves. `GET /count` and `GET /arrivals` tell what came; it ends when its standard input does,
and so with whoever started it.

    python -m tests.bench.stub [--answer-ms MS] [--hang GROUP]...
"""

import argparse
import asyncio
import json
import re
import sys
import time
from typing import cast

import uvloop

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_ENVELOPE = (
    b'{"status":"ok","retcode":0,"data":{"message_id":%d},"message":"","wording":"","echo":null,'
    b'"stream":"normal-action"}'
)
_WELL = b'{"status":"ok","retcode":0,"data":{"online":true,"good":true}}'


class Arrival:
    """One send that came: its whole body at `at`, its answer left at `answered` (seconds; 0.0: not yet)."""

    __slots__ = ("answered", "at", "body")

    def __init__(self, at: float, body: bytes) -> None:
        self.at = at
        self.body = body
        self.answered = 0.0

    def told(self) -> tuple[float, float, str, str]:
        """Return arrival, answer, group and text."""
        body = json.loads(self.body)
        return self.at, self.answered, body["group_id"], body["message"][0]["data"]["text"]


class Receiver:
    """What came, and how it is answered: after `answer_s` seconds, and never where a group hangs."""

    def __init__(self, answer_s: float, hanging: frozenset[bytes]) -> None:
        self.answer_s = answer_s
        self.hanging = hanging
        self.arrivals: list[Arrival] = []

    def told(self, path: bytes) -> bytes:
        """Answer a question of the measurement, or one of the gateway: that all is well."""
        if path == b"/count":
            return b"%d" % len(self.arrivals)
        if path == b"/arrivals":
            return json.dumps([arrival.told() for arrival in self.arrivals]).encode()
        return _WELL


class _Connection(asyncio.Protocol):
    """One keep-alive connection; requests may come in pieces."""

    def __init__(self, receiver: Receiver, loop: asyncio.AbstractEventLoop) -> None:
        self._receiver = receiver
        self._loop = loop
        self._pending = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's are no instances of it

    def data_received(self, data: bytes) -> None:
        at = time.monotonic()
        self._pending += data
        while (end := self._pending.find(b"\r\n\r\n")) >= 0:
            head = self._pending[:end]
            length = _LENGTH.search(head)
            whole = end + 4 + (int(length[1]) if length else 0)
            if len(self._pending) < whole:
                return
            body, self._pending = self._pending[end + 4 : whole], self._pending[whole:]
            self._take(at, head.split(b" ", 2)[1], body)

    def _take(self, at: float, path: bytes, body: bytes) -> None:
        receiver = self._receiver
        if not path.startswith(b"/send_"):
            self._write(receiver.told(path))
            return
        arrival = Arrival(at, body)
        receiver.arrivals.append(arrival)
        number = len(receiver.arrivals)
        # The gateway's bodies begin with {"group_id":"<digits>".
        if receiver.hanging and body.split(b'"', 4)[3] in receiver.hanging:
            return
        if receiver.answer_s:
            self._loop.call_later(receiver.answer_s, self._answer, arrival, number)
        else:
            self._answer(arrival, number)

    def _answer(self, arrival: Arrival, number: int) -> None:
        arrival.answered = time.monotonic()
        self._write(_ENVELOPE % number)

    def _write(self, body: bytes) -> None:
        if not self._transport.is_closing():
            head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body)
            self._transport.write(head + body)


async def _serve(receiver: Receiver) -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: _Connection(receiver, loop), "127.0.0.1", 0, backlog=1024)
    print(server.sockets[0].getsockname()[1], flush=True)  # noqa: T201 - told to whoever started it
    starter = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(starter), sys.stdin)
    await starter.read()
    server.close()


def main() -> None:
    """Serve until standard input ends."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.stub", description=__doc__)
    parser.add_argument("--answer-ms", type=float, default=0.0)
    parser.add_argument("--hang", action="append", default=[], metavar="GROUP")
    options = parser.parse_args()
    receiver = Receiver(options.answer_ms / 1000, frozenset(group.encode() for group in options.hang))
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(receiver))


if __name__ == "__main__":
    main()
