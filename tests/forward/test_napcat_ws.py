"""The WebSocket call against real sockets that do what servers, proxies and networks do."""

import asyncio
import base64
import hashlib
import json
import re
import socket as socketlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import WSMsgType, web

from gateway.forward import napcat_ws
from gateway.forward.answer import LARGEST_ANSWER
from gateway.forward.endpoint import QUESTIONS, websocket_address
from gateway.forward.napcat import napcat_of
from gateway.forward.napcat_http import NapCatHttp
from gateway.forward.napcat_ws import NapCatWs
from gateway.forward.rules import load_rules
from gateway.forward.verdict import judge
from gateway.model.errors import NotSent, SettingsInvalid
from gateway.model.part import Part
from gateway.model.verdict import Answer, Failure
from gateway.settings import Account
from tests.world import until

BODY = b'{"group_id":"1","message":[{"type":"text","data":{"text":"\\u4f60\\u597d \\"\\\\\\n"}}],"timeout":300}'
PART = Part("send_group_msg", BODY, 60, 20, "", nodes=False)
PATIENT = PART._replace(timeout_ms=30_000)
REFUSAL = {"status": "failed", "retcode": 1403, "data": None, "message": "token验证失败", "echo": None}

Socket = web.WebSocketResponse
Talk = Callable[[Socket, dict[str, Any]], Awaitable[object]]
Raw = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Peer:
    """A WebSocket server that does as told with each frame it has read, and remembers what it read."""

    def __init__(self, talk: Talk) -> None:
        self.talk = talk
        self.connections: list[Socket] = []
        self.requests: list[web.Request] = []
        self.frames: list[str] = []
        self.port = 0

    async def hold(self, request: web.Request) -> Socket:
        # aiohttp's own pongs hide nothing here: no test waits for a heartbeat of this peer
        socket = Socket(max_msg_size=2**25)
        await socket.prepare(request)
        self.requests.append(request)
        self.connections.append(socket)
        async for message in socket:
            if message.type is WSMsgType.TEXT:
                self.frames.append(message.data)
                await self.talk(socket, json.loads(message.data))
        return socket

    def abort(self) -> None:
        transport = self.requests[-1].transport
        assert transport is not None
        transport.abort()


@asynccontextmanager
async def listening(talk: Talk) -> AsyncIterator[Peer]:
    peer = Peer(talk)
    app = web.Application()
    app.router.add_get("/{path:.*}", peer.hold)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.01)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    peer.port = runner.addresses[0][1]
    try:
        yield peer
    finally:
        await runner.cleanup()


