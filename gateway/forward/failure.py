"""What an exception of aiohttp proves about a request: one table for both transports.

What went wrong decides whether a message may be sent again, so every failure is named by what it proves. The order
matters: aiohttp's classes are each other's children.
"""

import aiohttp

from gateway.model.verdict import Failure


def unreached(error: Exception) -> Failure | None:
    """Name why there was no connection at all; None when there was one, or there may have been."""
    match error:
        case aiohttp.InvalidURL():
            return "bad_endpoint"
        # a UnicodeError: the name has a label that DNS cannot spell
        case aiohttp.ClientConnectorDNSError() | UnicodeError():
            return "dns"
        case aiohttp.ClientSSLError() | aiohttp.ServerFingerprintMismatch():
            return "tls"
        # an OSError while connecting, e.g. refused, unreachable, closed within the TLS handshake
        case aiohttp.ClientConnectorError():
            return "connect_timeout" if isinstance(error.os_error, TimeoutError) else "refused"
        case _:
            return None


def failure_of(error: Exception, *, crowded: bool) -> Failure:
    """Name what the exception of an HTTP call proves; CROWDED: more calls were waiting than there are connections."""
    if (failure := unreached(error)) is not None:
        return failure
    match error:
        # one clock runs for getting a connection from the pool and for making one
        case aiohttp.ConnectionTimeoutError():
            return "pool" if crowded else "connect_timeout"
        # SocketTimeoutError: nothing came; a bare TimeoutError: not all of it came in the whole time
        case TimeoutError():
            return "timeout"
        # the peer speaks, but not HTTP
        case aiohttp.ClientResponseError():
            return "unparsable"
        # ServerDisconnectedError, ClientOSError, ClientConnectionResetError, ClientPayloadError: there was a
        # connection, if only a reused one, so the request may have arrived
        case _:
            return "reset"


def words(error: BaseException) -> str:
    """Return a failure in our own words: aiohttp's quote what the peer sent, which may be our token, sent back."""
    cause = error.os_error if isinstance(error, aiohttp.ClientConnectorError) else error
    if isinstance(cause, OSError) and cause.strerror:
        return f"{type(error).__name__}: {cause.strerror}"
    return type(error).__name__
