"""The NapCat call over WebSocket.

All calls of an account share one connection to NapCat's `/api` and are told apart by their echo; answers come in the
order of completion. What a call without an answer proves:

  surely not sent  `bad_endpoint`, `dns`, `refused`, `connect_timeout`, `tls`, `handshake`, `pool`: no frame was written
  surely not sent  an HTTP 401 or 403 to the upgrade, or a refusal (1403) as the first thing the connection says:
                   NapCat reads no frame of a connection it refuses (NapCat 4.18, websocket-server.ts)
  may be sent      `timeout`, `reset`: the frame was written, and its answer did not come
  may be sent      `unparsable`: its answer came, and is no OneBot envelope

Nothing is repeated here.
"""

import asyncio
import itertools
from collections import Counter
from collections.abc import Callable

import aiohttp

from gateway.forward.answer import Reply
from gateway.forward.endpoint import HTTP, QUESTIONS, check_endpoint, session, websocket_address
from gateway.forward.failure import unreached
from gateway.forward.napcat import NapCat
from gateway.forward.ws_connection import Connection, failed
from gateway.model.errors import NotSent
from gateway.model.verdict import Answer

_HEARTBEAT_S = 30.0  # between the signs of life asked for on an idle connection; a half-open one shows by their lack
_GOODBYE_S = 0.25  # how long the peer may take to answer our goodbye
_LARGEST_FRAME = 16 * 1024**2
_SCHEMES = HTTP | {"ws", "wss"}


class NapCatWs(NapCat):
    """The calls to one NapCat over one connection: `max_in_flight` at a time, and a few questions beside them.

    endpoint    address of NapCat's WebSocket server, a path prefix included; http:// means ws:// on the same port
    token       sent as a Bearer header only, never in the URL (NapCat would prefer it there, and log it)
    slack_ms    how much longer than NapCat this side waits
    connect_ms  how long a call may wait for its turn, and how long a connection, upgrade included, may take
    ignored     counts the frames that were nobody's answer, by why: `binary`, `no_echo`, `late`

    The connection comes about with the first call, and after it was lost with the next. To be built inside a running
    event loop. Raises `SettingsInvalid` when endpoint or token cannot be used.
    """

    def __init__(
        self, endpoint: str, token: str, slack_ms: int, max_in_flight: int, *, connect_ms: int = 3_000
    ) -> None:
        """Make no connection yet."""
        super().__init__(slack_ms)
        check_endpoint(endpoint, token, _SCHEMES)
        self.ignored: Counter[str] = Counter()
        self._address = websocket_address(endpoint)
        self._connect_s = connect_ms / 1000
        self._turns = asyncio.Semaphore(max_in_flight + QUESTIONS)
        self._echoes = itertools.count(1)
        self._connection: Connection | None = None
        self._connecting: asyncio.Task[Connection | Reply] | None = None
        self._closed = False
        self._reached = False
        self._transport: asyncio.Transport | None = None
        reaching = aiohttp.TraceConfig()
        reaching.on_connection_create_end.append(self._reach)
        self._session = session(
            token,
            connector=aiohttp.TCPConnector(limit=0),
            timeout=aiohttp.ClientTimeout(total=None),
            trace_configs=[reaching],
            middlewares=[self._upgrade],
        )

    @property
    def unbroken(self) -> bool:
        """Whether the connection is still the one of the last call."""
        return self._connection is not None and self._connection.ended is None

    async def close(self) -> None:
        """Close the connection; a call that is still waiting ends as `reset`, or `refused` when it was not written."""
        self._closed = True
        if self._connecting is not None:
            self._connecting.cancel()
            await asyncio.wait({self._connecting})
        if self._connection is not None:
            await self._connection.close()
        await self._session.close()

    async def _exchange(self, action: str, params: bytes, read_s: float, may_start: Callable[[], bool]) -> Reply:
        """Write PARAMS as a frame; an answer after READ_S is ignored, and the connection stays."""
        if not self._turns.locked():
            await self._turns.acquire()
        elif not await self._turn():
            return failed("pool")
        try:
            connection = self._connection
            if connection is None or connection.ended is not None:
                opened = await self._connected()
                if isinstance(opened, Reply):
                    return opened
                connection = opened
            if not may_start():
                raise NotSent("the claim's time to start was over")
            echo = str(next(self._echoes))
            return await connection.exchange(echo, frame(action, params, echo), read_s)
        finally:
            self._turns.release()

    async def _turn(self) -> bool:
        """Wait for a turn; return whether there was one in time."""
        try:
            async with asyncio.timeout(self._connect_s):
                return await self._turns.acquire()
        except TimeoutError:
            return False

    async def _connected(self) -> Connection | Reply:
        """Return a new connection, or what prevents one; all who need one wait for the same attempt."""
        if self._closed:
            return failed("refused")
        if self._connecting is None:
            self._connecting = asyncio.create_task(self._connect(), name="napcat_ws connect")
            self._connecting.add_done_callback(self._tried)
        attempt = self._connecting
        await asyncio.wait({attempt})  # who gives up waiting does not end it for the others
        return failed("refused") if attempt.cancelled() else attempt.result()

    def _tried(self, _: object) -> None:
        self._connecting = None

    async def _connect(self) -> Connection | Reply:
        self._reached, self._transport = False, None
        try:
            async with asyncio.timeout(self._connect_s):
                socket = await self._session.ws_connect(
                    self._address,
                    timeout=aiohttp.ClientWSTimeout(ws_close=_GOODBYE_S),
                    autoclose=False,  # it would keep the calls waiting for the end of the goodbye
                    heartbeat=_HEARTBEAT_S,
                    max_msg_size=_LARGEST_FRAME,
                    decode_text=False,
                )
        except aiohttp.WSServerHandshakeError as error:
            return _refusal(error.status)
        except TimeoutError:
            return failed("handshake" if self._reached else "connect_timeout")
        except (aiohttp.ClientError, OSError, UnicodeError) as error:
            return failed(unreached(error) or "handshake")
        if self._transport is None:
            return failed("handshake")
        self._connection = Connection(socket, self._transport, self.ignored)
        return self._connection

    async def _reach(self, *_: object) -> None:
        self._reached = True

    async def _upgrade(
        self, request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
    ) -> aiohttp.ClientResponse:
        """Take hold of the upgraded connection; follow no redirect, which aiohttp would, with our token."""
        response = await handler(request)
        if response.status != 101:
            response.close()
            raise aiohttp.WSServerHandshakeError(response.request_info, response.history, status=response.status)
        if response.connection is None or response.connection.transport is None:
            response.close()
            raise aiohttp.ServerDisconnectedError  # at once; aiohttp itself stumbles over it
        self._transport = response.connection.transport
        return response


def frame(action: str, params: bytes, echo: str) -> bytes:
    """Return the frame of a call: PARAMS is its JSON body as it is stored."""
    return b'{"action":"%b","params":%b,"echo":"%b"}' % (action.encode(), params, echo.encode())


def _refusal(status: int) -> Reply:
    """Return what an HTTP answer to the upgrade proves: a wrong token, or that there is no WebSocket."""
    reply = failed("handshake")
    text = f"{reply.answer.text} (HTTP {status})"
    if status in {401, 403}:
        return Reply(Answer("ws", http_status=status, text=text), None)
    return Reply(reply.answer._replace(text=text), None)
