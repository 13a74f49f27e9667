"""One call of the gateway's HTTP API: its answer as JSON, or one of our errors."""

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

import aiohttp

from gateway import __version__
from gateway.client.errors import NotUnderstood, Unavailable, error_of
from gateway.model.errors import GatewayError, Refused

_CONNECT_S = 5.0
_ANSWER_S = 30.0
_NO_SUCH_PATH = frozenset({"not_found", "method_not_allowed"})


class Answer(NamedTuple):
    """A good answer: its body, and the time of day its sender says it was made at (an HTTP date), if it does."""

    document: Any
    date: str | None


class Http:
    """A gateway's HTTP API at one address."""

    def __init__(self, base_url: str, key: str | None) -> None:
        """Prepare to call BASE_URL, with KEY as bearer token; nothing connects yet.

        Raises Refused when one of them cannot be used.
        """
        self.base_url = _address(base_url)
        self._headers = {"User-Agent": f"napcat-gateway-client/{__version__}", "Accept": "application/json"}
        if key is not None:
            if not key.strip().isascii() or not key.strip().isprintable() or not key.strip():
                raise Refused("key_invalid", "the API key has characters that no key has; copy it again, as one line")
            self._headers["Authorization"] = f"Bearer {key.strip()}"
        self._session: aiohttp.ClientSession | None = None

    async def close(self) -> None:
        """Close every connection."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        query: Mapping[str, str] | None = None,
        wait_s: float = 0.0,
        also: tuple[int, ...] = (),
    ) -> Answer:
        """Make one call, whose answer may take WAIT_S longer than usual.

        Raises an error of `gateway.client.errors`; statuses in ALSO are good too.
        """
        raw, status, told = await self._exchange(method, path, body, query or {}, wait_s)
        document = _json(raw)
        if 200 <= status < 300 or status in also:
            if document is None:
                raise NotUnderstood(f"{self.base_url} answers {status} without JSON; is this the address of a gateway?")
            return Answer(document, told.get("Date"))
        raise self._failed(f"{method} {path}", status, document, told)

    async def _exchange(
        self, method: str, path: str, body: Any, query: Mapping[str, str], wait_s: float
    ) -> tuple[bytes, int, Mapping[str, str]]:
        """Return body, status and headers of whatever answers; raises Unavailable when nobody does."""
        data = None if body is None else json.dumps(body).encode("ascii")
        headers = {} if data is None else {"Content-Type": "application/json"}
        try:
            async with self._opened().request(
                method,
                self.base_url + path,
                params=query,
                data=data,
                headers=headers,
                allow_redirects=False,
                timeout=aiohttp.ClientTimeout(sock_connect=_CONNECT_S, sock_read=_ANSWER_S + wait_s),
            ) as answer:
                return await answer.read(), answer.status, answer.headers
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise Unavailable("unreachable", f"no answer from {self.base_url}: {_why(error)}") from error

    def _failed(self, call: str, status: int, document: Any, headers: Mapping[str, str]) -> GatewayError:
        """Return the error that an answer to CALL stands for."""
        if 300 <= status < 400:
            return NotUnderstood(f"{self.base_url} redirects elsewhere ({status}); give the address it redirects to")
        if not isinstance(document, dict):
            document = {"detail": f"{self.base_url} answered {status} without saying why"}
            if status < 500 and status not in {401, 403, 408, 429}:
                return NotUnderstood(f"{document['detail']}; is this the address of a gateway?")
        if document.get("code") in _NO_SUCH_PATH:
            return NotUnderstood(f"the gateway at {self.base_url} does not know {call}: it is older than this")
        return error_of(status, document, _seconds(headers.get("Retry-After")))

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(headers=self._headers)
        return self._session


def _address(base_url: str) -> str:
    scheme, _, rest = base_url.partition("://")
    if scheme.lower() not in {"http", "https"} or not rest.strip("/") or any(mark in rest for mark in "?# \n\t"):
        raise Refused("url_invalid", f"{base_url[:80]!r} is no address of a gateway; write http://127.0.0.1:8080")
    return base_url.rstrip("/")


def _why(error: Exception) -> str:
    cause = error.os_error if isinstance(error, aiohttp.ClientConnectorError) else error
    if isinstance(cause, TimeoutError):
        return "it takes too long"
    if isinstance(cause, ConnectionRefusedError):  # whose own words are of asyncio's making
        return "connection refused"
    return (isinstance(cause, OSError) and cause.strerror) or str(cause) or type(cause).__name__


def _json(raw: bytes) -> Any:
    try:
        return json.loads(raw)
    except ValueError:
        return None


def _seconds(retry_after: str | None) -> float | None:
    """Return the seconds of a Retry-After; a date, which the gateway never gives, counts as none."""
    return float(retry_after) if retry_after is not None and retry_after.isdecimal() else None
