"""Calls of the HTTP API, as somebody else's program makes them."""

from typing import Any

import aiohttp


async def ask(url: str, document: Any = None, method: str = "") -> tuple[int, Any]:
    """Return status and JSON of the answer; with a DOCUMENT it is a POST, unless METHOD says otherwise."""
    method = method or ("GET" if document is None else "POST")
    async with aiohttp.ClientSession() as session, session.request(method, url, json=document) as answer:
        return answer.status, await answer.json(content_type=None)
