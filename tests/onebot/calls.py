"""Calls of a OneBot client, and what has to be true of their answers."""

from typing import Any

from tests.world import Gateway, Reply, World

JOB = {"group_id": 1, "message": "hello"}


FORM = {"Content-Type": "application/x-www-form-urlencoded"}


ENVELOPE = {"status", "retcode", "data", "message", "wording", "echo"}


async def call(gateway: Gateway, action: str, fields: dict[str, Any] | bytes, **headers: str) -> dict[str, Any]:
    """Return the envelope that answers a JSON post with HTTP 200."""
    reply = await gateway.post(f"/{action}", fields, {name.replace("_", "-"): text for name, text in headers.items()})
    return told(reply)


def told(reply: Reply, status: int = 200) -> dict[str, Any]:
    """Return the envelope of an answer, once it is one."""
    envelope: dict[str, Any] = reply.json
    assert reply.status == status, reply.body
    assert set(envelope) == ENVELOPE
    assert envelope["wording"] == envelope["message"]
    return envelope


def is_delivered(envelope: dict[str, Any], world: World) -> bool:
    """Whether the client was told the message id QQ shows for the last message."""
    assert (envelope["status"], envelope["retcode"], envelope["message"]) == ("ok", 0, "")
    assert envelope["data"]["message_id"] == world.napcat.delivered[-1].message_id
    return True


def refusal(envelope: dict[str, Any], *named: str) -> str:
    """Return why a call was refused, once that names what is wrong."""
    assert (envelope["status"], envelope["retcode"], envelope["data"]) == ("failed", 400, None)
    words: str = envelope["message"]
    assert all(f"{name}: " in words for name in named), words
    return words
