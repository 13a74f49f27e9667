"""`GET /v1/jobs`: the jobs of all accounts, newest first, page by page."""

import json
import re
from base64 import b64decode, urlsafe_b64encode
from binascii import Error

from aiohttp import web

from gateway.model.errors import Fault, Refused
from gateway.results.search import Position, Search, parse_filter
from gateway.web import KEY

PARAMETERS = ("state", "target", "account", "since", "until", "limit", "cursor")
_MOST, _USUAL = 500, 50
_LONGEST = 1.0  # seconds a page may take to find; then it is what was found until then
_CURSOR = re.compile(r"([1-9][0-9]{0,14})-([0-9]{1,15}) ([a-z0-9][a-z0-9_-]{0,31})")


class Listing:
    """Lists jobs for those who may read them."""

    def __init__(self, search: Search) -> None:
        """Find jobs by SEARCH."""
        self._search = search

    async def get(self, request: web.Request) -> web.Response:
        """Answer `{items: [receipt without attempts], next_cursor}`, newest admission first.

        `state` may be several, parted by commas; when all of them are endings without delivery, the newest end comes
        first. `since` and `until` (RFC 3339) are about `updated_at`. A page whose jobs are hard to find has fewer than
        `limit` (1 to 500, default 50), maybe none: the end is where `next_cursor` is null.
        """
        query = dict(request.query.items())
        most, after = _limit(query.pop("limit", None)), _position(query.pop("cursor", None))
        wish = parse_filter(query, "query_invalid", "query.")
        page = await self._search.page(wish.wanted(request.get(KEY)), wish.account, after, most, _LONGEST)
        items = b",".join(hit.found.receipt for hit in page.hits)
        cursor = json.dumps(_cursor(page.after) if page.after else None).encode()
        return web.Response(body=b'{"items":[%b],"next_cursor":%b}' % (items, cursor), content_type="application/json")


def _limit(text: str | None) -> int:
    if text is None:
        return _USUAL
    if re.fullmatch(r"[0-9]{1,3}", text) and 1 <= int(text) <= _MOST:
        return int(text)
    fault = Fault("query.limit", f"give a whole number from 1 to {_MOST}", "limit")
    raise Refused("query_invalid", "limit cannot be used", [fault])


def _cursor(position: Position) -> str:
    return urlsafe_b64encode(f"{position.ms}-{position.seq} {position.account}".encode()).decode().rstrip("=")


def _position(cursor: str | None) -> Position | None:
    if cursor is None:
        return None
    try:
        padded = cursor.encode("ascii") + b"=" * (-len(cursor) % 4)
        told = _CURSOR.fullmatch(b64decode(padded, altchars=b"-_", validate=True).decode("ascii"))
    except (Error, ValueError):
        told = None
    if told is None:
        fault = Fault("query.cursor", "give next_cursor of the page before, as it is; leave it out to begin", "cursor")
        raise Refused("query_invalid", "cursor cannot be used", [fault])
    return Position(int(told[1]), int(told[2]), told[3])