@asynccontextmanager
async def speaking(serve: Raw) -> AsyncIterator[int]:
    """Yield the port of a server that speaks for itself, byte by byte."""
    connections: set[asyncio.Task[None]] = set()

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        connections.add(task)
        try:
            await serve(reader, writer)
        except (asyncio.IncompleteReadError, OSError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for task in connections:
            task.cancel()
        await asyncio.gather(*connections, return_exceptions=True)


async def upgraded(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    key = re.search(r"Sec-WebSocket-Key: (\S+)", head, re.IGNORECASE)
    assert key is not None
    digest = hashlib.sha1(f"{key[1]}258EAFA5-E914-47DA-95CA-C5AB0DC85B11".encode()).digest()
    accept = base64.b64encode(digest).decode()
    lines = ["HTTP/1.1 101 Switching Protocols", "Upgrade: websocket", "Connection: Upgrade"]
    writer.write("\r\n".join([*lines, f"Sec-WebSocket-Accept: {accept}", "", ""]).encode())
    await writer.drain()


def napcat(port: int, scheme: str = "ws", path: str = "", token: str = "", max_in_flight: int = 8) -> NapCatWs:
    return NapCatWs(
        f"{scheme}://127.0.0.1:{port}{path}", token, slack_ms=20, max_in_flight=max_in_flight, connect_ms=150
    )


def ok(call: dict[str, Any], message_id: int = 7) -> dict[str, Any]:
    return {"status": "ok", "retcode": 0, "data": {"message_id": message_id}, "message": "", "echo": call["echo"]}


async def deliver(socket: Socket, call: dict[str, Any]) -> None:
    await socket.send_json(ok(call))


async def ignore(_: Socket, __: dict[str, Any]) -> None:
    pass


def rule_of(answer: Answer) -> str:
    return judge(answer, load_rules(())).rule.name


async def test_a_delivered_message() -> None:
    async with listening(deliver) as peer, napcat(peer.port) as client:
        got = await client.call(PART)
    assert got == Answer(transport="ws", status="ok", retcode=0, message_id=7)
    assert rule_of(got) == "delivered"


async def test_the_stored_bytes_leave_unchanged_with_the_token_in_its_header_only() -> None:
    async with listening(deliver) as peer, napcat(peer.port, path="/qq/one/", token="s3cret") as client:
        await client.call(PART)
        await client.call(PART)
    frames = [f'{{"action":"send_group_msg","params":{BODY.decode()},"echo":"{echo}"}}' for echo in (1, 2)]
    assert peer.frames == frames
    [request] = peer.requests
    assert request.path_qs == "/qq/one/api"
    assert request.headers["Authorization"] == "Bearer s3cret"
    assert json.loads(peer.frames[0])["params"]["message"][0]["data"]["text"] == '你好 "\\\n'


async def test_without_a_token_there_is_no_authorization() -> None:
    async with listening(deliver) as peer, napcat(peer.port) as client:
        await client.call(PART)
    assert "Authorization" not in peer.requests[0].headers


@pytest.mark.parametrize(
    ("endpoint", "address"),
    [
        ("ws://napcat:3001", "ws://napcat:3001/api"),
        ("http://napcat:3001/", "ws://napcat:3001/api"),
        ("https://napcat/qq", "wss://napcat/qq/api"),
        ("wss://napcat/qq/api", "wss://napcat/qq/api"),
        ("ws://napcat/api/", "ws://napcat/api"),
        ("ws://api", "ws://api/api"),
    ],
)
def test_every_endpoint_leads_to_the_path_that_has_no_events(endpoint: str, address: str) -> None:
    assert websocket_address(endpoint) == address


async def test_environment_proxies_are_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.setenv("ws_proxy", "http://127.0.0.1:9")
    async with listening(deliver) as peer, napcat(peer.port, scheme="http") as client:
        assert (await client.call(PART)).message_id == 7


async def test_a_large_body_goes_out_whole_and_holds_up_no_other_call() -> None:
    body = b'{"x":"' + b"x" * 5 * 2**20 + b'"}'
    async with listening(deliver) as peer, napcat(peer.port) as client:
        large = asyncio.create_task(client.call(PATIENT._replace(body=body)))
        assert (await client.call(PATIENT)).message_id == 7
        assert (await large).message_id == 7
    assert json.loads(max(peer.frames, key=len))["params"] == json.loads(body)


async def test_a_question_brings_its_data() -> None:
    async def talk(socket: Socket, call: dict[str, Any]) -> None:
        await socket.send_json({**ok(call), "data": call["params"]})

    async with listening(talk) as peer, napcat(peer.port) as client:
        answer, data = await client.ask("get_status", {"\u95ee": 1}, 500)
    assert (answer.status, data) == ("ok", {"\u95ee": 1})
    assert json.loads(peer.frames[0])["action"] == "get_status"


async def test_words_and_codes_of_a_failure_are_read_and_a_forward_is_marked() -> None:
    async def talk(socket: Socket, call: dict[str, Any]) -> None:
        said = {"status": "failed", "retcode": 1200, "data": None, "message": "消息体无法解析", "wording": ""}
        await socket.send_json({**said, "echo": call["echo"]})

    async with listening(talk) as peer, napcat(peer.port) as client:
        got = await client.call(PART._replace(nodes=True))
    assert got == Answer(transport="ws", status="failed", retcode=1200, text="消息体无法解析", nodes=True)
    assert rule_of(got) == "forward_maybe_sent"


@pytest.mark.parametrize(("transport", "kind"), [("http", NapCatHttp), ("ws", NapCatWs)])
async def test_an_account_gets_the_client_it_asks_for(transport: str, kind: type) -> None:
    fields = {"name": "main", "endpoint": "http://127.0.0.1:3000", "transport": transport}
    async with napcat_of(Account.model_validate(fields), 20) as client:
        assert type(client) is kind


# One connection for all


async def test_answers_find_their_callers_in_any_order() -> None:
    calls: list[dict[str, Any]] = []

    async def talk(socket: Socket, call: dict[str, Any]) -> None:
        calls.append(call)
        if len(calls) == 8:
            for each in reversed(calls):
                await socket.send_json(ok(each, int(each["params"]["n"])))

    async with listening(talk) as peer, napcat(peer.port) as client:
        parts = [PATIENT._replace(body=b'{"n":%d}' % number) for number in range(8)]
        answers = await asyncio.gather(*(client.call(part) for part in parts))
    assert [answer.message_id for answer in answers] == list(range(8))
    assert len(peer.connections) == 1


async def test_who_gives_up_while_connecting_leaves_the_connection_to_the_others() -> None:
    async with listening(deliver) as peer, napcat(peer.port) as client:
        first, second = (asyncio.create_task(client.call(PART)) for _ in range(2))
        await asyncio.sleep(0)
        first.cancel()
        assert (await second).message_id == 7
        assert first.cancelled()
    assert (len(peer.connections), len(peer.frames)) == (1, 1)


async def test_who_gives_up_waiting_takes_nothing_from_the_others() -> None:
    async def talk(socket: Socket, call: dict[str, Any]) -> None:
        if len(peer.frames) == 3:
            for echo in "123":
                await socket.send_json(ok({"echo": echo}))

    async with listening(talk) as peer, napcat(peer.port) as client:
        first, second = (asyncio.create_task(client.call(PATIENT)) for _ in range(2))
        await until(lambda: len(peer.frames) == 2)
        first.cancel()
        assert (await client.call(PATIENT)).message_id == 7
        assert (await second).message_id == 7
        assert client.ignored == {"late": 1}


async def test_after_a_drop_the_next_call_connects_again() -> None:
    async with listening(deliver) as peer, napcat(peer.port) as client:
        await client.call(PART)
        peer.abort()
        await until(lambda: client._connection and client._connection.ended)
        assert (await client.call(PART)).message_id == 7
    assert (len(peer.connections), len(peer.frames)) == (2, 2)


async def test_no_more_calls_are_under_way_than_agreed() -> None:
    async with listening(ignore) as peer, napcat(peer.port, max_in_flight=1) as client:
        # One call, and the turns that are there for questions.
        others = [asyncio.create_task(client.call(PATIENT)) for _ in range(1 + QUESTIONS)]
        await until(lambda: len(peer.frames) == 1 + QUESTIONS)
        got = await client.call(PART)
        assert (got.error, rule_of(got)) == ("pool", "crowded")
        for call in others:
            call.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        assert (await client.call(PART)).error == "timeout"
    assert len(peer.frames) == 2 + QUESTIONS


# What surely never left


async def test_nobody_listens() -> None:
    with socketlib.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        async with napcat(taken.getsockname()[1]) as client:
            got = await client.call(PART)
    assert (got.transport, got.error, got.http_status) == ("ws", "refused", None)
    assert "127.0.0.1" not in got.text


@pytest.mark.parametrize("error", [socketlib.gaierror(socketlib.EAI_NONAME, "unknown"), UnicodeError("label too long")])
async def test_the_name_does_not_resolve(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    async def resolve(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", resolve)
    async with NapCatWs("ws://does-not-exist.invalid", "", 20, 1) as client:
        assert (await client.call(PART)).error == "dns"


async def test_the_address_is_none() -> None:
    async with NapCatWs("ws://127.1", "", 20, 1) as client:
        assert (await client.call(PART)).error == "bad_endpoint"


async def test_tls_to_a_server_that_speaks_none() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(100)
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    async with speaking(serve) as port, napcat(port, scheme="wss") as client:
        assert (await client.call(PART)).error == "tls"


async def test_a_server_that_hangs_up_within_the_tls_handshake() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(100)
        writer.transport.abort()

    async with speaking(serve) as port, napcat(port, scheme="wss") as client:
        assert (await client.call(PART)).error in {"refused", "tls"}


async def test_a_connection_that_does_not_come_about_in_time() -> None:
    async def serve(_: asyncio.StreamReader, __: asyncio.StreamWriter) -> None:
        await asyncio.Event().wait()

    async with speaking(serve) as port, napcat(port, scheme="https") as client:
        assert (await client.call(PART)).error == "connect_timeout"  # no byte of a handshake comes back


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nOK",
        b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 426 Upgrade Required\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 502 Bad Gateway\r\nContent-Type: text/html\r\n\r\n<html>502",
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\n\r\n",
        b"<html>hello</html>\r\n\r\n",
        b"SSH-2.0-OpenSSH_9.6\r\n\r\n",
        b"HTTP/1.1 101 Switch",
        b"",
    ],
    ids=lambda answer: repr(answer[:36]),
)
async def test_what_answers_speaks_no_websocket(answer: bytes) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        await writer.drain()

    async with speaking(serve) as port, napcat(port) as client:
        got = await client.call(PART)
    assert (got.transport, got.error, got.http_status, rule_of(got)) == ("ws", "handshake", None, "not_connected")


async def test_the_status_that_came_instead_of_a_websocket_is_told() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n")
        await reader.read()

    async with speaking(serve) as port, napcat(port) as client:
        assert (await client.call(PART)).text == "no WebSocket connection to the endpoint (HTTP 503)"


async def test_an_upgrade_that_is_never_answered_ends_in_time() -> None:
    async def serve(_: asyncio.StreamReader, __: asyncio.StreamWriter) -> None:
        await asyncio.Event().wait()

    async with speaking(serve) as port, napcat(port) as client:
        assert (await client.call(PART)).error == "handshake"


@pytest.mark.parametrize("status", [401, 403])
async def test_an_upgrade_that_is_forbidden_is_a_wrong_token(status: int) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 %d No\r\nContent-Length: 0\r\n\r\n" % status)
        await reader.read()

    async with speaking(serve) as port, napcat(port, token="wrong") as client:
        got = await client.call(PART)
    assert (got.transport, got.error, got.http_status, rule_of(got)) == ("ws", None, status, "bad_token")


async def test_a_redirect_is_not_followed() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 302 Found\r\nLocation: ws://127.0.0.1:%d/api\r\n\r\n" % peer.port)
        await reader.read()

    async with listening(deliver) as peer, speaking(serve) as port, napcat(port, token="s3cret") as client:
        assert (await client.call(PART)).error == "handshake"
        assert peer.requests == []


async def test_calls_that_shared_an_attempt_share_its_failure() -> None:
    attempts = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal attempts
        attempts += 1
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")

    async with speaking(serve) as port, napcat(port) as client:
        answers = await asyncio.gather(*(client.call(PART) for _ in range(5)))
    assert {answer.error for answer in answers} == {"handshake"}
    assert attempts == 1


async def test_a_call_whose_time_to_start_is_over_writes_no_frame() -> None:
    def too_late() -> bool:
        connected.append(len(peer.connections))
        return False

    connected: list[int] = []
    async with listening(deliver) as peer, napcat(peer.port, max_in_flight=1) as client:
        with pytest.raises(NotSent):
            await client.call(PART, too_late)
        assert connected == [1]
        assert (await client.call(PART)).message_id == 7
    assert len(peer.frames) == 1


# A token that is refused


async def test_a_token_refused_after_the_upgrade_is_told_to_every_call_of_the_connection() -> None:
    async def talk(socket: Socket, _: dict[str, Any]) -> None:
        if len(peer.frames) == 3:
            await socket.send_json(REFUSAL)
            await socket.close()

    async with listening(talk) as peer, napcat(peer.port) as client:
        answers = await asyncio.gather(*(client.call(PATIENT) for _ in range(3)))
    assert set(answers) == {Answer(transport="ws", status="failed", retcode=1403, text="token验证失败")}
    assert rule_of(answers[0]) == "bad_token"


async def test_a_token_refused_in_the_same_breath_as_the_upgrade_is_told() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await upgraded(reader, writer)
        said = json.dumps(REFUSAL).encode()
        writer.write(bytes([0x81, 126]) + len(said).to_bytes(2) + said + b"\x88\x00")  # a close without a code
        await reader.read()

    async with speaking(serve) as port, napcat(port) as client:
        for _ in range(2):
            assert (await client.call(PATIENT)).retcode == 1403


async def test_a_connection_that_has_served_is_not_believed_to_have_read_nothing() -> None:
    async def talk(socket: Socket, call: dict[str, Any]) -> None:
        if len(peer.frames) == 1:
            return await deliver(socket, call)
        await socket.send_json(REFUSAL)
        await socket.close()
        return None

    async with listening(talk) as peer, napcat(peer.port) as client:
        await client.call(PART)
        assert (await client.call(PATIENT)).error == "reset"


# What may have arrived


async def test_no_answer_ends_in_time_and_the_connection_stays() -> None:
    async def talk(socket: Socket, call: dict[str, Any]) -> None:
        if len(peer.frames) == 2:
            await socket.send_json(ok({"echo": "1"}, 1))  # too late: its caller has gone
            await socket.send_json(ok(call, 2))

    async with listening(talk) as peer, napcat(peer.port) as client:
        got = await client.call(PART)
        assert (got.error, rule_of(got)) == ("timeout", "no_answer")
        assert (await client.call(PATIENT)).message_id == 2
        assert client.ignored == {"late": 1}
    assert len(peer.connections) == 1


async def _abort(socket: Socket, _: dict[str, Any]) -> None:
    connection: socketlib.socket = socket.get_extra_info("socket")
    connection.shutdown(socketlib.SHUT_RDWR)


async def _close(socket: Socket, _: dict[str, Any]) -> None:
    await socket.close(code=1001)


async def _ping_and_abort(socket: Socket, call: dict[str, Any]) -> None:
    await socket.ping()
    await _abort(socket, call)


@pytest.mark.parametrize("talk", [_abort, _close, _ping_and_abort])
async def test_a_connection_lost_with_calls_under_way(talk: Talk) -> None:
    async def when_all_are_there(socket: Socket, call: dict[str, Any]) -> None:
        if len(peer.frames) == 3:
            await talk(socket, call)

    async with listening(when_all_are_there) as peer, napcat(peer.port) as client:
        answers = await asyncio.gather(*(client.call(PATIENT) for _ in range(3)))
    assert {answer.error for answer in answers} == {"reset"}
    assert rule_of(answers[0]) == "no_answer"
    assert len(peer.frames) == 3


async def test_an_answer_that_came_before_the_drop_is_kept() -> None:
    async def talk(socket: Socket, call: dict[str, Any]) -> None:
        if len(peer.frames) == 2:
            await deliver(socket, call)
            await _close(socket, call)

    async with listening(talk) as peer, napcat(peer.port) as client:
        first, second = await asyncio.gather(client.call(PATIENT), client.call(PATIENT))
    assert (first.error, second.message_id) == ("reset", 7)


async def test_a_close_without_a_code_ends_the_calls_at_once() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await upgraded(reader, writer)
        await reader.readexactly(6)
        writer.write(b"\x88\x00")
        await asyncio.Event().wait()  # and the connection is left open

    async with speaking(serve) as port, napcat(port) as client, asyncio.timeout(10):
        assert (await client.call(PATIENT)).error == "reset"


async def test_a_peer_that_gives_no_sign_of_life_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await upgraded(reader, writer)
        await reader.read()

    monkeypatch.setattr(napcat_ws, "_HEARTBEAT_S", 0.05)
    async with speaking(serve) as port, napcat(port) as client, asyncio.timeout(10):
        assert (await client.call(PATIENT)).error == "reset"


async def test_a_peer_that_takes_nothing_is_left_and_the_rest_never_sent() -> None:
    connections: list[asyncio.StreamReader] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await upgraded(reader, writer)
        connections.append(reader)
        await asyncio.Event().wait()

    async with speaking(serve) as port, napcat(port) as client:
        large = PART._replace(body=b'"' + b"x" * 8 * 2**20 + b'"', timeout_ms=200)
        behind = asyncio.create_task(client.call(PATIENT))
        assert (await client.call(large)).error == "timeout"
        assert (await behind).error == "reset"
        assert (await client.call(PART)).error == "timeout"  # over a new connection
    assert len(connections) == 2
    received = 0
    while chunk := await connections[0].read(2**20):
        received += len(chunk)
    assert received < 8 * 2**20


async def test_closing_the_client_ends_its_calls() -> None:
    async with listening(ignore) as peer:
        client = napcat(peer.port, max_in_flight=1)
        *written, waiting = (asyncio.create_task(client.call(PATIENT)) for _ in range(2 + QUESTIONS))
        await until(lambda: len(peer.frames) == 1 + QUESTIONS)
        await client.close()
        assert {(await call).error for call in written} == {"reset"}
        assert (await waiting).error == "refused"
        assert (await client.call(PART)).error == "refused"
        assert len(peer.frames) == 1 + QUESTIONS


async def test_closing_the_client_ends_the_calls_that_wait_for_a_connection() -> None:
    async def serve(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        asked.set()
        await reader.read()

    asked = asyncio.Event()
    async with speaking(serve) as port:
        client = napcat(port)
        call = asyncio.create_task(client.call(PATIENT))
        await asked.wait()
        await client.close()
        assert (await call).error == "refused"


async def test_a_client_that_never_called_closes() -> None:
    async with napcat(9):
        pass


# Frames that are no answer


@pytest.mark.parametrize(
    ("frame", "why"),
    [
        ("", "no_echo"),
        ("hello", "no_echo"),
        ("<html>", "no_echo"),
        ("[" * 100_000, "no_echo"),
        ("null", "no_echo"),
        ('"1"', "no_echo"),
        ("{}", "no_echo"),
        ('{"echo":1}', "no_echo"),
        ('{"echo":null,"status":"failed","retcode":1400}', "no_echo"),
        ('{"echo":{"a":[1]},"status":"ok","retcode":0}', "no_echo"),
        ('{"echo":"99","status":"ok","retcode":0}', "late"),
        ('{"echo":"99"}', "late"),
        ('{"echo":"1","status":"ok","retcode":1' + "0" * 5000 + "}", "no_echo"),
        ('{"time":1,"post_type":"meta_event","meta_event_type":"heartbeat","status":{"online":true}}', "no_echo"),
        (b"\xff\xfe{", "no_echo"),
        (b"", "binary"),
    ],
    ids=lambda value: repr(value[:36]),
)
async def test_a_frame_that_answers_nobody_is_ignored(frame: str | bytes, why: str) -> None:
    async def talk(socket: Socket, call: dict[str, Any]) -> None:
        raw = frame.encode() if isinstance(frame, str) else frame
        await socket.send_frame(raw, WSMsgType.BINARY if why == "binary" else WSMsgType.TEXT)
        await deliver(socket, call)

    async with listening(talk) as peer, napcat(peer.port) as client:
        assert (await client.call(PATIENT)).message_id == 7
        assert (await client.call(PATIENT)).message_id == 7
        assert client.ignored == {why: 2}
    assert len(peer.connections) == 1


@pytest.mark.parametrize(
    "body",
    [
        "{}",
        '{"retcode":0}',
        '{"status":"ok","retcode":"0"}',
        '{"status":"ok","retcode":true}',
        '{"status":1,"retcode":0}',
        '{"status":"ok","retcode":0,"message":{}}',
        '{"status":"ok","retcode":1' + "0" * 50 + "}",
        '{"status":"ok","retcode":0,"message":"' + "x" * LARGEST_ANSWER + '"}',
    ],
    ids=lambda body: repr(body[:36]),
)
async def test_an_answer_that_is_no_envelope(body: str) -> None:
    async def talk(socket: Socket, call: dict[str, Any]) -> None:
        if call["action"] == "get_status":
            return await deliver(socket, call)
        separator = "" if body == "{}" else ","
        await socket.send_str(f'{body[:-1]}{separator}"echo":"{call["echo"]}"}}')
        return None

    async with listening(talk) as peer, napcat(peer.port) as client:
        got = await client.call(PATIENT)
        assert (got.transport, got.error, got.retcode, rule_of(got)) == ("ws", "unparsable", None, "unreadable_answer")
        assert 0 < len(got.text) <= 2_000
        assert (await client.ask("get_status", {}, 1_000)).answer.status == "ok"
    assert len(peer.connections) == 1


@pytest.mark.parametrize(
    "said",
    [
        bytes([0x81, 127]) + (16 * 2**20 + 1).to_bytes(8),  # the head of a frame above 16 MiB
        bytes([0x81, 127]) + (2**63).to_bytes(8),
        b"\xf1\x00",  # reserved bits
        b"\x83\x00",  # an opcode that is none
        b"HTTP/1.1 500 Internal Server Error\r\n\r\n",
    ],
    ids=repr,
)
async def test_what_is_no_frame_ends_the_connection(said: bytes) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await upgraded(reader, writer)
        await reader.readexactly(6)
        writer.write(said)
        await reader.read()

    async with speaking(serve) as port, napcat(port) as client, asyncio.timeout(10):
        assert (await client.call(PATIENT)).error == "reset"


async def test_an_answer_in_fragments_between_pings_is_whole() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await upgraded(reader, writer)
        await reader.readexactly(6)
        said = json.dumps(ok({"echo": "1"})).encode()
        for piece in (b"\x01\x05" + said[:5], b"\x89\x00", bytes([0x80, len(said) - 5]) + said[5:]):
            writer.write(piece)
            await writer.drain()
        await reader.read()

    async with speaking(serve) as port, napcat(port) as client:
        assert (await client.call(PATIENT)).message_id == 7


@pytest.mark.parametrize("status", ["ok", "failed", "async"])
async def test_only_an_ok_with_a_message_id_is_delivered(status: str) -> None:
    async def talk(socket: Socket, call: dict[str, Any]) -> None:
        await socket.send_json({"status": status, "retcode": 0, "data": {"message_id": "7"}, "echo": call["echo"]})

    async with listening(talk) as peer, napcat(peer.port) as client:
        got = await client.call(PATIENT)
    assert (got.status, got.message_id) == (status, None)
    assert rule_of(got) != "delivered"


@pytest.mark.parametrize(
    ("endpoint", "token", "key"),
    [
        ("ws://127.0.0.1:99999", "", "endpoint"),
        ("ws://[::1", "", "endpoint"),
        ("ftp://127.0.0.1", "", "endpoint"),
        ("ws://me:pw@127.0.0.1", "s3cret", "endpoint"),
        ("ws://127.0.0.1", "s3cret\n", "token"),
    ],
)
async def test_what_cannot_work_is_refused_without_repeating_secrets(endpoint: str, token: str, key: str) -> None:
    with pytest.raises(SettingsInvalid, match=f"^{key}: ") as refused:
        NapCatWs(endpoint, token, 20, 1)
    assert "s3cret" not in str(refused.value)


@pytest.mark.parametrize("error", ["dns", "refused", "connect_timeout", "tls", "bad_endpoint", "handshake"])
def test_what_never_left_is_safe_to_repeat(error: Failure) -> None:
    assert rule_of(Answer(transport="ws", error=error)) == "not_connected"
