"""Listening to an account's events over WebSocket: one replica at a time, reconnecting for ever."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Literal, Self

import aiohttp
from aiohttp import WSCloseCode, WSMsgType
from pydantic import BaseModel, ConfigDict, ValidationError

from gateway.clock import Clock
from gateway.forward.endpoint import events_address, session
from gateway.forward.failure import words
from gateway.model.errors import StoreRefuses, StoreUnavailable
from gateway.model.listening import Listening
from gateway.settings import Account
from gateway.store.scripts.processes import ProcessScripts
from gateway.supervise import end
from gateway.telemetry import Event, Log

LARGEST_FRAME = 2**20  # an event is text and addresses of media, never media
_CONNECT_S = 5.0
_CLOSE_S = 1.0  # how long a goodbye waits for the peer's
TOKEN_REFUSED = 1403  # NapCat takes the handshake, says this and closes (NapCat 4.18, websocket-server.ts)

Loss = Literal["not_connected", "token_refused", "frame_too_large", "silent", "closed", "lease_lost", "redis_lost"]


class Frame(BaseModel):
    """What tells an event from an answer."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    post_type: str = ""
    retcode: object = None

    @classmethod
    def read(cls, body: bytes) -> Self:
        """Return the head of a frame; one that is neither has nothing."""
        try:
            return cls.model_validate_json(body)
        except ValidationError:
            return cls()


