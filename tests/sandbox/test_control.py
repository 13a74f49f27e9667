import asyncio
import time
from typing import Any

import aiohttp
import pytest

from .calling import Caller, Serve


@pytest.fixture
async def caller(serve: Serve, session: aiohttp.ClientSession) -> Caller:
    """The controls need no token, also where NapCat needs one."""
    return Caller(await serve(token="secret"), session)


async def send(caller: Caller, text: str) -> int:
    headers = {"Authorization": "Bearer secret"}
    body = {"group_id": "1", "message": text}
    url = f"{caller.napcat.url}/send_group_msg"
    async with caller.session.post(url, json=body, headers=headers) as answer:
        return int((await answer.json())["retcode"])


async def read(caller: Caller, path: str) -> dict[str, Any]:
    async with caller.session.get(caller.napcat.url + path) as answer:
        shown: dict[str, Any] = await answer.json()
        return shown


async def test_misbehaviour_begins_and_ends_over_http(caller: Caller) -> None:
    await caller.call("_sandbox/behave", target="group:1", behaviour="reject", times=1, result=34)
    assert [await send(caller, "x"), await send(caller, "x")] == [200, 0]
    await caller.call("_sandbox/behave", target="group:1", behaviour="mute")
    await caller.call("_sandbox/clear")
    assert await send(caller, "x") == 0


async def test_a_group_is_muted_and_freed_over_http(caller: Caller) -> None:
    await caller.call("_sandbox/ban", group="1", duration=60)
    assert await send(caller, "x") == 200
    await caller.call("_sandbox/ban", group="1", duration=0)
    assert await send(caller, "x") == 0


async def test_what_arrived_is_shown_from_a_number_on(caller: Caller) -> None:
    for text in "abc":
        await send(caller, text)
    shown = await read(caller, "/_sandbox/received?since=1")
    assert [item["text"] for item in shown["items"]] == ["b", "c"]
    assert (await read(caller, f"/_sandbox/received?since={shown['next']}"))["items"] == []


async def test_what_was_delivered_is_shown(caller: Caller) -> None:
    await send(caller, "a")
    [item] = (await read(caller, "/_sandbox/delivered"))["items"]
    assert (item["target"], item["text"]) == ("group:1", "a")


@pytest.mark.parametrize(
    "body",
    [b'{"target": "*", "behaviour": "mut"}', b'{"target": "*", "behaviour": "mute", "colour": 1}', b"{nope"],
)
async def test_a_control_that_makes_no_sense_is_refused_with_the_reason(caller: Caller, body: bytes) -> None:
    status, _, text = await caller.raw("/_sandbox/behave", body)
    assert status == 400
    assert '"error":' in text


async def test_thousands_of_sends_stay_cheap(caller: Caller) -> None:
    began = time.process_time()
    for start in range(0, 2_000, 50):
        await asyncio.gather(*(send(caller, str(start + number)) for number in range(50)))
    assert time.process_time() - began < 10
    assert len(caller.napcat.texts("group:1")) == len(caller.napcat.delivered) == 2_000
