"""Where an account's NapCat is, and what opens its door: checked once, before any connection."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import aiohttp

from gateway.model.errors import SettingsInvalid
from gateway.settings import Account

QUESTIONS = 6
"""Calls at once that send nothing, beside those that do: looks into two chats, one mute, one action that is passed
through, and whether the account works, so that a busy account can always be asked how it is."""

HTTP = frozenset({"http", "https"})
_OTHER = {"http": "ws", "https": "wss"}


def websocket_address(endpoint: str) -> str:
    """Return the address of NapCat's WebSocket API at ENDPOINT: its own scheme, and the path that has no events.

    `http://napcat:3001/qq` and `ws://napcat:3001/qq/api/` both become `ws://napcat:3001/qq/api`.
    """
    scheme, separator, rest = endpoint.rstrip("/").partition("://")
    return f"{_OTHER.get(scheme, scheme)}{separator}{rest.removesuffix('/api')}/api"


def events_address(account: Account) -> str:
    """Return where the events of ACCOUNT can be heard: where it says, or where its WebSocket sends go; else ""."""
    if account.events_url or account.transport != "ws":
        return account.events_url
    return websocket_address(account.endpoint).removesuffix("api")


def check_endpoint(endpoint: str, token: str, schemes: frozenset[str] = HTTP) -> None:
    """Raise SettingsInvalid when no request can go to ENDPOINT with TOKEN; the message repeats neither."""
    try:
        parts = urlsplit(endpoint)
        usable = parts.scheme in schemes and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable:
        raise SettingsInvalid("endpoint: no usable address; write http://host:port, with a path if there is one")
    if parts.username is not None and token:
        raise SettingsInvalid("endpoint: has a user name and the account a token; only one can be sent, drop one")
    if not token.isprintable():
        raise SettingsInvalid("token: has a line break or another character no HTTP header can carry; remove it")


def session(token: str, *, headers: Mapping[str, str] = {}, **options: Any) -> aiohttp.ClientSession:
    """Return an HTTP client that carries TOKEN in a header, never in the URL, where NapCat would log it.

    It keeps no cookies, and asks no proxy of the environment.
    """
    authorization = {"Authorization": f"Bearer {token}"} if token else {}
    return aiohttp.ClientSession(
        cookie_jar=aiohttp.DummyCookieJar(), headers={**headers, **authorization}, trust_env=False, **options
    )