class Listener:
    """Hands every event of one account to `take`, in order, while it holds the account's lease.

    take       acts on one event; the next one waits for it
    connected  is called after each connection, before its first event is taken
    pauses     seconds before the first new try, and the longest after doubling; they start over after a connection
               that lived longer than the next one would last
    lease_ms   how long a replica that died keeps others waiting; renewed five times as often, whatever the traffic
    silence_s  seconds without a byte after which the peer is asked whether it lives; it has half as long to answer
    frames     frames that were `taken` as events, `refused` by a full Redis, `ignored` (no events), or `too_large`

    A connection counts from its first event on: NapCat opens each with one (`lifecycle`), but refuses a token only
    after the handshake. Two listeners at once do no harm, as whatever follows from an event follows once.
    """

    def __init__(
        self,
        account: Account,
        take: Callable[[str, bytes], Awaitable[None]],
        connected: Callable[[], None],
        scripts: ProcessScripts,
        clock: Clock,
        *,
        pauses: tuple[float, float] = (1.0, 30.0),
        lease_ms: int = 5_000,
        silence_s: float = 20.0,
    ) -> None:
        """Make no connection yet."""
        self._account = account
        self._url = events_address(account)
        self._take = take
        self._connected = connected
        self._scripts = scripts
        self._clock = clock
        self._first_pause, self._longest_pause = pauses
        self._lease_ms = lease_ms
        self._renew_s = lease_ms / 5_000
        self._silence_s = silence_s
        self._holder = clock.token()
        self._told: set[Loss] = set()  # what the log says of the connection that is missing
        self._log = Log(account=account.name)
        self.frames: Counter[str] = Counter()
        self.state = Listening("standby", clock.epoch_ms(), clock.monotonic())

    async def run(self) -> None:
        """Wait for the lease, then listen, until cancelled; raises StoreUnavailable when Redis is lost."""
        try:
            while True:
                if await self._leased():
                    await self._listen()
                self._become("standby")
                await asyncio.sleep(self._renew_s)
        finally:
            self._become("standby")

    async def release(self) -> None:
        """Give the lease back, so that another replica takes over at once."""
        await self._scripts.lease("listener", self._account.name, self._holder, 0)

    async def _leased(self) -> bool:
        return await self._scripts.lease("listener", self._account.name, self._holder, self._lease_ms)

    async def _listen(self) -> None:
        """Hear events until the lease is lost."""
        self._told.clear()
        self._become("connecting")
        hearing = asyncio.create_task(self._hear(), name=f"hearing {self._account.name}")
        # Redis can fail both tasks; then only one error is raised, and asyncio would complain about the other.
        hearing.add_done_callback(lambda task: task.cancelled() or task.exception())
        try:
            while await self._leased():
                done, _ = await asyncio.wait({hearing}, timeout=self._renew_s)
                for task in done:
                    task.result()  # it only ends by an error
            self._cut("lease_lost", "another replica listens")
        except StoreUnavailable as error:
            self._cut("redis_lost", str(error))
            raise
        finally:
            await end({hearing})

    async def _hear(self) -> None:
        """Keep a connection, with growing pauses; raises what `take` and `connected` raise."""
        async with session(self._account.token.get_secret_value()) as client:
            pause = self._first_pause
            while True:
                reason, detail = await self._connect(client)
                if self.state.state == "connected" and self._clock.monotonic() - self.state.began > pause:
                    pause = self._first_pause
                self._lose(reason, detail)
                await asyncio.sleep(pause)
                pause = min(pause * 2, self._longest_pause)

    async def _connect(self, client: aiohttp.ClientSession) -> tuple[Loss, str]:
        """Connect, hear what comes, and return why nothing comes any more."""
        try:
            async with asyncio.timeout(_CONNECT_S):
                socket = await client.ws_connect(
                    self._url,
                    heartbeat=self._silence_s,
                    max_msg_size=LARGEST_FRAME,
                    timeout=aiohttp.ClientWSTimeout(ws_close=_CLOSE_S),
                )
        except aiohttp.WSServerHandshakeError as error:
            reason: Loss = "token_refused" if error.status in {401, 403} else "not_connected"
            return reason, f"{error.status}, and no WebSocket"
        # a ValueError: an address with a port or a name that cannot be
        except (aiohttp.ClientError, OSError, ValueError) as error:
            return "not_connected", words(error)
        self._become("connecting", "it took the connection and has sent no event yet")
        try:
            return await self._follow(socket)
        finally:
            await socket.close()

    async def _follow(self, socket: aiohttp.ClientWebSocketResponse) -> tuple[Loss, str]:
        """Take the events that come through SOCKET; return why no more will."""
        while True:
            frame = await _next(socket)
            if frame.type not in {WSMsgType.TEXT, WSMsgType.BINARY}:
                return self._loss(
                    frame.data if frame.type is WSMsgType.ERROR else socket.exception(), socket.close_code
                )
            body = frame.data.encode() if frame.type is WSMsgType.TEXT else b""
            head = Frame.read(body)
            if head.post_type:
                await self._event(body)
            elif head.retcode == TOKEN_REFUSED:
                return "token_refused", "NapCat takes another token than accounts[].token"
            else:
                self.frames["ignored"] += 1

    async def _event(self, body: bytes) -> None:
        if self.state.state != "connected":
            self._told.clear()
            self._become("connected")
            self._log.info(Event.EVENTS_CONNECTED)
            self._connected()
        try:
            await self._take(self._account.name, body)
            self.frames["taken"] += 1
        except StoreRefuses:  # Redis is full, which the status tells; the next event may need no room
            self.frames["refused"] += 1

    def _loss(self, error: BaseException | None, code: int | None) -> tuple[Loss, str]:
        match error:
            case aiohttp.WebSocketError(code=WSCloseCode.MESSAGE_TOO_BIG):
                self.frames["too_large"] += 1
                return "frame_too_large", f"a frame of more than {LARGEST_FRAME} bytes"
            case TimeoutError():
                return "silent", "no answer to a ping"
            case _:
                return "closed", words(error) if error else f"close code {code}"

    def _cut(self, reason: Loss, detail: str) -> None:
        """Tell that this side gives up the connection, if there is one."""
        if self.state.state == "connected":
            self._lose(reason, detail)

    def _lose(self, reason: Loss, detail: str) -> None:
        """Tell why there is no connection: once for each loss, and once that the token is refused."""
        self._become("connecting", f"{reason}: {detail}")
        if not self._told or (reason == "token_refused" and reason not in self._told):
            self._log.warning(Event.EVENTS_LOST, reason=reason, detail=detail)
        self._told.add(reason)

    def _become(self, state: Literal["connected", "connecting", "standby"], error: str = "") -> None:
        since, began = self.state.since, self.state.began
        if state != self.state.state:
            since, began = self._clock.epoch_ms(), self._clock.monotonic()
        self.state = Listening(state, since, began, error)


async def _next(socket: aiohttp.ClientWebSocketResponse) -> aiohttp.WSMessage:
    try:
        return await socket.receive()
    # raised where the answer to a ping meets a connection that is just lost
    except (aiohttp.ClientError, OSError) as error:
        return aiohttp.WSMessage(WSMsgType.ERROR, error, None)
