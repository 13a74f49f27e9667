"""What both transports promise, each against real sockets that do what servers, proxies and networks do."""

import asyncio
import json
import socket
from typing import Any

import pytest

from gateway.forward.answer import LARGEST_ANSWER
from gateway.forward.endpoint import QUESTIONS
from gateway.forward.napcat_http import NapCatHttp
from gateway.forward.napcat_ws import NapCatWs
from gateway.forward.transport import napcat_of
from gateway.model.errors import NotSent, SettingsInvalid
from gateway.model.verdict import Answer
from gateway.settings import Account
from tests.forward.peers import BODY, OK, PART, PATIENT, Client, Raw, answering, napcat, silent, speaking
from tests.world import until

pytestmark = pytest.mark.parametrize("kind", [NapCatHttp, NapCatWs], ids=["http", "ws"])

Kind = type[Client]


async def answer_of(kind: Kind, body: bytes | None, **part: Any) -> Answer:
    async with answering(body) as peer, napcat(kind, peer.port) as client:
        return await client.call(PATIENT._replace(**part))


async def test_an_account_gets_the_client_it_asks_for(kind: Kind) -> None:
    transport = "http" if kind is NapCatHttp else "ws"
    fields = {"name": "main", "endpoint": "http://127.0.0.1:3000", "transport": transport}
    async with napcat_of(Account.model_validate(fields), 20) as client:
        assert type(client) is kind


async def test_a_delivered_message_brings_its_id(kind: Kind) -> None:
    transport = {"transport": "http", "http_status": 200} if kind is NapCatHttp else {"transport": "ws"}
    assert await answer_of(kind, OK) == Answer(status="ok", retcode=0, message_id=7, **transport)


async def test_the_stored_bytes_leave_unchanged_with_the_token_in_its_header_only(kind: Kind) -> None:
    async with answering() as peer, napcat(kind, peer.port, path="/qq/one/", token="s3cret") as client:
        assert [(await client.call(PATIENT)).error for _ in range(2)] == [None, None]
    assert [(call.action, call.params) for call in peer.calls] == [("send_group_msg", BODY)] * 2
    for call in peer.calls:
        assert call.address == ("/qq/one/send_group_msg" if kind is NapCatHttp else "/qq/one/api")
        assert call.headers["Authorization"] == "Bearer s3cret"
        assert call.headers.get("Content-Type") == ("application/json" if kind is NapCatHttp else None)
        assert "Cookie" not in call.headers


async def test_without_a_token_there_is_no_authorization(kind: Kind) -> None:
    async with answering() as peer, napcat(kind, peer.port) as client:
        await client.call(PATIENT)
    assert "Authorization" not in peer.calls[0].headers


