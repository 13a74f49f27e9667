import asyncio
from contextlib import suppress

import aiohttp
import pytest

from gateway.sandbox.napcat import StandIn

from .calling import Caller, eventually


async def test_it_comes_back_on_the_same_port_with_what_it_knew(caller: Caller) -> None:
    before = caller.napcat.url
    await caller.to_group("one")
    caller.napcat.behave("group:2", "mute")
    await caller.napcat.stop()
    with pytest.raises(aiohttp.ClientConnectionError):
        await caller.to_group("lost")
    await caller.napcat.start()
    await caller.to_group("two")
    assert caller.napcat.url == before
    assert caller.napcat.texts("group:1") == ["one", "two"]
    assert (await caller.to_group("x", group="2"))["retcode"] == 200
    assert len((await caller.call("get_group_msg_history", group_id="1"))["data"]["messages"]) == 2


async def test_a_restart_loses_the_table_of_message_ids(caller: Caller) -> None:
    message_id = (await caller.to_group("x"))["data"]["message_id"]
    await caller.napcat.stop()
    await caller.napcat.start()
    assert (await caller.call("get_msg", message_id=message_id))["message"] == "消息不存在"


async def test_it_forgets_everything_when_asked_and_never_gives_an_id_twice(caller: Caller) -> None:
    first = (await caller.to_group("x"))["data"]["message_id"]
    caller.napcat.behave("group:1", "mute")
    caller.napcat.forget()
    assert (caller.napcat.received, caller.napcat.delivered) == ([], [])
    assert (await caller.call("get_group_msg_history", group_id="1"))["status"] == "failed"
    assert (await caller.to_group("x"))["data"]["message_id"] != first


async def test_stopping_breaks_off_what_is_under_way_at_once(caller: Caller) -> None:
    caller.napcat.behave("group:1", "hang")
    caller.napcat.behave("group:2", "delay", ms=60_000)
    caller.napcat.behave("group:3", "timeout_late", wait_ms=0, late_ms=60_000)
    await caller.to_group("late", group="3")
    calls = [asyncio.create_task(caller.to_group("x", group=group)) for group in "12"]
    await eventually(lambda: len(caller.napcat.received) == 3)
    async with asyncio.timeout(20):
        await caller.napcat.stop()
        results = await asyncio.gather(*calls, return_exceptions=True)
    assert all(isinstance(each, aiohttp.ClientConnectionError) for each in results)
    assert caller.napcat.delivered == []


async def test_stopping_twice_is_harmless(napcat: StandIn) -> None:
    await napcat.stop()
    await napcat.stop()


async def test_it_runs_until_cancelled_and_says_where(session: aiohttp.ClientSession) -> None:
    urls: list[str] = []
    napcat = StandIn()
    running = asyncio.create_task(napcat.run_forever(urls.append))
    await eventually(lambda: urls)
    assert urls == [napcat.url]
    assert (await Caller(napcat, session).call("get_status"))["status"] == "ok"
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running
    with pytest.raises(aiohttp.ClientConnectionError):
        await Caller(napcat, session).call("get_status")


async def test_a_port_that_is_taken_is_an_error_and_leaves_nothing_behind(napcat: StandIn) -> None:
    with pytest.raises(OSError, match=r"(?i)address already in use"):
        async with StandIn(port=napcat.port).serve():
            pass
