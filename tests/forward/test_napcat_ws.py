"""What is WebSocket's own: one connection for all calls, and how it comes about, is refused and ends."""

import asyncio
import json
from typing import Any

import pytest

from gateway.forward.endpoint import QUESTIONS, websocket_address
from gateway.forward.rules import load_rules
from gateway.forward.verdict import judge
from gateway.model.errors import NotSent
from gateway.model.verdict import Answer
from tests.forward.peers import PART, PATIENT, speaking
from tests.forward.ws_peer import Socket, deliver, ignore, listening, napcat, ok, upgraded
from tests.world import until

REFUSAL = {"status": "failed", "retcode": 1403, "data": None, "message": "token验证失败", "echo": None}


def rule_of(answer: Answer) -> str:
    return judge(answer, load_rules(())).rule.name


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
