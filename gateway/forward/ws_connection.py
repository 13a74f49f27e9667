"""One WebSocket connection to NapCat: frames out, answers in, and who waits for which."""

import asyncio
from collections import Counter
from contextlib import suppress
from typing import Literal

import aiohttp

from gateway.forward.answer import Reply, read_answer, read_frame
from gateway.model.verdict import Failure

_REFUSED = frozenset({1401, 1403})
_HEAD = 14  # the most bytes a frame's own header takes
_UNBOUNDED = 2**30  # more does not fit into uvloop

Socket = aiohttp.ClientWebSocketResponse[Literal[False]]


class Connection:
    """An open connection: every call gets exactly one reply, at its answer, its time, or the connection's end.

    ignored  counts the frames that are nobody's answer, by why: `binary`, `no_echo` (no JSON, or an event), `late`
             (the call they answer has ended)
    """

    def __init__(self, socket: Socket, transport: asyncio.Transport, ignored: Counter[str]) -> None:
        """Take an open SOCKET and its TRANSPORT, and read it until it ends."""
        self.ended: Reply | None = None
        self._socket = socket
        self._transport = transport
        self._ignored = ignored
        self._waiting: dict[str, asyncio.Future[Reply]] = {}
        self._written = 0
        self._answered = False
        # aiohttp lets all writers of a connection wait for one shared future, which a cancelled one takes from the
        # others; so writing never waits. What may pile up is bounded by the calls in flight and their times.
        transport.set_write_buffer_limits(high=_UNBOUNDED)
        self._reading = asyncio.create_task(self._read(), name="napcat_ws read")

    async def exchange(self, echo: str, frame: bytes, seconds: float) -> Reply:
        """Write a FRAME that carries ECHO and return what came of it within SECONDS.

        On a connection that has ended the frame is not written: `refused`, or what refused the connection.
        """
        if self.ended is not None:
            return self.ended if self.ended.answer.error is None else failed("refused")
        if self._transport.is_closing():  # and whoever reads has not been told yet
            return failed("refused")
        loop = asyncio.get_running_loop()
        waiting: asyncio.Future[Reply] = loop.create_future()
        self._waiting[echo] = waiting
        self._written += len(frame) + _HEAD
        timer = loop.call_later(seconds, self._expire, echo, self._written)
        try:
            await self._socket.send_frame(frame, aiohttp.WSMsgType.TEXT)
            return await waiting
        except (aiohttp.ClientError, OSError):
            return failed("reset")
        finally:
            timer.cancel()
            del self._waiting[echo]

    async def close(self) -> None:
        """End it; who still waits gets `reset`."""
        self._end(failed("reset"))
        await self._socket.close()
        await self._reading

    def _expire(self, echo: str, position: int) -> None:
        """Give up a call; when its frame is still not gone, nothing behind it could go: end the connection.

        Over TLS the loop does not tell what is not gone yet; there the heartbeat ends such a connection.
        """
        _resolve(self._waiting[echo], failed("timeout"))
        if self._transport.get_write_buffer_size() > self._written - position:
            self._transport.abort()

    async def _read(self) -> None:
        ended = failed("reset")
        try:
            # answering a ping raises when the connection is just being lost
            with suppress(aiohttp.ClientError, OSError):
                ended = await self._answers() or ended
        finally:
            self._end(ended)
            with suppress(aiohttp.ClientError, OSError):
                await self._socket.close()
            self._transport.abort()  # what was not sent by now must not be sent later

    async def _answers(self) -> Reply | None:
        """Take frames until there are no more, or until one refuses the connection: return that."""
        while True:
            message = await self._socket.receive()
            if message.type is aiohttp.WSMsgType.TEXT:
                if (refusal := self._take(message.data)) is not None:
                    return refusal
            elif message.type is aiohttp.WSMsgType.BINARY:
                self._ignored["binary"] += 1
            else:
                return None

    def _take(self, frame: bytes) -> Reply | None:
        """Hand an answer to who waits for it; return a refusal of the whole connection."""
        echo, reply = read_frame(frame)
        waiting = None if echo is None else self._waiting.get(echo)
        if waiting is not None:
            self._answered = True
            _resolve(waiting, reply)
        elif echo is None and reply.answer.retcode in _REFUSED and not self._answered:
            return reply
        else:
            self._ignored["no_echo" if echo is None else "late"] += 1
        return None

    def _end(self, reply: Reply) -> None:
        if self.ended is None:
            self.ended = reply
            for waiting in self._waiting.values():
                _resolve(waiting, reply)


def failed(failure: Failure) -> Reply:
    """Return the reply of a call that has no answer."""
    return read_answer(None, b"", failure, transport="ws")


def _resolve(waiting: asyncio.Future[Reply], reply: Reply) -> None:
    if not waiting.done():
        waiting.set_result(reply)
