"""Posting to URLs of strangers: not to the inside, not further than told, and not for long."""

import asyncio
import socket
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web

from gateway.results.outbound import Answered, Outbound
from tests.forward.peers import speaking
from tests.world import serving

TIMEOUT = 500


async def post(url: str, *, allow_private: bool = True, timeout: int = TIMEOUT) -> Answered:
    async with Outbound(timeout, allow_private=allow_private) as outbound:
        return await outbound.post(url, b'{"a":1}', {"webhook-id": "x"})


def answering(status: int = 200, **headers: str) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def answer(request: web.Request) -> web.Response:
        return web.Response(status=status, headers={name.replace("_", "-"): value for name, value in headers.items()})

    return answer


@asynccontextmanager
async def raw(answer: Callable[[asyncio.StreamWriter], Awaitable[None]]) -> AsyncIterator[str]:
    """Serve what ANSWER writes after whatever request."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        await answer(writer)

    async with speaking(serve) as port:
        yield f"http://127.0.0.1:{port}"


async def test_a_body_is_posted_as_json_with_its_headers() -> None:
    seen: list[tuple[str, str, str, bytes]] = []

    async def take(request: web.Request) -> web.Response:
        body = await request.read()
        seen.append((request.path_qs, request.content_type, request.headers["webhook-id"], body))
        return web.Response(status=204)

    async with serving("POST", take) as url:
        assert await post(f"{url}/a?b=c%20d") == Answered(204)
    assert seen == [("/a?b=c%20d", "application/json", "x", b'{"a":1}')]


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "127.1", "0x7f.1", "[::1]", "[::ffff:127.0.0.1]", "0.0.0.0"]
)
async def test_an_address_inside_is_not_connected_to_whatever_name_or_number_led_there(host: str) -> None:
    connected = asyncio.Event()

    async def note(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connected.set()
        writer.close()

    server = await asyncio.start_server(note, None, 0, family=socket.AF_INET)
    port = server.sockets[0].getsockname()[1]
    async with server:
        answered = await post(f"http://{host}:{port}/", allow_private=False)
    assert answered.error in {"inside", "bad_url"}
    assert not connected.is_set()


async def test_a_name_that_leads_inside_in_many_ways_is_connected_to_in_none() -> None:
    def inside(host: str, port: int, *rest: Any) -> list[Any]:
        four = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in ("10.0.0.1", "127.0.0.1")]
        return [*four, (socket.AF_INET6, socket.SOCK_STREAM, 6, "", ("64:ff9b::a00:1", port, 0, 0))]

    async with Outbound(TIMEOUT, allow_private=False, lookup=inside) as outbound:
        assert await outbound.post("http://inside.example/", b"{}", {}) == Answered(None, error="inside")


async def test_a_name_is_resolved_once_so_that_it_cannot_mean_another_address_when_it_is_connected_to() -> None:
    asked: list[str] = []

    def changing(host: str, port: int, *rest: Any) -> list[Any]:
        asked.append(host)
        return socket.getaddrinfo("127.0.0.1" if len(asked) == 1 else "127.0.0.2", port, *rest)

    async with serving("POST", answering()) as url, Outbound(TIMEOUT, allow_private=True, lookup=changing) as outbound:
        assert await outbound.post(url.replace("127.0.0.1", "changing.example"), b"{}", {}) == Answered(200)
    assert asked == ["changing.example"]


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_not_followed(status: int) -> None:
    seen: list[str] = []

    async def elsewhere(request: web.Request) -> web.Response:
        seen.append(request.path)
        return web.Response(status=status, headers={"Location": "/elsewhere"})

    async with serving("*", elsewhere) as url:
        assert await post(f"{url}/here") == Answered(status)
    assert seen == ["/here"]


async def test_a_proxy_of_the_environment_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    async with serving("POST", answering()) as url:
        assert await post(url) == Answered(200)


async def test_no_cookie_is_kept() -> None:
    seen: list[str | None] = []

    async def cookies(request: web.Request) -> web.Response:
        seen.append(request.headers.get("Cookie"))
        return web.Response(headers={"Set-Cookie": "a=b"})

    async with serving("POST", cookies) as url, Outbound(TIMEOUT, allow_private=True) as outbound:
        for _ in range(2):
            await outbound.post(url, b"{}", {})
    assert seen == [None, None]


@pytest.mark.parametrize(("value", "told"), [("120", 120_000), ("0", 0), ("soon", None), ("-1", None)])
async def test_when_to_come_back_is_told_in_milliseconds(value: str, told: int | None) -> None:
    async with serving("POST", answering(503, Retry_After=value)) as url:
        assert await post(url) == Answered(503, told)


async def test_an_answer_counts_as_soon_as_its_head_is_there_however_long_its_body_is() -> None:
    async def endless(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while True:
            writer.write(b"10000\r\n" + b"a" * 0x10000 + b"\r\n")
            await writer.drain()

    async with raw(endless) as url:
        assert await post(url) == Answered(200)


@pytest.mark.parametrize("rest", [b"", b"HTTP/1.1 200 OK\r\nA: b", b"HTTP/1.1 100 Continue\r\n\r\n"])
async def test_a_receiver_that_does_not_answer_in_time_is_left(rest: bytes) -> None:
    async def hang(writer: asyncio.StreamWriter) -> None:
        for byte in rest:
            writer.write(bytes([byte]))
        await asyncio.sleep(60)

    began = time.monotonic()
    async with raw(hang) as url:
        assert await post(url) == Answered(None, error="timeout")
    assert time.monotonic() - began < TIMEOUT / 1000 + 10


@pytest.mark.parametrize(
    "answer", [b"", b"SSH-2.0-OpenSSH_9\r\n", b"HTTP/1.1 200 OK\r\nA: " + b"b" * 100_000 + b"\r\n\r\n", b"\x00" * 100]
)
async def test_what_is_no_answer_of_http_is_a_failure(answer: bytes) -> None:
    async def write(writer: asyncio.StreamWriter) -> None:
        writer.write(answer)
        await writer.drain()

    async with raw(write) as url:
        assert (await post(url)).status is None


@pytest.mark.parametrize(
    ("url", "error"),
    [
        ("http://127.0.0.1:9/", "refused"),
        ("http://no-such-name.invalid/", "dns"),
        (f"http://{'a' * 64}.example/", "dns"),
        ("http://127.0.0.1:99999/", "bad_url"),
        ("http:///", "bad_url"),
    ],
)
async def test_why_there_was_no_answer_is_told_in_a_word(url: str, error: str) -> None:
    assert (await post(url, timeout=5_000)).error == error


async def test_a_plain_server_behind_https_is_a_failure_of_tls() -> None:
    async with serving("POST", answering()) as url:
        assert (await post(url.replace("http:", "https:"))).error == "tls"


async def test_a_name_nobody_answers_for_holds_up_no_other_name_of_this_process() -> None:
    released = threading.Event()

    def slow(host: str, port: int, *rest: Any) -> list[Any]:
        released.wait(10)
        return []

    async with Outbound(100, allow_private=True, lookup=slow) as outbound:
        try:
            given_up = await asyncio.gather(*(outbound.post(f"http://{n}.slow/", b"{}", {}) for n in range(8)))
            assert {answered.error for answered in given_up} == {"timeout"}
            async with asyncio.timeout(5):
                assert await asyncio.get_running_loop().getaddrinfo("localhost", 80)
        finally:
            released.set()
