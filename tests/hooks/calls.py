"""Hooks for tests, and how their senders call them."""

import hashlib
import hmac
import json
from typing import Any

from tests.world import Gateway, Reply, World

SECRET = "It's a Secret to Everybody"


TOKEN = {"Authorization": f"Bearer {SECRET}"}


GROUP = "group:123456"


PUSH: dict[str, Any] = {
    "ref": "refs/heads/main",
    "deleted": False,
    "forced": False,
    "compare": "https://github.com/octocat/Hello-World/compare/a1...b2",
    "commits": [{"id": "7fd1a60b01f91b31", "message": "Update README", "author": {"name": "The Octocat"}}],
    "repository": {"full_name": "octocat/Hello-World"},
    "sender": {"login": "octocat"},
}


TOLD = (
    "[octocat/Hello-World] octocat pushed 1 commit to main\n7fd1a60 Update README (The Octocat)\n"
    "https://github.com/octocat/Hello-World/compare/a1...b2"
)


def github(**fields: Any) -> dict[str, Any]:
    return {"name": "code", "preset": "github", "secret": SECRET, "targets": [GROUP], **fields}


def generic(**fields: Any) -> dict[str, Any]:
    return {"name": "any", "preset": "generic", "secret": SECRET, "targets": [GROUP], **fields}


def bark(**fields: Any) -> dict[str, Any]:
    return {"name": "bark", "preset": "bark", "secret": "key1", "targets": [GROUP], **fields}


def signed(body: bytes, *, event: str = "push", delivery: str = "d-1", secret: str = SECRET) -> dict[str, str]:
    digest = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    return {"X-GitHub-Event": event, "X-GitHub-Delivery": delivery, "X-Hub-Signature-256": f"sha256={digest}"}


async def push(gateway: Gateway, body: bytes = json.dumps(PUSH).encode(), **said: str) -> Reply:
    return await gateway.post("/hooks/code", body, signed(body, **said))


async def refused(world: World) -> list[dict[str, str]]:
    """Return the entries that were written down as refused."""
    entries: Any = await world.clients.commands.xrange("gw:invalid")
    return [{name.decode(): text.decode() for name, text in fields.items()} for _id, fields in entries]


async def nothing_happened(world: World, gateway: Gateway) -> None:
    assert await refused(world) == []
    assert (await gateway.status())["backlog"] == {"queued": 0, "targets": []}
    assert world.napcat.received == []
