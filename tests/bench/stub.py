"""The receiver of a measurement: NapCat's envelope over raw asyncio, in a process of its own.

It does as little as it can (no framework, no parsing of bodies until it is asked), so that what is measured is the
gateway. It takes calls over HTTP and over WebSocket on one port. It notes `time.monotonic()`, which all processes of a
Linux machine share, when a whole request has come and again when its answer leaves. `GET /count`, `GET /cpu` (seconds
it has used) and `GET /arrivals` tell what came; it ends when its standard input does, and so with whoever started it.

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

from tests.bench import frames

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_GROUP = re.compile(rb'"group_id":"(\d+)"')
_ECHO = re.compile(rb'"echo":("[^"]*")\}$')
_ENVELOPE = (
    b'{"status":"ok","retcode":0,"data":{"message_id":%d},"message":"","wording":"","echo":%b,"stream":"normal-action"}'
)
_WELL = b'{"status":"ok","retcode":0,"data":{"online":true,"good":true},"echo":%b}'
_NOBODY = b"null"  # an echo, over HTTP


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
        body = body.get("params", body)
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
        if path == b"/cpu":
            return b"%f" % time.process_time()
        if path == b"/arrivals":
            return json.dumps([arrival.told() for arrival in self.arrivals]).encode()
        return _WELL % _NOBODY


class _Connection(asyncio.Protocol):
    """One keep-alive connection, perhaps upgraded to a WebSocket; requests may come in pieces."""

    def __init__(self, receiver: Receiver, loop: asyncio.AbstractEventLoop) -> None:
        self._receiver = receiver
        self._loop = loop
        self._pending = bytearray()
        self._upgraded = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's are no instances of it

    def data_received(self, data: bytes) -> None:
        at = time.monotonic()
        self._pending += data
        if self._upgraded:
            self._take_frames(at)
        else:
            self._take_requests(at)

    def _take_requests(self, at: float) -> None:
        while (end := self._pending.find(b"\r\n\r\n")) >= 0:
            head = bytes(self._pending[:end])
            length = _LENGTH.search(head)
            whole = end + 4 + (int(length[1]) if length else 0)
            if len(self._pending) < whole:
                return
            body = bytes(self._pending[end + 4 : whole])
            del self._pending[:whole]
            if (answer := frames.upgrade(head)) is not None:
                self._upgraded = True
                self._transport.write(answer)
                return
            path = head.split(b" ", 2)[1]
            if path.startswith(b"/send_"):
                self._take(at, body, _NOBODY)
            else:
                self._write(self._receiver.told(path))

    def _take_frames(self, at: float) -> None:
        for opcode, payload in frames.taken(self._pending):
            if opcode == frames.TEXT:
                echo = _ECHO.search(payload)
                assert echo is not None, "the gateway's frames end in their echo"
                if payload.startswith(b'{"action":"send_'):
                    self._take(at, payload, echo[1])
                else:
                    self._write(_WELL % echo[1])
            elif opcode == frames.PING:
                self._transport.write(frames.frame(frames.PONG, payload))
            elif opcode == frames.CLOSE:
                self._transport.write(frames.frame(frames.CLOSE, payload))
                self._transport.close()

    def _take(self, at: float, body: bytes, echo: bytes) -> None:
        receiver = self._receiver
        arrival = Arrival(at, body)
        receiver.arrivals.append(arrival)
        number = len(receiver.arrivals)
        if receiver.hanging and _group(body) in receiver.hanging:
            return
        if receiver.answer_s:
            self._loop.call_later(receiver.answer_s, self._answer, arrival, number, echo)
        else:
            self._answer(arrival, number, echo)

    def _answer(self, arrival: Arrival, number: int, echo: bytes) -> None:
        arrival.answered = time.monotonic()
        self._write(_ENVELOPE % (number, echo))

    def _write(self, body: bytes) -> None:
        if self._transport.is_closing():
            return
        if self._upgraded:
            self._transport.write(frames.frame(frames.TEXT, body))
        else:
            head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body)
            self._transport.write(head + body)


def _group(body: bytes) -> bytes:
    found = _GROUP.search(body)
    assert found is not None, "the measurements send to groups"
    return found[1]


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
