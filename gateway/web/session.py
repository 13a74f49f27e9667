"""A session: a cookie that stands for an API key, so that a browser need not keep the key itself."""

import hashlib
import hmac
import re
from base64 import urlsafe_b64encode
from collections.abc import Iterable
from typing import NamedTuple

from aiohttp import web

from gateway.clock import Clock
from gateway.settings import Key

COOKIE = "gateway_session"
LASTS_S = 24 * 3600
"""How long a session lasts; then the key is asked for again."""
_TOKEN = re.compile(r"([A-Za-z0-9_.-]{1,64})~([0-9]{1,12})~([A-Za-z0-9_-]{43})")


class Session(NamedTuple):
    """Whose it is, and when it ends (epoch milliseconds)."""

    key: Key
    ends_at: int


class Sessions:
    """Makes and reads the tokens in the cookie: `<name of the key>~<end>~<MAC>`.

    Nothing is kept of them: any replica reads what another one made, also while Redis is away. The MAC's key is made of
    a secret that the replicas share and of the digest in `auth.keys`. Who only reads the settings can so make none, and
    a key that is changed or removed takes its sessions with it.
    """

    def __init__(self, secret: bytes, clock: Clock) -> None:
        """Sign with the SECRET of all replicas; sessions end by the time of day, which those share, too."""
        self._secret = secret
        self._clock = clock

    def begin(self, key: Key) -> tuple[str, Session]:
        """Return the token of a new session of KEY, and the session."""
        ends_s = self._clock.epoch_ms() // 1000 + LASTS_S
        return f"{key.name}~{ends_s}~{self._mac(key, ends_s)}", Session(key, ends_s * 1000)

    def read(self, token: str, keys: Iterable[Key]) -> Session | None:
        """Return the session that TOKEN is of, if it is one of KEYS and has not ended."""
        told = _TOKEN.fullmatch(token)
        if told is None or int(told[2]) * 1000 <= self._clock.epoch_ms():
            return None
        for key in keys:
            if key.name == told[1] and hmac.compare_digest(self._mac(key, int(told[2])), told[3]):
                return Session(key, int(told[2]) * 1000)
        return None

    def _mac(self, key: Key, ends_s: int) -> str:
        own = hmac.digest(self._secret, f"session of {key.sha256}".encode(), hashlib.sha256)
        made = hmac.digest(own, f"{key.name}~{ends_s}".encode(), hashlib.sha256)
        return urlsafe_b64encode(made).decode().rstrip("=")


def is_of_own_page(request: web.Request) -> bool:
    """Return whether a page of this very server made a browser send REQUEST, as far as the browser says.

    `Sec-Fetch-Site` says it where the address is trustworthy (https, loopback), and `Origin` with every POST and
    DELETE elsewhere. Neither can be written by a page.
    """
    site = request.headers.get("Sec-Fetch-Site")
    if site is not None:
        return site == "same-origin"
    origin = request.headers.get("Origin")
    return origin is not None and origin.partition("://")[2] == request.headers.get("Host", "")
