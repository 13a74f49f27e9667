"""A real Chromium, one for all tests here; where it or Playwright is missing, they say so and are skipped."""

import os
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
import pytest_asyncio

from tests.world import Gateway, World, world

if TYPE_CHECKING:
    from playwright.async_api import Browser, ConsoleMessage, Page, Request

_FLAGS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
]  # fmt: skip


class Visit:
    """A page that somebody opened, and everything about it that is not as it should be."""

    def __init__(self, page: "Page", gateway: Gateway) -> None:
        self.page = page
        self.troubles: list[str] = []
        self.requested: list[str] = []
        self._home = urlsplit(gateway.url).netloc
        page.on("console", self._console)
        page.on("pageerror", lambda error: self.troubles.append(f"error {error}"))
        page.on("dialog", lambda dialog: self.troubles.append(f"dialog {dialog.message}"))
        page.on("request", self._request)
        page.on("requestfailed", lambda request: self.troubles.append(f"failed {request.url}"))

    def _console(self, message: "ConsoleMessage") -> None:
        if message.type in {"error", "warning"}:
            self.troubles.append(f"{message.type} {message.text}")

    def _request(self, request: "Request") -> None:
        self.requested.append(request.url)
        if urlsplit(request.url).netloc != self._home:
            self.troubles.append(f"foreign {request.url}")


Open = Callable[..., Awaitable[Visit]]


@pytest_asyncio.fixture(name="browser", scope="session", loop_scope="session")
async def _browser() -> AsyncIterator["Browser"]:
    playwright = pytest.importorskip("playwright.async_api", reason="Playwright is not installed (extra: browser)")
    program = os.environ.get("CHROMIUM") or shutil.which("chromium")
    if program is None:
        pytest.skip("there is no Chromium: install it, or name it in $CHROMIUM")
    async with playwright.async_playwright() as started:
        browser = await started.chromium.launch(executable_path=program, args=_FLAGS)
        yield browser
        await browser.close()


@pytest_asyncio.fixture(name="world", loop_scope="session")
async def _world(browser: "Browser", tmp_path: Path, transport: str) -> AsyncIterator[World]:
    """A world in the loop of the browser."""
    async with world(tmp_path, transport) as made:
        yield made


@pytest_asyncio.fixture(name="visit", loop_scope="session")
async def _visit(browser: "Browser") -> AsyncIterator[Open]:
    """Open the dashboard of a gateway: `await visit(gateway, locale=…, color_scheme=…, viewport=…)`."""
    contexts = []

    async def visit(gateway: Gateway, path: str = "/", **options: Any) -> Visit:
        usual = {"locale": "en-GB", "viewport": {"width": 1280, "height": 900}}
        context = await browser.new_context(**{**usual, **options})
        contexts.append(context)
        visit = Visit(await context.new_page(), gateway)
        await visit.page.goto(gateway.url + path)
        return visit

    yield visit
    for context in contexts:
        await context.close()
