"""Bark and ServerChan: what their apps send is taken, and answered as they answer."""

from typing import Any

import pytest

from tests.hooks.calls import GROUP, bark, nothing_happened
from tests.world import World


async def test_bark_is_answered_as_bark_answers(world: World) -> None:
    gateway = await world.gateway(hooks=[bark(at=["10001"])])
    reply = await gateway.get("/hooks/bark/key1/%E9%97%A8%2F%E7%AA%97/open%3F+yes?url=https://e.com/%3Fa%3D1%26b%3D2")
    assert reply.status == 200
    answer = reply.json
    assert answer.pop("timestamp") > 1_700_000_000
    assert answer == {"code": 200, "message": "success"}
    await world.ended(1)
    assert world.napcat.texts(GROUP) == ["门/窗\nopen? yes\nhttps://e.com/?a=1&b=2"]


@pytest.mark.parametrize(
    ("method", "path", "options"),
    [
        ("GET", "/hooks/bark/key1/hello", {}),
        ("GET", "/hooks/bark/key1?body=hello", {}),
        ("GET", "/hooks/bark?device_key=key1&body=hello", {}),
        ("POST", "/hooks/bark/key1/hello", {}),
        ("POST", "/hooks/bark/key1", {"data": {"body": "hello"}}),
        ("POST", "/hooks/bark/key1", {"json": {"body": "hello"}}),
        ("POST", "/hooks/bark/push", {"json": {"body": "hello", "device_key": "key1"}}),
        ("POST", "/hooks/bark/push", {"data": {"body": "hello", "device_key": "key1"}}),
        ("POST", "/hooks/bark/key2/hello", {}),
    ],
)
async def test_bark_is_called_in_many_ways(world: World, method: str, path: str, options: dict[str, Any]) -> None:
    gateway = await world.gateway(hooks=[bark(secret=["key1", "key2"])])
    assert (await gateway.request(method, path, **options)).status == 200
    await world.ended(1)
    assert world.napcat.texts(GROUP) == ["hello"]


@pytest.mark.parametrize("path", ["/wrong/hello", "", "/", "/push", "/KEY1/hello", "/key1%2Fhello", "/key/hello"])
async def test_bark_without_its_key_is_refused(world: World, path: str) -> None:
    gateway = await world.gateway(hooks=[bark()])
    assert (await gateway.get(f"/hooks/bark{path}")).status == 401
    await nothing_happened(world, gateway)


async def test_serverchan_is_answered_as_serverchan_answers(world: World) -> None:
    hook = {"name": "sc", "preset": "serverchan", "secret": "SCT1T2abc", "targets": GROUP}
    gateway = await world.gateway(hooks=[hook])
    reply = await gateway.request("POST", "/hooks/sc/SCT1T2abc.send", data={"title": "磁盘", "desp": "**92 %** full"})
    assert reply.status == 200
    answer = reply.json
    pushid = answer["data"]["pushid"]
    assert answer == {
        "code": 0,
        "message": "",
        "data": {"pushid": pushid, "readkey": pushid, "error": "SUCCESS", "errno": 0},
    }
    await world.ended(1)
    assert world.napcat.texts(GROUP) == ["磁盘\n92 % full"]
    receipt = await gateway.receipt(f"key:hook:sc:{pushid}:{GROUP}")
    assert receipt.metadata == {"hook": "sc", "event": "", "delivery": pushid}
    for path in ("/hooks/sc/SCT1T2abd.send", "/hooks/sc", "/hooks/sc/send/SCT1T2abc.send"):
        assert (await gateway.request("POST", path, data={"title": "x"})).status == 401
