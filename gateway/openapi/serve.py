"""`GET /openapi.json` and `GET /docs`: both made once, of nothing that is secret, and served to who may call at all."""

import asyncio
from functools import cache

from aiohttp import web

from gateway.openapi.document import openapi_document, openapi_json
from gateway.openapi.page import POLICY, docs_page
from gateway.web import Guard

_HEADERS = {"Cache-Control": "no-cache", "X-Content-Type-Options": "nosniff"}


class Documentation:
    """Serves what is written of the paths. No key is needed: it says nothing of this gateway in particular.

    Who first asks waits until it is made, in a thread: a gateway is not kept from starting or sending by it.
    """

    def __init__(self, guard: Guard) -> None:
        """Turn away, by GUARD, pages of other sites."""
        self._guard = guard

    async def document(self, request: web.Request) -> web.Response:
        """Answer `/openapi.json`."""
        return self._guard.from_elsewhere(request) or web.Response(
            body=await asyncio.to_thread(openapi_json), content_type="application/json", headers=_HEADERS
        )

    async def page(self, request: web.Request) -> web.Response:
        """Answer `/docs`."""
        return self._guard.from_elsewhere(request) or web.Response(
            body=await asyncio.to_thread(_page),
            content_type="text/html",
            charset="utf-8",
            headers={**_HEADERS, "Content-Security-Policy": POLICY, "Referrer-Policy": "no-referrer"},
        )


@cache
def _page() -> bytes:
    return docs_page(openapi_document()).encode()
