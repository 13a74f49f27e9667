"""Our HTTP server against clients that are slow, that lie, or that say what nobody understands."""

import asyncio
import gzip
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import aiohttp
import pytest
import structlog

from gateway.telemetry import configure_logging
from tests.world import Gateway, World, until

HEAD = b"POST /v1/jobs HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
JOB = b'{"group_id": "1", "message": "hello"}'
HASTY = {"port": 0, "timeout": "200ms", "keepalive": "400ms", "max_body": "1KiB"}
AT_ONCE = 5.0
"""Seconds within which a connection has to be closed: far more than the limits, for busy machines."""


@pytest.fixture(name="as_an_operator_logs")
def _as_an_operator_logs(capfd: pytest.CaptureFixture[str]) -> Iterator[None]:
    configure_logging("error", "json")
    yield
    structlog.reset_defaults()


@asynccontextmanager
async def connection(gateway: Gateway) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    host, _, port = gateway.url.removeprefix("http://").partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    try:
        yield reader, writer
    finally:
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()


async def answer(gateway: Gateway, *data: bytes, pause: float = 0.0) -> bytes:
    """Send DATA, a piece after each pause, and return all that comes until the server closes the connection."""
    async with connection(gateway) as (reader, writer):

        async def send() -> None:
            with suppress(ConnectionError):
                for piece in data:
                    writer.write(piece)
                    await writer.drain()
                    await asyncio.sleep(pause)

        sending = asyncio.create_task(send())
        try:
            async with asyncio.timeout(AT_ONCE):
                with suppress(ConnectionResetError):
                    return await reader.read()
                return b""
        finally:
            sending.cancel()


def problem(raw: bytes) -> tuple[int, str]:
    head, _, body = raw.partition(b"\r\n\r\n")
    assert b"application/problem+json" in head, raw
    document = json.loads(body)
    assert int(head.split()[1]) == document["status"]
    return document["status"], document["code"]


async def test_a_head_that_comes_byte_by_byte_is_not_waited_for(world: World) -> None:
    gateway = await world.gateway(http=HASTY)
    trickle = [b"GET /healthz/live HTTP/1.1\r\n", *([b"X: y\r\n"] * 90)]
    assert await answer(gateway, *trickle, pause=0.05) == b""
    assert await answer(gateway) == b""


async def test_a_connection_that_was_used_is_closed_when_its_next_head_does_not_come(world: World) -> None:
    gateway = await world.gateway(http=HASTY)
    raw = await answer(gateway, b"GET /healthz/live HTTP/1.1\r\nHost: a\r\n\r\nGET /sta")
    assert raw.startswith(b"HTTP/1.1 200")
    assert raw.count(b"HTTP/1.1") == 1


@pytest.mark.parametrize(
    ("head", "pieces"),
    [
        (b"Content-Length: 500\r\n\r\n", [JOB]),
        (b"Content-Length: 500\r\n\r\n", [b" "] * 90),
        (b"Transfer-Encoding: chunked\r\n\r\n", [b"1\r\n \r\n"] * 90),
        (b"Transfer-Encoding: chunked\r\n\r\n", [b"25\r\n" + JOB]),
        (b"Expect: 100-continue\r\nContent-Length: 500\r\n\r\n", [b" "]),
    ],
    ids=["less than promised", "byte by byte", "chunk by chunk", "no last chunk", "after the server said continue"],
)
async def test_a_body_that_does_not_come_is_not_waited_for(world: World, head: bytes, pieces: list[bytes]) -> None:
    gateway = await world.gateway(http=HASTY)
    raw = b""
    for _ in range(4):
        # What is sent on to a server that has closed is answered by a reset, which may take the answer with it
        # (RFC 9112, 9.6).
        raw = raw or await answer(gateway, HEAD + head, *pieces, pause=0.05)
    assert problem(raw.removeprefix(b"HTTP/1.1 100 Continue\r\n\r\n")) == (408, "body_late")
    assert b"connection: close" in raw.lower()
    assert (await gateway.status())["backlog"] == {"queued": 0, "targets": []}


async def test_a_body_that_comes_slowly_but_in_time_is_taken(world: World) -> None:
    gateway = await world.gateway(http={**HASTY, "timeout": "5s"})
    pieces = [JOB[n : n + 8] for n in range(0, len(JOB), 8)]
    raw = await answer(
        gateway, HEAD + b"Connection: close\r\nContent-Length: %d\r\n\r\n" % len(JOB), *pieces, pause=0.02
    )
    assert raw.startswith(b"HTTP/1.1 202")


async def test_a_body_that_is_said_to_be_too_large_is_refused_before_it_comes(world: World) -> None:
    gateway = await world.gateway(http=HASTY)
    assert problem(await answer(gateway, HEAD + b"Content-Length: 1025\r\n\r\n{")) == (413, "too_large")
    chunks = b"400\r\n" + b" " * 1024 + b"\r\n1\r\n \r\n"
    assert problem(await answer(gateway, HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + chunks)) == (413, "too_large")


