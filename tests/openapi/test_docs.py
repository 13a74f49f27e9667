"""The description as a page: complete, and made of nothing from elsewhere."""

import base64
import hashlib
import json
import re
import shlex
from html.parser import HTMLParser

import pytest

from gateway.openapi import openapi_document, openapi_json
from gateway.openapi.page import docs_page
from gateway.openapi.table import OPERATIONS
from tests.world import World

NEEDS_NO_END = {"meta", "link", "br", "hr", "img", "input"}


class Page(HTMLParser):
    """What is in a page: its ids, its links, and whether every element is ended where it should be."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.ids: list[str] = []
        self.links: list[str] = []
        self.calls: list[str] = []
        self._open: list[str] = []
        self.feed(text)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        given = dict(attrs)
        assert not any(name.startswith("on") or name == "style" for name in given)
        self.ids += [value for name, value in attrs if name == "id" and value]
        self.links += [value or "" for name, value in attrs if name in {"href", "src"}]
        if tag not in NEEDS_NO_END:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self._open[-2:] == ["pre", "code"] and data.startswith("curl "):
            self.calls.append(data)


@pytest.fixture(name="page", scope="module")
def _page() -> Page:
    return Page(docs_page(openapi_document()))


def test_every_operation_and_every_shape_has_its_place_and_every_link_leads_to_one(page: Page) -> None:
    assert len(page.ids) == len(set(page.ids))
    named = {re.sub("[^A-Za-z0-9]", "-", operation.name) for operation in OPERATIONS if operation.like is None}
    assert named | {f"schema-{name}" for name in openapi_document()["components"]["schemas"]} <= set(page.ids)
    assert {link.removeprefix("#") for link in page.links if link != "/openapi.json"} <= set(page.ids)


def test_nothing_is_loaded_from_elsewhere_and_nothing_runs(page: Page) -> None:
    assert page.tags.isdisjoint({"script", "link", "img", "iframe", "form", "object"})
    assert all(link.startswith("#") or link == "/openapi.json" for link in page.links)


async def test_the_page_allows_its_own_style_and_nothing_else(world: World) -> None:
    reply = await (await world.gateway()).get("/docs")
    style = re.search(r"<style>(.*?)</style>", reply.body.decode(), re.DOTALL)
    assert style is not None
    digest = base64.b64encode(hashlib.sha256(style[1].encode()).digest()).decode()
    policy = reply.headers["Content-Security-Policy"]
    assert policy.startswith(f"default-src 'none'; style-src 'sha256-{digest}';")
    assert reply.headers["X-Content-Type-Options"] == "nosniff"


async def test_the_lines_to_copy_work_as_they_are(world: World, page: Page) -> None:
    gateway = await world.gateway(onebot={"wait": "100ms"})
    assert len(page.calls) >= len({operation.name for operation in OPERATIONS if operation.like is None})
    for call in page.calls:
        words = shlex.split(call)
        method, data, address = "GET", None, ""
        headers: dict[str, str] = {}
        for option, value in zip(words, [*words[1:], ""], strict=True):
            if option == "-X":
                method = value
            elif option == "-H":
                name, _, given = value.partition(": ")
                headers[name] = given
            elif option == "-d":
                method, data = "POST", value
            elif option.startswith("http"):
                address = option.removeprefix("http://127.0.0.1:8080")
        headers.pop("Authorization", None)
        if address == "/dashboard/stream":  # it has no end
            continue
        reply = await gateway.request(method, address, data=data, headers=headers)
        assert reply.status in {200, 202, 204, 401, 404, 409}, (call, reply.body)


async def test_what_is_served_is_what_the_command_prints(world: World) -> None:
    gateway = await world.gateway()
    reply = await gateway.get("/openapi.json")
    assert reply.json == openapi_document() == json.loads(openapi_json())
    assert reply.headers["Content-Type"] == "application/json"