async def test_environment_proxies_are_not_asked(kind: Kind, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "ws_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    assert (await answer_of(kind, OK)).message_id == 7


async def test_a_large_body_goes_out_whole_and_holds_up_no_other_call(kind: Kind) -> None:
    body = b'{"x":"' + b"x" * 5 * 2**20 + b'"}'
    async with answering() as peer, napcat(kind, peer.port) as client:
        large = asyncio.create_task(client.call(PATIENT._replace(body=body)))
        assert (await client.call(PATIENT)).message_id == 7
        assert (await large).message_id == 7
    assert sorted((call.params for call in peer.calls), key=len) == [BODY, body]


async def test_a_question_brings_its_data(kind: Kind) -> None:
    body = b'{"status":"ok","retcode":0,"data":{"online":true}}'
    async with answering(body) as peer, napcat(kind, peer.port) as client:
        answer, data = await client.ask("get_status", {"\u95ee": 1}, 500)
    assert (answer.status, data) == ("ok", {"online": True})
    assert [(call.action, call.params) for call in peer.calls] == [("get_status", b'{"\\u95ee": 1}')]


# What surely never left


async def test_a_call_whose_time_to_start_is_over_sends_nothing(kind: Kind) -> None:
    async with answering() as peer, napcat(kind, peer.port) as client:
        with pytest.raises(NotSent):
            await client.call(PART, lambda: False)
        assert (await client.call(PATIENT)).message_id == 7
    assert len(peer.calls) == 1


async def test_nobody_listens(kind: Kind) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        async with napcat(kind, taken.getsockname()[1]) as client:
            got = await client.call(PART)
    assert (got.error, got.http_status) == ("refused", None)
    assert "127.0.0.1" not in got.text


@pytest.mark.parametrize("error", [socket.gaierror(socket.EAI_NONAME, "unknown"), UnicodeError("label too long")])
async def test_the_name_does_not_resolve(kind: Kind, monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    async def resolve(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", resolve)
    async with kind("http://does-not-exist.invalid", "", 20, 1) as client:
        assert (await client.call(PART)).error == "dns"


async def test_the_address_is_none(kind: Kind) -> None:
    async with kind("http://127.1", "", 20, 1) as client:
        assert (await client.call(PART)).error == "bad_endpoint"


async def _plain(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read(100)
    writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")


async def _gone(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read(100)
    writer.transport.abort()


@pytest.mark.parametrize(
    ("serve", "errors"), [(_plain, {"tls"}), (_gone, {"refused", "tls"}), (silent, {"connect_timeout"})]
)
async def test_a_tls_connection_that_does_not_come_about(kind: Kind, serve: Raw, errors: set[str]) -> None:
    async with speaking(serve) as port, napcat(kind, port, tls=True, connect_ms=500) as client:
        assert (await client.call(PART)).error in errors


async def test_no_more_calls_are_under_way_than_agreed(kind: Kind) -> None:
    async with answering(None) as peer, napcat(kind, peer.port, max_in_flight=1, connect_ms=500) as client:
        # One call, and the turns that are there for questions.
        others = [asyncio.create_task(client.call(PATIENT)) for _ in range(1 + QUESTIONS)]
        await until(lambda: len(peer.calls) == 1 + QUESTIONS)
        assert (await client.call(PART)).error == "pool"
        for call in others:
            call.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        assert len(peer.calls) == 1 + QUESTIONS
        assert (await client.call(PART)).error == "timeout"


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
async def test_what_cannot_work_is_refused_without_repeating_secrets(
    kind: Kind, endpoint: str, token: str, key: str
) -> None:
    with pytest.raises(SettingsInvalid, match=f"^{key}: ") as refused:
        kind(endpoint if kind is NapCatHttp else endpoint.replace("http:", "ws:"), token, 20, 1)
    assert "s3cret" not in str(refused.value)


# What may have arrived


async def test_no_answer_ends_in_time(kind: Kind) -> None:
    assert (await answer_of(kind, None, timeout_ms=60)).error == "timeout"


async def test_closing_the_client_ends_its_calls(kind: Kind) -> None:
    async with answering(None) as peer:
        client = napcat(kind, peer.port)
        call = asyncio.create_task(client.call(PATIENT))
        await until(lambda: peer.calls)
        await client.close()
        assert (await call).error == "reset"


@pytest.mark.parametrize(
    "body",
    [
        b"{}",
        b'{"retcode":0}',
        b'{"status":"ok","retcode":"0"}',
        b'{"status":"ok","retcode":true}',
        b'{"status":"ok","retcode":0.5}',
        b'{"status":1,"retcode":0}',
        b'{"status":"ok","retcode":0,"message":{}}',
        b'{"status":"ok","retcode":1' + b"0" * 50 + b"}",
        b'{"status":"ok","retcode":0,"message":"' + b"x" * LARGEST_ANSWER + b'"}',
    ],
    ids=lambda body: repr(body[:36]),
)
async def test_an_answer_that_is_no_envelope(kind: Kind, body: bytes) -> None:
    got = await answer_of(kind, body)
    assert (got.error, got.retcode) == ("unparsable", None)
    assert 0 < len(got.text) <= 2_000


# Answers


@pytest.mark.parametrize(
    "data", ["null", "{}", "[]", '"7"', '{"message_id":"7"}', '{"message_id":true}', '{"message_id":7.5}']
)
async def test_only_an_integer_is_a_message_id(kind: Kind, data: str) -> None:
    got = await answer_of(kind, f'{{"status":"ok","retcode":0,"data":{data}}}'.encode())
    assert (got.error, got.status, got.message_id) == (None, "ok", None)


async def test_words_are_not_said_twice_and_symbols_come_first(kind: Kind) -> None:
    body = {"status": "failed", "retcode": 100, "msg": "SEND_MSG_API_ERROR", "message": "blocked", "wording": "blocked"}
    got = await answer_of(kind, json.dumps(body).encode(), nodes=True)
    assert (got.status, got.retcode, got.text, got.nodes) == ("failed", 100, "SEND_MSG_API_ERROR: blocked", True)
