"""Posts to addresses that others have named: never to the inside, never further than told, never for long."""

import asyncio
import socket
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from ipaddress import ip_address
from typing import Any, NamedTuple, Self

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

from gateway import __version__
from gateway.model.address import is_inside
from gateway.web.retry_after import retry_after

_THREADS = 16  # for names: more than posts at once, since a thread outlives a post that was given up
_IDLE_S = 3.0
_ANSWER = 4096  # bytes of an answer that are taken in before the line is left to stand


class Answered(NamedTuple):
    """What a receiver answered: its HTTP status, or the error instead of one.

    retry_after  milliseconds it asks to be left alone, if it does
    error        `inside`, `dns`, `refused`, `tls`, `timeout`, `reset`, `bad_url`, `not_allowed`; "" when it answered
    """

    status: int | None
    retry_after: int | None = None
    error: str = ""


class Outbound:
    """An HTTP client for URLs of strangers.

    A name is resolved once for each connection, and the socket is made for an address that was checked: what the name
    means a moment later does not matter. There are no redirects, proxies or cookies, and no answer is read.
    """

    def __init__(self, timeout: int, *, allow_private: bool, lookup: Callable[..., Any] = socket.getaddrinfo) -> None:
        """Give a post TIMEOUT ms in all; connect to addresses inside only if that is allowed. LOOKUP may block."""
        self._timeout_s = timeout / 1000
        connector = aiohttp.TCPConnector(
            limit=0,
            keepalive_timeout=_IDLE_S,
            use_dns_cache=False,
            resolver=_Resolver(lookup),
            socket_factory=None if allow_private else _checked,
        )
        self._session = aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            headers={
                "Content-Type": "application/json",
                "Accept-Encoding": "identity",
                "User-Agent": f"napcat-gateway/{__version__}",
            },
            timeout=aiohttp.ClientTimeout(total=None),
            auto_decompress=False,
            read_bufsize=_ANSWER,
            trust_env=False,
        )

    async def __aenter__(self) -> Self:
        """Return the client, ready to post."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close every connection."""
        await self._session.close()

    async def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> Answered:
        """Post BODY, which is JSON, and return what was answered; no error of the network or the peer is raised."""
        try:
            async with (
                asyncio.timeout(self._timeout_s),
                self._session.post(url, data=body, headers=headers, allow_redirects=False) as response,
            ):
                return Answered(response.status, retry_after(response.headers))
        except (aiohttp.ClientError, OSError, ValueError, RuntimeError) as error:  # the last is what uvloop may raise
            return Answered(None, error=_named(error))


class _Inside(OSError):
    """The address lies inside."""


def _checked(info: tuple[int, int, int, str, tuple[str, int] | tuple[str, int, int, int]]) -> socket.socket:
    """Return a socket for the address in INFO, the only one it is then connected to; raises _Inside."""
    family, kind, protocol, _, address = info
    if is_inside(ip_address(address[0])):
        raise _Inside("the address lies inside")
    return socket.socket(family, kind, protocol)


class _Resolver(AbstractResolver):
    """Resolves names in threads of its own: a name nobody answers for must not hold up those that lanes need."""

    def __init__(self, lookup: Callable[..., Any]) -> None:
        self._lookup = lookup
        self._threads = ThreadPoolExecutor(_THREADS, "callback names")

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        found = await asyncio.get_running_loop().run_in_executor(
            self._threads, self._lookup, host, port, family, socket.SOCK_STREAM, 0, socket.AI_ADDRCONFIG
        )
        return [
            ResolveResult(
                hostname=host,
                host=str(address[0]),
                port=port,
                family=found_family,
                proto=protocol,
                flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
            )
            for found_family, _, protocol, _, address in found
        ]

    async def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)


def _named(error: Exception) -> str:
    """Name an error in our own words; the order matters, as aiohttp's classes are each other's children."""
    match error:
        case TimeoutError():
            return "timeout"
        case aiohttp.ClientConnectorDNSError() | UnicodeError():
            return "dns"
        case aiohttp.ClientSSLError() | aiohttp.ServerFingerprintMismatch():
            return "tls"
        case aiohttp.ClientConnectorError():
            return "inside" if isinstance(error.os_error, _Inside) else "refused"
        case ValueError():  # aiohttp.InvalidURL among them
            return "bad_url"
        case _:
            return "reset"
