"""What is HTTP's own: answers that come in pieces, late, or not as HTTP, and what statuses and headers say."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from gateway.forward.answer import LARGEST_ANSWER
from gateway.forward.napcat_http import NapCatHttp
from gateway.model.verdict import Answer, Failure
from tests.forward.peers import OK, PART, PATIENT, Raw, napcat, speaking


def answered(talk: Raw) -> Raw:
    """Return what reads one request after the other and does TALK with each."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while not writer.is_closing():
            head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
            await reader.readexactly(int(head.split("content-length: ")[1].split("\r\n")[0]))
            await talk(reader, writer)

    return serve


def saying(status: int, body: bytes, *headers: str) -> Raw:
    head = [f"HTTP/1.1 {status} Whatever", f"Content-Length: {len(body)}", *headers]

    async def talk(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write("\r\n".join([*head, "", ""]).encode() + body)
        await writer.drain()

    return talk


def raw(*pieces: bytes, then: Callable[[asyncio.StreamWriter], object] | None = None) -> Raw:
    async def talk(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
        if then is not None:
            then(writer)
        else:
            await asyncio.Event().wait()

    return talk


def dripping(status: int) -> Raw:
    async def talk(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(f"HTTP/1.1 {status} Slow\r\nContent-Length: 100000\r\n\r\n".encode())
        while True:
            writer.write(b" ")
            await writer.drain()
            await asyncio.sleep(0.01)

    return talk


async def answer_of(talk: Raw, **part: Any) -> Answer:
    async with speaking(answered(talk)) as port, napcat(NapCatHttp, port, connect_ms=500) as client:
        return await client.call(PATIENT._replace(**part))


async def failure_of(talk: Raw) -> Failure | None:
    return (await answer_of(talk)).error


async def test_a_refusal_before_the_body_was_read_is_an_answer() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n")
        await asyncio.Event().wait()

    async with speaking(serve) as port, napcat(NapCatHttp, port) as client, asyncio.timeout(5):
        got = await client.call(PART._replace(body=b" " * 20_000_000))
    assert (got.http_status, got.error) == (413, None)


async def test_a_dripping_answer_ends_in_time() -> None:
    assert (await answer_of(dripping(200), timeout_ms=60)).error == "timeout"


async def test_a_dripping_error_page_is_still_that_error() -> None:
    got = await answer_of(dripping(403), timeout_ms=60)
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
async def test_a_connection_lost_after_the_request(talk: Raw) -> None:
    assert await failure_of(talk) == "reset"


async def test_a_reused_connection_that_closes_is_not_tried_again() -> None:
    requests = 0

    async def once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal requests
        requests += 1
        if requests == 1:
            await saying(200, OK)(reader, writer)
        else:
            writer.transport.abort()

    async with speaking(answered(once)) as port, napcat(NapCatHttp, port) as client:
        assert (await client.call(PATIENT)).error is None
        assert (await client.call(PATIENT)).error == "reset"
    assert requests == 2


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
        b'{"status":"ok","retcode":1' + b"0" * 5000 + b"}",
        b'{"status":"ok","retcode":0,"data":' + b"[" * 100_000,
        OK + b"\r\n\r\n" + OK,
        b" " * (LARGEST_ANSWER + 1 - len(OK)) + OK,
    ],
    ids=lambda body: repr(body[:36]),
)
async def test_an_answer_that_is_no_json_object(body: bytes) -> None:
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
