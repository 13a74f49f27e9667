"""Where a receipt may be posted: what a job may name as its callback URL."""

import re
from fnmatch import fnmatchcase
from urllib.parse import SplitResult, urlsplit

from gateway.model.address import is_inside, literal_address
from gateway.settings import Callbacks

_HOST = re.compile(r"[a-z0-9_-]{1,63}(\.[a-z0-9_-]{1,63})*\.?|[0-9a-f:.]*:[0-9a-f:.]*")


def receiver_of(url: str, callbacks: Callbacks) -> str:
    """Return the host that URL leads to, if CALLBACKS lets receipts be posted there; raises ValueError with the remedy.

    Only literal addresses are judged here, in every spelling that resolvers understand; where a name leads is judged
    when a connection is made.
    """
    if not callbacks.secrets:
        raise ValueError(
            "callbacks.secrets is empty, so receipts cannot be signed; ask the operator to set it, "
            "or read the receipts stream or GET /v1/jobs/{id}"
        )
    if not url.isprintable() or " " in url or "\\" in url:
        raise ValueError("a URL has no blanks, control characters or backslashes; percent-encode them")
    host = _host(_split(url))
    address = literal_address(host)
    if address is not None:
        if not callbacks.allow_private and is_inside(address):
            raise ValueError(
                "the URL names a private, loopback or link-local address; use a public one, or ask the operator for "
                "callbacks.allow_private"
            )
        if address.version == 4 and host != str(address):
            raise ValueError(f"the URL's host is an address in a spelling few understand; write {address}")
        host = str(address)
    if not any(fnmatchcase(host, pattern.lower()) for pattern in callbacks.hosts):
        raise ValueError("the URL's host is not allowed; ask the operator to add it to callbacks.hosts")
    return host


def _split(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise ValueError("this is no URL; write http(s)://host:port/path, with a port from 1 to 65535") from None
    brackets_fit = ":" in (parts.hostname or "") or "[" not in parts.netloc
    if parts.scheme not in {"http", "https"} or not parts.hostname or port == 0 or not brackets_fit:
        raise ValueError("this is no URL a receipt can be posted to; write http(s)://host/path")
    if "@" in parts.netloc:
        raise ValueError("the URL has a user name or password; leave them out, and check the receipt's signature")
    return parts


def _host(parts: SplitResult) -> str:
    host = parts.hostname or ""
    if not _HOST.fullmatch(host) or len(host) > 253:
        raise ValueError("the URL's host is no plain ASCII name; write its name, or its xn-- form")
    return host.rstrip(".")
