"""Who may call, what for, and how often."""

import asyncio
import hmac
import math
from fnmatch import fnmatchcase
from ipaddress import ip_address
from typing import Literal, NamedTuple
from urllib.parse import urlsplit

from aiohttp import web

from gateway.clock import Clock
from gateway.model.window import Window
from gateway.settings import Auth, Key
from gateway.web.problem import Handler, problem
from gateway.web.secret import sha256_of
from gateway.web.session import COOKIE, Session, Sessions, is_of_own_page

Scope = Literal["send", "read", "admin"]

KEY = web.RequestKey("key", Key)
"""The API key a guarded request came with; absent where no keys are configured."""
SESSION = web.RequestKey("session", Session)
"""The session a guarded request came with, if it brought no key itself."""


class Later(NamedTuple):
    """Why something is not taken now: as HTTP tells it, and in how many SECONDS it may be."""

    status: int
    code: str
    detail: str
    seconds: int


_STOPPING = Later(503, "stopping", "this gateway is stopping; try again", 1)


class Guard:
    """Lets a request pass that brings a key with the scope it needs; everyone, where no keys are configured.

    What passes for the scope `send` is counted by the rate of its key, in this process: each replica counts by itself.
    """

    def __init__(self, auth: Auth, clock: Clock, stopping: asyncio.Event, sessions: Sessions, host: str = "") -> None:
        """Know the keys of AUTH, and their SESSIONS; from STOPPING on nothing new is let in that would be sent."""
        self._keys = auth.keys
        self._sessions = sessions
        self._host = host
        self._clock = clock
        self._stopping = stopping
        # Two keys of one name are one client that changes its secret: they share what it may send.
        self._windows = {key.name: Window(key.rate) for key in auth.keys if key.rate is not None}

    def become(self, auth: Auth, sessions: Sessions) -> None:
        """Know the keys of AUTH from now on, and no others; who keeps name and rate keeps what it has used of it."""
        rates = {key.name: key.rate for key in self._keys}
        known = self._windows
        self._windows = {
            key.name: known[key.name] if rates.get(key.name) == key.rate else Window(key.rate)
            for key in auth.keys
            if key.rate is not None
        }
        self._keys, self._sessions = auth.keys, sessions

    @property
    def sessions(self) -> Sessions:
        """Who begins sessions of the keys, and knows them."""
        return self._sessions

    def knows(self, key: Key | None) -> bool:
        """Return whether a request that was let in with KEY would be let in now."""
        return self.is_open if key is None else any(key == known for known in self._keys)

    def __call__(self, scope: Scope, handler: Handler) -> Handler:
        """Return HANDLER behind a check for SCOPE; the key is kept as `request[KEY]`."""

        async def guarded(request: web.Request) -> web.StreamResponse:
            if (stranger := self.from_elsewhere(request)) is not None:
                return stranger
            key = self._key(request)
            if self._keys and key is None:
                return problem(
                    401,
                    "unauthorized",
                    "send a configured key: `Authorization: Bearer <key>`",
                    headers={"WWW-Authenticate": "Bearer"},
                )
            if SESSION in request and request.method not in {"GET", "HEAD"} and not is_of_own_page(request):
                return _foreign("a session is good for the pages of this gateway only; send the key itself")
            if key is not None:
                request[KEY] = key
                if scope not in key.scopes:
                    return problem(403, "forbidden", f"the key {key.name!r} has no scope {scope!r}; see auth.keys")
            if scope == "send" and (refusal := self.turned_away(request, key)) is not None:
                return refusal
            return await handler(request)

        return guarded

    @property
    def is_open(self) -> bool:
        """Whether no keys are configured, and everyone on this machine may call."""
        return not self._keys

    def from_elsewhere(self, request: web.Request) -> web.Response | None:
        """Return the refusal of a request that a page of another site made somebody's browser send.

        Without keys everyone on this machine may call, and so may every page that a browser on it shows: by a form, or
        under a name of its own that points here. A key is what such a page does not have.
        """
        if not self.is_open:
            return None
        host = request.headers.get("Host", "")
        origin = request.headers.get("Origin")
        same = request.headers.get("Sec-Fetch-Site", "none") in {"none", "same-origin"}
        if same and (origin is None or origin.partition("://")[2] == host) and self._is_here(host):
            return None
        return _foreign(
            "a page of another site may not call, and not by a name that is not this machine's; configure auth.keys"
        )

    def _is_here(self, host: str) -> bool:
        try:
            name = urlsplit(f"//{host}").hostname or ""
            if name not in {"", "localhost", self._host} and not name.endswith(".localhost"):
                ip_address(name)
        except ValueError:  # a name of somewhere else, or none at all
            return False
        return True

    def turned_away(self, request: web.Request, key: Key | None) -> web.Response | None:
        """Count a request of KEY that would send; return its refusal when we stop, or when it is one too many."""
        # While we stop, what was sent here before can still be cancelled.
        later = self._over_rate(key) if request.method == "DELETE" else self.too_many(key)
        if later is None:
            return None
        answer = problem(later.status, later.code, later.detail, headers={"Retry-After": str(later.seconds)})
        if later is _STOPPING:
            answer.force_close()  # the next try is to find another replica, or the next process
        return answer

    def too_many(self, key: Key | None) -> Later | None:
        """Count one job of KEY; return why it is not taken, when we stop or when it is one too many."""
        return _STOPPING if self._stopping.is_set() else self._over_rate(key)

    async def tell_rate(self, request: web.Request, response: web.StreamResponse) -> None:
        """Write into every answer to a key that has a rate how much of it is left.

        The headers are those of draft-ietf-httpapi-ratelimit-headers-06, which clients read; later drafts spell them
        otherwise. `RateLimit-Reset` says in how many seconds the next one is free again.
        """
        key = request.get(KEY)
        window = self._windows.get(key.name) if key is not None else None
        if window is not None:
            now = self._clock.monotonic()
            response.headers["RateLimit-Limit"] = str(window.limit)
            response.headers["RateLimit-Remaining"] = str(window.left(now))
            response.headers["RateLimit-Reset"] = str(math.ceil(window.frees_in(now)))

    def _over_rate(self, key: Key | None) -> Later | None:
        window = self._windows.get(key.name) if key is not None else None
        if key is None or window is None:
            return None
        now = self._clock.monotonic()
        if window.take(now):
            return None
        seconds = max(1, math.ceil(window.frees_in(now)))
        return Later(
            429, "rate_exceeded", f"the key {key.name!r} may send {key.rate}; the next in {seconds} s", seconds
        )

    def _key(self, request: web.Request) -> Key | None:
        """Return the key that REQUEST brings, or, where it brings none, the one whose session it is of."""
        authorization = request.headers.get("Authorization")
        if authorization is not None:
            scheme, _, given = authorization.partition(" ")
            return self.key_of(given) if scheme.lower() == "bearer" else None
        session = self.sessions.read(request.cookies.get(COOKIE, ""), self._keys)
        if session is None:
            return None
        request[SESSION] = session
        return session.key

    def key_of(self, given: str) -> Key | None:
        """Return the configured key that was GIVEN; None when it is none."""
        digest = sha256_of(given.strip())
        found = None
        for key in self._keys:  # every key is compared, so that the time taken tells nothing
            if hmac.compare_digest(key.sha256, digest):
                found = key
        return found


def _foreign(detail: str) -> web.Response:
    return problem(403, "foreign", detail)


def reaches_all(key: Key | None) -> bool:
    """Return whether KEY reaches every target; so does who needs no key."""
    return key is None or "*" in key.targets


def may_use(key: Key | None, target: str) -> bool:
    """Return whether KEY reaches TARGET; without a key everything is within reach."""
    return key is None or any(fnmatchcase(target, pattern) for pattern in key.targets)
