"""The NapCat call over HTTP.

What went wrong decides whether a message may be sent again, so every failure is named by what it proves:

  surely not sent  `bad_endpoint`, `dns`, `refused`, `connect_timeout`, `tls`, `pool`: there was no connection
  may be sent      `timeout`, `reset`: there was one, if only a reused one that was just being closed
  may be sent      `unparsable`: a 2xx answer that is no OneBot envelope

Nothing is repeated here: aiohttp itself retries a lost keep-alive connection for idempotent methods only, and
every call is a POST.
"""

import asyncio
from collections.abc import Callable
from typing import cast

import aiohttp
from aiohttp.abc import AbstractStreamWriter

from gateway.forward.answer import LARGEST_ANSWER, Reply, read_answer
from gateway.forward.deadlines import Deadlines
from gateway.forward.endpoint import QUESTIONS, check_endpoint, session
from gateway.forward.failure import failure_of
from gateway.forward.napcat import NapCat
from gateway.model.errors import NotSent
from gateway.model.verdict import Failure
from gateway.web.retry_after import retry_after as retry_after_of

_IDLE_S = 3.5  # NapCat's server closes idle sockets after 5 s; one that is just closing turns a send into `reset`
_CHUNK = 2**20  # more than this in one write would hold up the loop


class NapCatHttp(NapCat):
    """The calls to one NapCat: `max_in_flight` at a time, and a few questions beside them.

    endpoint    address of NapCat's HTTP server, a path prefix included
    token       sent as a Bearer header only, never in the URL (NapCat would prefer it there, and log it)
    slack_ms    how much longer than NapCat this side waits
    connect_ms  how long a connection may take to come about

    To be built inside a running event loop. Raises `SettingsInvalid` when endpoint or token cannot be used.
    """

    def __init__(
        self, endpoint: str, token: str, slack_ms: int, max_in_flight: int, *, connect_ms: int = 3_000
    ) -> None:
        """Make no connection yet."""
        super().__init__(slack_ms)
        check_endpoint(endpoint, token)
        self._endpoint = endpoint.rstrip("/")
        self._connect_s = connect_ms / 1000
        self._limit = max_in_flight + QUESTIONS
        self._in_flight = 0
        self._loop = asyncio.get_running_loop()
        self._deadlines = Deadlines()
        self._session = session(
            token,
            headers={"Content-Type": "application/json", "Accept-Encoding": "identity"},
            connector=aiohttp.TCPConnector(limit=self._limit, keepalive_timeout=_IDLE_S),
            timeout=aiohttp.ClientTimeout(total=None, connect=self._connect_s),
        )

    @property
    def unbroken(self) -> bool:
        """Connections come and go; they tell nothing."""
        return True

    async def close(self) -> None:
        """Close every connection; a call that is still waiting ends as `reset`."""
        await self._session.close()

    async def _exchange(self, action: str, params: bytes, read_s: float, may_start: Callable[[], bool]) -> Reply:
        """Post PARAMS, and give NapCat READ_S from the end of the request to each next byte of its answer.

        The whole call takes no longer than that and `connect_ms`, however slowly the answer drips in.
        """
        until = self._loop.time() + self._connect_s + read_s
        call = cast("asyncio.Task[object]", asyncio.current_task())

        def listen() -> None:
            self._deadlines.put(call, min(until, self._loop.time() + read_s))

        body = _Body(params, may_start, listen)
        status: int | None = None
        retry_after: int | None = None
        received = bytearray()
        failure: Failure | None = None
        self._in_flight += 1
        self._deadlines.put(call, until)
        try:
            async with await self._session.post(
                f"{self._endpoint}/{action}", data=body, allow_redirects=False
            ) as response:
                status = response.status
                retry_after = retry_after_of(response.headers)
                while not response.content.at_eof():
                    listen()
                    received += await response.content.readany()
                    if len(received) > LARGEST_ANSWER:
                        response.close()
                        break
        except (aiohttp.ClientError, OSError, UnicodeError) as error:
            failure = failure_of(error, crowded=self._in_flight > self._limit)
        except asyncio.CancelledError:
            if not self._deadlines.lift(call):
                raise
            failure = "timeout"
        finally:
            self._in_flight -= 1
            self._deadlines.lift(call)
        if body.withheld:
            raise NotSent("the claim's time to start was over")
        return read_answer(status, bytes(received), failure, retry_after)


class _Body(aiohttp.Payload):
    """A request body that asks once more, before its first byte, whether it may leave, and tells when it has SENT all.

    NapCat acts on nothing before the whole body has come, so a withheld one is surely not sent (NapCat 4.18
    http-server.ts; measured: a body shorter than its Content-Length sends nothing).
    """

    def __init__(self, value: bytes, may_start: Callable[[], bool], sent: Callable[[], None]) -> None:
        super().__init__(value, content_type="application/json")
        self._size = len(value)
        self._may_start = may_start
        self._sent = sent
        self.withheld = False

    def decode(self, encoding: str = "utf-8", errors: str = "strict") -> str:
        return bytes(self._value).decode(encoding, errors)

    async def write(self, writer: AbstractStreamWriter) -> None:
        await self.write_with_length(writer, None)

    async def write_with_length(self, writer: AbstractStreamWriter, content_length: int | None) -> None:
        if not self._may_start():
            self.withheld = True
            raise ConnectionAbortedError("withheld")
        for start in range(0, len(self._value), _CHUNK):
            await writer.write(self._value[start : start + _CHUNK])
        self._sent()
