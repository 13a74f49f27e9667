"""A line to a gateway on which single answers are lost or replaced."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import aiohttp
from aiohttp import web

from tests.world import Gateway, serving

Instead = Callable[[int, web.Request], web.Response | str | None]
"""What becomes of request number N (from 0): an answer instead, `lose` its answer, or None: nothing."""


@asynccontextmanager
async def between(gateway: Gateway, instead: Instead) -> AsyncIterator[str]:
    """Yield an address at which GATEWAY answers, but for what INSTEAD says."""
    async with aiohttp.ClientSession() as session:
        count = 0

        async def handle(request: web.Request) -> web.StreamResponse:
            nonlocal count
            number, count = count, count + 1
            wish = instead(number, request)
            if isinstance(wish, web.Response):
                return wish
            body = await request.read()
            headers = {name: request.headers[name] for name in ("Content-Type",) if name in request.headers}
            url = gateway.url + request.raw_path
            async with session.request(request.method, url, data=body, headers=headers) as answer:
                raw = await answer.read()
                if wish == "lose":
                    assert request.transport is not None
                    request.transport.abort()
                return web.Response(status=answer.status, body=raw, content_type=answer.content_type)

        async with serving("*", handle) as url:
            yield url