async def test_a_body_of_which_no_key_is_known_is_not_read(world: World) -> None:
    auth = {"keys": [{"name": "a", "sha256": "0" * 64}]}
    gateway = await world.gateway(http=HASTY, auth=auth)
    assert problem(await answer(gateway, HEAD + b"Content-Length: 500\r\n\r\n")) == (401, "unauthorized")


@pytest.mark.parametrize(("path", "status"), [(b"/send_group_msg", b"401"), (b"/session", b"413")])
async def test_a_large_body_where_a_key_may_be_in_it_is_not_read_either(
    world: World, path: bytes, status: bytes
) -> None:
    gateway = await world.gateway(auth={"keys": [{"name": "a", "sha256": "0" * 64}]})
    head = HEAD.replace(b"/v1/jobs", path) + b"Content-Length: 1000000\r\n\r\n"
    assert (await answer(gateway, head)).split()[1] == status


async def test_a_bomb_that_nobody_reads_is_left_and_not_unpacked_to_its_end(world: World) -> None:
    gateway = await world.gateway(auth={"keys": [{"name": "a", "sha256": "0" * 64}]})
    bomb = gzip.compress(bytes(32 * 1024**2))
    head = HEAD + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(bomb)
    assert problem(await answer(gateway, head + bomb)) == (401, "unauthorized")  # read to its end, it would stay open


@pytest.mark.parametrize(
    "request_",
    [
        HEAD + b"Content-Length: 3\r\n\r\n" + JOB,
        HEAD + b"Content-Length: -1\r\n\r\n",
        HEAD + b"Content-Length: 3\r\nContent-Length: 4\r\n\r\n{}  ",
        HEAD + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\nnone\r\n",
        b"GET /" + b"a" * 9_000 + b" HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"secret" * 2_000 + b"\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\n" + b"X: y\r\n" * 150 + b"\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer sec\0ret\r\n\r\n",
        b"GET /\xff HTTP/1.1\r\nHost: a\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc",
    ],
)
@pytest.mark.usefixtures("as_an_operator_logs")
async def test_what_is_no_request_is_answered_with_400_closed_and_not_logged(
    world: World, request_: bytes, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    gateway = await world.gateway(http=HASTY)
    raw = await answer(gateway, request_)
    assert raw.split()[1] == b"400", raw
    assert (await gateway.get("/healthz/ready")).status == 200
    assert (capfd.readouterr().err, caplog.text) == ("", "")
    assert world.napcat.received == []


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (b"GET /nothing/at/%FF HTTP/1.1", (404, "not_found")),
        (b"GET /v1/accounts/main/pause HTTP/1.1", (405, "method_not_allowed")),
        (b"OPTIONS * HTTP/1.1", (404, "not_found")),
        (b"CONNECT a:1 HTTP/1.1", (404, "not_found")),
    ],
)
async def test_what_is_not_served_is_told_as_a_problem(world: World, line: bytes, expected: tuple[int, str]) -> None:
    gateway = await world.gateway(http=HASTY)
    assert problem(await answer(gateway, line + b"\r\nHost: a\r\nConnection: close\r\n\r\n")) == expected


@pytest.mark.parametrize(
    ("method", "path", "faults"),
    [
        ("POST", "/v1/jobs?dry_run=true", {"query.dry_run": "unknown"}),
        ("GET", "/v1/jobs/key:a?acount=main&x=", {"query.acount": "unknown", "query.x": "unknown"}),
        ("GET", "/v1/jobs/key:a?account=main&account=other", {"query.account": "repeated"}),
        ("DELETE", "/v1/jobs/main.x?force=true", {"query.force": "unknown"}),
        ("POST", "/v1/targets/group/1/park?for=1h", {"query.for": "unknown"}),
        ("POST", "/v1/accounts/main/pause?account=main", {"query.account": "unknown"}),
        ("POST", "/v1/accounts/main/resume?now", {"query.now": "unknown"}),
    ],
)
async def test_a_parameter_that_nobody_reads_is_refused_by_name(
    world: World, method: str, path: str, faults: dict[str, str]
) -> None:
    gateway = await world.gateway()
    json_type = {"Content-Type": "application/json"}
    document = (await gateway.request(method, path, data=JOB, headers=json_type)).json
    assert (document["status"], document["code"]) == (422, "query_invalid")
    assert {fault["loc"]: fault["type"] for fault in document["errors"]} == faults


