"""A call of a OneBot client: which action it asks for, with which fields, and by whose key."""

import asyncio
import re
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from gateway.intake.onebot.reading import Fields, read_form, read_json
from gateway.model.errors import Refused
from gateway.settings import Key
from gateway.web import Guard, check_query

LARGE = 64 * 1024
"""Bytes of a body that is read in a thread."""
_FORM = "application/x-www-form-urlencoded"
_OBJECT = re.compile(rb"\s*\{")
_NO_KEY = (
    "send a configured key: `Authorization: Bearer <key>` or ?access_token=, or, below 64 KiB, as a field access_token"
)
_NO_PARAMS = frozenset({"echo", "access_token"})


class Answered(Exception):
    """The call is answered before it is done: who calls may not, or it cannot be read."""

    def __init__(self, status: int, words: str) -> None:
        """Answer with an HTTP STATUS, which is the retcode too, and WORDS."""
        super().__init__(words)
        self.status = status
        self.words = words


@dataclass(frozen=True, slots=True)
class Call:
    """What is asked for; `account` is the one in the path, None when none is there."""

    action: str
    account: str | None
    fields: Fields
    key: Key | None

    @property
    def name(self) -> str:
        """Return the action that this one is an alias of; all sends are paced: `…_rate_limited` says nothing more."""
        return re.sub(r"_(async|rate_limited)$", "", self.action)

    @property
    def echo(self) -> Any:
        """Return what comes back in the answer."""
        return self.fields.get("echo")

    @property
    def params(self) -> Fields:
        """Return the fields that are the action's own."""
        return {name: value for name, value in self.fields.items() if name not in _NO_PARAMS}


async def opened(request: web.Request, guard: Guard) -> Call:
    """Return the call that REQUEST makes: the fields of its query over those of its body, as at NapCat.

    Raises Answered for who may not call by GUARD, and, as Refused, for what cannot be read.
    """
    check_query(request)
    query: Fields = dict(request.query.items())
    if guard.from_elsewhere(request) is not None:
        raise Answered(403, "a page of another site may not call; configure auth.keys and send one")
    given = query.get("access_token") or _header_token(request)
    key = _key(given, guard) if given else None
    stranger = key is None and not guard.is_open
    try:
        fields = {**await _body(request, stranger=stranger), **query}
    except (Refused, Answered):
        if stranger:
            raise Answered(401, _NO_KEY) from None
        raise
    if key is None and isinstance(given := fields.get("access_token"), str) and given:
        key = _key(given, guard)
    if key is None and not guard.is_open:
        raise Answered(401, _NO_KEY)
    return Call(request.match_info["action"], request.match_info.get("account"), fields, key)


def _key(given: str, guard: Guard) -> Key | None:
    if guard.is_open:
        return None
    key = guard.key_of(given)
    if key is None:
        raise Answered(403, "this access token is none of auth.keys")
    if "send" not in key.scopes:
        raise Answered(403, f"the key {key.name!r} has no scope 'send'; see auth.keys")
    return key


async def _body(request: web.Request, *, stranger: bool) -> Fields:
    """Return the fields in the body: JSON, also where no content type or curl's default one is given, or a form.

    The key of a STRANGER may be one of them, but a large body is neither waited for nor looked into to find that out.
    """
    if stranger and (request.content_length or 0) >= LARGE:
        raise Answered(401, _NO_KEY)
    raw = b"" if request.method == "GET" else await request.read()
    if stranger and len(raw) >= LARGE:
        raise Answered(401, _NO_KEY)
    if not raw.strip():
        return {}
    kind = request.content_type if "Content-Type" in request.headers else "application/json"
    if kind == _FORM and not _OBJECT.match(raw):
        return read_form(raw)
    if kind not in {_FORM, "application/json"}:
        raise Answered(406, f"send application/json or a form ({_FORM}), not {kind[:60]}")
    return read_json(raw) if len(raw) < LARGE else await asyncio.to_thread(read_json, raw)


def _header_token(request: web.Request) -> str:
    """Return the token in the header, which NapCat also takes without `Bearer`."""
    header = request.headers.get("Authorization", "").strip()
    scheme, _, rest = header.partition(" ")
    return rest.strip() if scheme.lower() == "bearer" else header
