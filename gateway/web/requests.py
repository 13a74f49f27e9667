"""What a request may be: how large, how slow, and with which parameters."""

import asyncio
import logging
from collections.abc import Iterable
from contextlib import suppress
from typing import Any
from urllib.parse import unquote_to_bytes

from aiohttp import web
from aiohttp.http import HttpProcessingError, HttpVersion11
from aiohttp.typedefs import Middleware

from gateway.model.errors import Fault, Refused
from gateway.settings import Http
from gateway.telemetry import Event, Log
from gateway.web.problem import Handler, problem

MAX_LINE = 8190
"""Longest request line, in bytes, and longest header field; more is answered with 400."""
MAX_HEADERS = 100
_SMALL = 16 * 1024  # bytes; a document of a few fields that is larger names thousands that are none
_LINGER_S = 2.0  # how long a client that was refused before its body was read may go on sending, to read the answer


def server_limits(http: Http) -> dict[str, Any]:
    """Return what aiohttp's server needs to know: web.Application(handler_args=…).

    A connection on which no complete head of a request comes within `http.keepalive`, after it was opened or after the
    last answer, is closed: whether it is idle, or sends a head byte by byte.
    """
    return {
        "keepalive_timeout": http.keepalive / 1000,
        "lingering_time": min(_LINGER_S, http.timeout / 1000),
        "max_line_size": MAX_LINE,
        "max_field_size": MAX_LINE,
        "max_headers": MAX_HEADERS,
        "logger": _server_log(),
    }


def in_time(http: Http) -> Middleware:
    """Return a middleware that answers 408, and closes, when a body has not come within `http.timeout`.

    The time is that of the body alone: once all of it is there, a handler may take as long as it needs.
    """

    @web.middleware
    async def receive(request: web.Request, handler: Handler) -> web.StreamResponse:
        body = request.content
        if body.is_eof():  # it came with the head, as most do, or there is none
            return await handler(request)
        try:
            if (request.content_length or 0) > http.max_body:
                raise web.HTTPRequestEntityTooLarge(http.max_body, request.content_length or 0)
            async with asyncio.timeout(http.timeout / 1000) as deadline:

                def arrived() -> None:
                    with suppress(RuntimeError):  # the answer is out already
                        deadline.reschedule(None)

                body.on_eof(arrived)
                return await handler(request)
        except TimeoutError:
            if not deadline.expired():
                raise
            late = problem(408, "body_late", f"the body did not come within {http.timeout} ms (http.timeout)")
            late.force_close()
            return late
        finally:
            _leave(request)

    return receive


def _leave(request: web.Request) -> None:
    """Let go of a compressed body that nobody read to its end.

    The server reads on for a while, so that the client gets to its answer: of a bomb it would unpack gigabytes by that,
    and do nothing else meanwhile.
    """
    if "Content-Encoding" in request.headers and not request.content.is_eof():
        request.content.set_exception(web.RequestPayloadError("left"))


async def read_small(request: web.Request) -> bytes:
    """Return the body of REQUEST, a document of a few fields; of one that is more than that only so much is read.

    Raises Refused `too_large`.
    """
    if (request.content_length or 0) <= _SMALL:
        with suppress(web.HTTPRequestEntityTooLarge):
            return await request.clone(client_max_size=_SMALL).read()
    raise Refused("too_large", f"the body has more than {_SMALL} bytes, and a few fields are asked for here")


async def keep_private(_request: web.Request, response: web.StreamResponse) -> None:
    """Write into every answer that says nothing else that nobody is to keep it, or to take it for something else.

    By the cookie of a session browsers ask as people: what they are told (messages, cookies) is for no cache between.
    """
    response.headers.setdefault("Cache-Control", "no-store")
    response.headers.setdefault("X-Content-Type-Options", "nosniff")


def takes(handler: Handler, *parameters: str) -> Handler:
    """Return HANDLER behind a check that the query names only PARAMETERS, each once: nothing is passed over in silence.

    Raises Refused `query_invalid` with a fault for each parameter.
    """
    known = f"this path takes {' and '.join(parameters)}" if parameters else "this path takes no parameters"

    async def asked(request: web.Request) -> web.StreamResponse:
        if not request.query_string:
            return await handler(request)
        check_query(request)
        given = [name[:40] for name, _ in request.query.items()]  # an iteration over names leaves out repeated ones
        faults = [Fault(f"query.{name}", known, "unknown") for name in dict.fromkeys(given) if name not in parameters]
        faults += [Fault(f"query.{name}", "give it once", "repeated") for name in parameters if given.count(name) > 1]
        if faults:
            names = ", ".join(fault.loc.removeprefix("query.") for fault in faults)
            raise Refused("query_invalid", f"the query is not understood: {names}", faults)
        return await handler(request)

    return asked


def check_query(request: web.Request) -> None:
    """Raise Refused `query_unreadable` for a query that is not UTF-8: decoded, it would say something else."""
    try:
        unquote_to_bytes(request.rel_url.raw_query_string).decode("utf-8")
    except UnicodeError:
        raise Refused("query_unreadable", "the query is not UTF-8; percent-encode it as UTF-8") from None


def only_header(request: web.Request, name: str) -> str | None:
    """Return the header NAME; raises Refused `header_invalid` when it is given twice: nobody can tell which counts."""
    given = request.headers.getall(name, [])
    if len(given) > 1:
        fault = Fault(f"header.{name}", "give it once", "repeated")
        raise Refused("header_invalid", f"{name} is given {len(given)} times", [fault])
    return given[0] if given else None


def add_routes(app: web.Application, routes: Iterable[web.RouteDef]) -> None:
    """Serve ROUTES by APP; an Expect header that nobody understands is answered as a problem, like all else."""
    for route in routes:
        kwargs = {**route.kwargs, "expect_handler": _expect}
        web.RouteDef(route.method, route.path, route.handler, kwargs).register(app.router)


async def _expect(request: web.Request) -> web.StreamResponse | None:
    if request.headers.get("Expect", "").lower() != "100-continue":
        return problem(417, "expectation_failed", "only `Expect: 100-continue` is understood; leave it out")
    if request.version >= HttpVersion11:
        await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        request.writer.output_size = 0  # as if nothing of the answer had been written
    return None


def _server_log() -> logging.Logger:
    """Return a logger for aiohttp's server: its own would write requests it cannot read, secrets and all."""
    logger = logging.Logger("aiohttp.server")
    logger.addHandler(_Failures())
    return logger


class _Failures(logging.Handler):
    """Writes what went wrong in the server as an event of ours; what a client did wrong, only the client is told."""

    def emit(self, record: logging.LogRecord) -> None:
        error = record.exc_info[1] if record.exc_info else None
        if not isinstance(error, HttpProcessingError | web.RequestPayloadError):
            Log().error(Event.REQUEST_FAILED, error=f"{type(error).__name__}: {record.getMessage()}")