@pytest.mark.parametrize("query", [b"account=%ff", b"%ed%a0%80=1", b"account=%C3"])
@pytest.mark.parametrize("path", [b"/v1/targets/group/1/release", b"/send_msg"])
async def test_a_query_that_is_no_text_is_refused_and_not_guessed_at(world: World, path: bytes, query: bytes) -> None:
    gateway = await world.gateway()
    raw = await answer(
        gateway, b"POST " + path + b"?" + query + b" HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    )
    assert raw.split()[1] == b"400", raw
    assert b"the query is not UTF-8" in raw


@pytest.mark.parametrize("path", ["/v1/jobs", "/send_group_msg"])
async def test_two_idempotency_keys_are_refused_since_nobody_can_tell_which_counts(world: World, path: str) -> None:
    gateway = await world.gateway()
    head = HEAD.replace(b"/v1/jobs", path.encode()) + b"Connection: close\r\nContent-Length: %d\r\n" % len(JOB)
    raw = await answer(gateway, head + b"Idempotency-Key: a\r\nIdempotency-Key: b\r\n\r\n" + JOB)
    assert b"Idempotency-Key is given 2 times" in raw
    assert (await gateway.status())["backlog"] == {"queued": 0, "targets": []}
    assert world.napcat.received == []


async def test_an_expectation_that_nobody_understands_is_told_as_a_problem(world: World) -> None:
    gateway = await world.gateway()
    head = HEAD + b"Connection: close\r\nContent-Length: %d\r\n" % len(JOB)
    assert problem(await answer(gateway, head + b"Expect: tea\r\n\r\n" + JOB)) == (417, "expectation_failed")
    raw = await answer(gateway, head + b"Expect: 100-continue\r\n\r\n" + JOB)
    assert raw.startswith(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 202")


@pytest.mark.parametrize(
    "path", ["/status", "/v1/jobs/main.none", "/healthz/live", "/openapi.json", "/docs", "/nothing"]
)
async def test_a_head_is_answered_as_its_get_without_the_body(world: World, path: str) -> None:
    gateway = await world.gateway()
    head, get = await gateway.request("HEAD", path), await gateway.get(path)
    assert (head.status, head.headers["Content-Type"], head.body) == (get.status, get.headers["Content-Type"], b"")


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("OPTIONS", "/v1/jobs/batch", "POST"),
        ("GET", "/v1/jobs/batch/x", None),
        ("PUT", "/v1/jobs/main.a", "DELETE, GET, HEAD"),
        ("TRACE", "/openapi.json", "GET, HEAD"),
        ("PATCH", "/send_msg", "GET, POST"),
        ("DELETE", "/status", "GET, HEAD"),
        ("GET", "/v1/targets/group/1/park", "POST"),
    ],
)
async def test_a_method_that_a_path_does_not_take_is_told_what_it_takes(
    world: World, method: str, path: str, allowed: str | None
) -> None:
    gateway = await world.gateway()
    reply = await gateway.request(method, path)
    expected = (404, "not_found") if allowed is None else (405, "method_not_allowed")
    assert (reply.status, reply.json["code"], reply.headers.get("Allow")) == (*expected, allowed)


async def test_what_comes_after_a_body_is_no_part_of_it(world: World) -> None:
    gateway = await world.gateway()
    whole = HEAD + b"Content-Length: %d\r\n\r\n" % len(JOB) + JOB
    assert (await answer(gateway, whole, b"garbage\r\n\r\n", pause=0.2)).startswith(b"HTTP/1.1 202")
    assert (await answer(gateway, whole + b"garbage\r\n\r\n")).split()[1] == b"400"
    await until(lambda: len(world.napcat.received) == 1)


async def test_a_parameter_that_is_known_is_taken_and_probes_may_add_what_they_like(world: World) -> None:
    gateway = await world.gateway()
    assert (await gateway.request("POST", "/v1/targets/group/1/park?account=main")).status == 200
    assert (await gateway.get("/v1/jobs/key:a?account=main")).status == 404
    for path in ("/status", "/healthz/live", "/healthz/ready"):
        assert (await gateway.get(f"{path}?_=1")).status == 200


async def test_while_it_stops_new_jobs_are_sent_away_and_everything_else_is_still_told(world: World) -> None:
    world.napcat.behave("*", "delay", ms=2_000)
    process = await world.process()
    types = {"Content-Type": "application/json"}
    async with aiohttp.ClientSession() as session:

        async def submit() -> tuple[int, dict[str, Any], str]:
            async with session.post(f"{process.url}/v1/jobs", data=JOB, headers=types) as reply:
                retry = reply.headers.get("Retry-After", "")
                return reply.status, await reply.json(content_type=None), retry

        status, first, _ = await submit()
        assert status == 202
        await until(lambda: world.napcat.received)
        stopped = asyncio.create_task(process.stop())
        status, document, retry = await until(submit, lambda reply: reply[0] != 202)
        assert (status, document["code"], retry) == (503, "stopping", "1")
        async with session.get(f"{process.url}/v1/jobs/{first['id']}") as reply:
            assert (await reply.json())["state"] == "sending"
        async with session.get(f"{process.url}/healthz/ready") as reply:
            assert (reply.status, (await reply.json())["reasons"][0]["code"]) == (503, "stopping")
        assert await stopped == 0
    assert (await world.receipts())[0].state == "delivered"
