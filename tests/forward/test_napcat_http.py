"""The HTTP call against real sockets that do what servers, proxies and networks do."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from gateway.forward.answer import LARGEST_ANSWER
from gateway.forward.endpoint import QUESTIONS
from gateway.forward.napcat_http import NapCatHttp
from gateway.model.errors import NotSent, SettingsInvalid
from gateway.model.part import Part
from gateway.model.verdict import Answer, Failure
from tests.world import until

BODY = b'{"group_id":"1","message":[{"type":"text","data":{"text":"\\u4f60\\u597d"}}],"timeout":300}'
PART = Part("send_group_msg", BODY, 60, 20, "", nodes=False)
OK = b'{"status":"ok","retcode":0,"data":{"message_id":7},"message":"","wording":"","echo":"k3j9"}'

Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Peer:
    """A server that does as told with each request it has read, and remembers what it read."""

    def __init__(self, talk: Talk) -> None:
        self.talk = talk
        self.heads: list[str] = []
        self.bodies: list[bytes] = []
        self.asked = asyncio.Event()
        self.port = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while not writer.is_closing():
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                length = int(head.lower().split("content-length: ")[1].split("\r\n")[0])
                self.heads.append(head)
                self.bodies.append(await reader.readexactly(length))
                self.asked.set()
                await self.talk(reader, writer)
        except (asyncio.IncompleteReadError, OSError):
            pass
        finally:
            writer.close()


@asynccontextmanager
async def listening(talk: Talk) -> AsyncIterator[Peer]:
    peer = Peer(talk)
    connections: set[asyncio.Task[None]] = set()

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        connections.add(task)
        await peer.serve(reader, writer)

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    peer.port = server.sockets[0].getsockname()[1]
    try:
        yield peer
    finally:
        server.close()
        for task in connections:
            task.cancel()
        await asyncio.gather(*connections, return_exceptions=True)


def napcat(port: int, scheme: str = "http", path: str = "", token: str = "", max_in_flight: int = 2) -> NapCatHttp:
    return NapCatHttp(
        f"{scheme}://127.0.0.1:{port}{path}", token, slack_ms=20, max_in_flight=max_in_flight, connect_ms=150
    )


def saying(status: int, body: bytes, *headers: str) -> Talk:
    head = [f"HTTP/1.1 {status} Whatever", f"Content-Length: {len(body)}", *headers]

    async def talk(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write("\r\n".join([*head, "", ""]).encode() + body)
        await writer.drain()

    return talk


def raw(*pieces: bytes, then: Callable[[asyncio.StreamWriter], object] | None = None) -> Talk:
    async def talk(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
        if then is not None:
            then(writer)
        else:
            await asyncio.Event().wait()

    return talk


def dripping(status: int) -> Talk:
    async def talk(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(f"HTTP/1.1 {status} Slow\r\nContent-Length: 100000\r\n\r\n".encode())
        while True:
            writer.write(b" ")
            await writer.drain()
            await asyncio.sleep(0.01)

    return talk


async def answer_of(talk: Talk, part: Part = PART) -> Answer:
    async with listening(talk) as peer, napcat(peer.port) as client:
        return await client.call(part)


async def failure_of(talk: Talk) -> Failure | None:
    return (await answer_of(talk)).error


async def test_a_delivered_message() -> None:
    assert await answer_of(saying(200, OK)) == Answer(http_status=200, status="ok", retcode=0, message_id=7)


async def test_the_stored_bytes_leave_unchanged_with_the_token_in_its_header_only() -> None:
    talk = saying(200, OK, "Set-Cookie: a=b")
    async with listening(talk) as peer, napcat(peer.port, path="/qq/one/", token="s3cret") as client:
        await client.call(PART)
        await client.call(PART)
    assert peer.bodies == [BODY, BODY]
    for head in peer.heads:
        assert head.startswith("POST /qq/one/send_group_msg HTTP/1.1\r\n")
        assert "Authorization: Bearer s3cret\r\n" in head
        assert "Content-Type: application/json\r\n" in head
        assert "access_token" not in head
        assert "Cookie" not in head


async def test_without_a_token_there_is_no_authorization() -> None:
    async with listening(saying(200, OK)) as peer, napcat(peer.port) as client:
        await client.call(PART)
    assert "authorization" not in peer.heads[0].lower()


async def test_environment_proxies_are_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    assert (await answer_of(saying(200, OK))).message_id == 7


async def test_a_large_body_goes_out_whole() -> None:
    body = b'"' + b"x" * 3_000_000 + b'"'
    async with listening(saying(200, OK)) as peer, napcat(peer.port) as client:
        assert (await client.call(PART._replace(body=body, fetch_ms=5_000))).message_id == 7
    assert peer.bodies == [body]


async def test_a_refusal_before_the_body_was_read_is_an_answer() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n")
        await finished.wait()
        writer.close()

    finished = asyncio.Event()
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with napcat(server.sockets[0].getsockname()[1]) as client:
        part = PART._replace(body=b" " * 20_000_000)
        got = await asyncio.wait_for(client.call(part), 5)
    finished.set()
    server.close()
    assert (got.http_status, got.error) == (413, None)


# What surely never left


async def test_nobody_listens() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        async with napcat(taken.getsockname()[1]) as client:
            got = await client.call(PART)
    assert (got.error, got.http_status) == ("refused", None)
    assert "127.0.0.1" not in got.text


@pytest.mark.parametrize("error", [socket.gaierror(socket.EAI_NONAME, "unknown"), UnicodeError("label too long")])
async def test_the_name_does_not_resolve(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    async def resolve(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", resolve)
    async with NapCatHttp("http://does-not-exist.invalid", "", 20, 1) as client:
        assert (await client.call(PART)).error == "dns"


async def test_the_address_is_none() -> None:
    async with NapCatHttp("http://127.1", "", 20, 1) as client:
        assert (await client.call(PART)).error == "bad_endpoint"


async def test_tls_to_a_server_that_speaks_none() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(100)
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with napcat(server.sockets[0].getsockname()[1], scheme="https") as client:
        assert (await client.call(PART)).error == "tls"
    server.close()


async def test_a_server_that_hangs_up_within_the_handshake() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(100)
        writer.transport.abort()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with napcat(server.sockets[0].getsockname()[1], scheme="https") as client:
        assert (await client.call(PART)).error in {"refused", "tls"}
    server.close()


async def test_a_connection_that_does_not_come_about_in_time() -> None:
    async with listening(saying(200, OK)) as peer, napcat(peer.port, scheme="https") as client:
        assert (await client.call(PART)).error == "connect_timeout"  # no byte of a handshake comes back


async def test_no_connection_is_free() -> None:
    async with listening(raw()) as peer, napcat(peer.port, max_in_flight=1) as client:
        # One call, and the connections that are there for questions.
        others = [asyncio.create_task(client.call(PART._replace(timeout_ms=60_000))) for _ in range(1 + QUESTIONS)]
        await until(lambda: len(peer.heads) == 1 + QUESTIONS)
        assert (await client.call(PART)).error == "pool"
        for call in others:
            call.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        assert len(peer.heads) == 1 + QUESTIONS


# What may have arrived


async def test_no_answer_ends_in_time() -> None:
    assert await failure_of(raw()) == "timeout"


async def test_a_dripping_answer_ends_in_time() -> None:
    assert await failure_of(dripping(200)) == "timeout"


async def test_a_dripping_error_page_is_still_that_error() -> None:
    got = await answer_of(dripping(403))
    assert (got.http_status, got.error) == (403, None)


@pytest.mark.parametrize(
    "talk",
    [
        raw(then=lambda writer: writer.transport.abort()),
        raw(then=lambda writer: writer.close()),
        raw(b"HTTP/1.1 200 OK\r\nContent-Le", then=lambda writer: writer.close()),
        raw(b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n" + OK, then=lambda writer: writer.close()),
        raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{", then=lambda writer: writer.close()),
    ],
    ids=["aborted", "closed", "within the head", "within the body", "within a chunk"],
)
async def test_a_connection_lost_after_the_request(talk: Talk) -> None:
    assert await failure_of(talk) == "reset"


async def test_a_reused_connection_that_closes_is_not_tried_again() -> None:
    async def once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if len(peer.heads) == 1:
            await saying(200, OK)(reader, writer)
        else:
            writer.transport.abort()

    async with listening(once) as peer, napcat(peer.port) as client:
        assert (await client.call(PART)).error is None
        assert (await client.call(PART)).error == "reset"
        assert len(peer.heads) == 2


async def test_closing_the_client_ends_its_calls() -> None:
    async with listening(raw()) as peer:
        client = napcat(peer.port)
        call = asyncio.create_task(client.call(PART._replace(timeout_ms=60_000)))
        await peer.asked.wait()
        await client.close()
        assert (await call).error == "reset"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"OK",
        b"<html>hello</html>",
        b"\xff\xfe{",
        OK.decode().encode("utf-16"),
        OK.replace(b'"ok"', b'"\xc4\xe3"'),
        b"null",
        b"[]",
        b'"ok"',
        b"{}",
        b'{"retcode":0}',
        b'{"status":"ok","retcode":"0"}',
        b'{"status":"ok","retcode":true}',
        b'{"status":"ok","retcode":0.5}',
        b'{"status":"ok","retcode":1' + b"0" * 5000 + b"}",
        b'{"status":1,"retcode":0}',
        b'{"status":"ok","retcode":0,"message":{}}',
        b'{"status":"ok","retcode":0,"data":' + b"[" * 100_000,
        OK + b"\r\n\r\n" + OK,
        b" " * (LARGEST_ANSWER + 1 - len(OK)) + OK,
    ],
    ids=lambda body: repr(body[:36]),
)
async def test_an_answer_that_is_no_envelope(body: bytes) -> None:
    got = await answer_of(saying(200, body))
    assert (got.error, got.http_status, got.retcode) == ("unparsable", 200, None)
    assert len(got.text) <= 2_000


async def test_an_answer_that_is_no_http() -> None:
    assert await failure_of(raw(b"SSH-2.0-OpenSSH_9.6\r\n\r\n")) == "unparsable"


async def test_an_answer_that_never_ends_is_cut() -> None:
    async def flood(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            writer.write(b"x" * 65536)
            await writer.drain()

    got = await answer_of(flood)
    assert (got.error, got.http_status, got.text) == ("unparsable", 200, "x" * 2_000)


# Answers


@pytest.mark.parametrize("status", [302, 400, 403, 404, 413, 418, 502, 503])
async def test_other_statuses_keep_their_words(status: int) -> None:
    got = await answer_of(saying(status, b"<html>\xff sorry", "Location: http://127.0.0.1:9/"))
    assert got == Answer(http_status=status, text="<html>\ufffd sorry")


async def test_other_statuses_may_carry_an_envelope() -> None:
    body = '{"status":"failed","retcode":404,"data":null,"message":"x API 不存在"}'.encode()
    got = await answer_of(saying(404, body))
    assert (got.http_status, got.retcode, got.text) == (404, 404, "x API 不存在")


@pytest.mark.parametrize(
    "data", ["null", "{}", "[]", '"7"', '{"message_id":"7"}', '{"message_id":true}', '{"message_id":7.5}']
)
async def test_only_an_integer_is_a_message_id(data: str) -> None:
    got = await answer_of(saying(200, f'{{"status":"ok","retcode":0,"data":{data}}}'.encode()))
    assert (got.error, got.status, got.message_id) == (None, "ok", None)


async def test_words_are_not_said_twice_and_symbols_come_first() -> None:
    body = {"status": "failed", "retcode": 100, "msg": "SEND_MSG_API_ERROR", "message": "blocked", "wording": "blocked"}
    got = await answer_of(saying(200, json.dumps(body).encode()), PART._replace(nodes=True))
    assert (got.text, got.nodes) == ("SEND_MSG_API_ERROR: blocked", True)


@pytest.mark.parametrize(
    ("headers", "milliseconds"),
    [
        (["Retry-After: 120"], 120_000),
        (["Retry-After: 9999999999999999999999"], 999_999_999_000),
        (["Retry-After: Wed, 21 Oct 2026 07:28:30 GMT", "Date: Wed, 21 Oct 2026 07:28:00 GMT"], 30_000),
        (["Retry-After: Wed, 21 Oct 2026 07:27:00 GMT", "Date: Wed, 21 Oct 2026 07:28:00 GMT"], 0),
        (["Retry-After: Wed, 99 Oct 99999 07:28:30 GMT", "Date: Wed, 21 Oct 2026 07:28:00 GMT"], None),
        (["Retry-After: Wed, 21 Oct 2026 07:28:30 GMT"], None),
        (["Retry-After: -1"], None),
        (["Retry-After: soon"], None),
        ([], None),
    ],
)
async def test_how_long_to_wait(headers: list[str], milliseconds: int | None) -> None:
    assert (await answer_of(saying(503, b"", *headers))).retry_after == milliseconds


async def test_a_question_brings_its_data() -> None:
    body = b'{"status":"ok","retcode":0,"data":{"online":true}}'
    async with listening(saying(200, body)) as peer, napcat(peer.port) as client:
        answer, data = await client.ask("get_status", {"\u95ee": 1}, 500)
    assert (answer.status, data) == ("ok", {"online": True})
    assert peer.bodies == [b'{"\\u95ee": 1}']


@pytest.mark.parametrize(
    ("endpoint", "token", "key"),
    [
        ("http://127.0.0.1:99999", "", "endpoint"),
        ("http://[::1", "", "endpoint"),
        ("ftp://127.0.0.1", "", "endpoint"),
        ("http://me:pw@127.0.0.1", "s3cret", "endpoint"),
        ("http://127.0.0.1", "s3cret\n", "token"),
    ],
)
async def test_what_cannot_work_is_refused_without_repeating_secrets(endpoint: str, token: str, key: str) -> None:
    with pytest.raises(SettingsInvalid, match=f"^{key}: ") as refused:
        NapCatHttp(endpoint, token, 20, 1)
    assert "s3cret" not in str(refused.value)


async def test_a_call_whose_time_to_start_is_over_sends_no_body() -> None:
    async with listening(saying(200, b"{}")) as peer, napcat(peer.port) as client:
        with pytest.raises(NotSent):
            await client.call(PART, lambda: False)
        await client.call(PART)
    assert peer.bodies == [PART.body]
