import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from gateway.sandbox.napcat import StandIn

from .calling import Serve, eventually

Socket = aiohttp.ClientWebSocketResponse


@pytest.fixture
async def api(napcat: StandIn, session: aiohttp.ClientSession) -> AsyncIterator[Socket]:
    async with session.ws_connect(napcat.url + "/api") as socket:
        yield socket


async def ask(socket: Socket, action: str, echo: Any = "e", **params: Any) -> dict[str, Any]:
    await socket.send_json({"action": action, "params": params, "echo": echo})
    reply: dict[str, Any] = await socket.receive_json(timeout=5)
    return reply


async def test_a_send_is_answered_with_its_echo(api: Socket, napcat: StandIn) -> None:
    reply = await ask(api, "send_group_msg", echo=[1], group_id="1", message="x")
    assert (reply["status"], reply["echo"]) == ("ok", [1])
    assert reply["data"]["message_id"] == napcat.delivered[0].message_id
    assert napcat.received[0].transport == "ws"


async def test_failures_have_the_retcodes_of_the_websocket(api: Socket, napcat: StandIn) -> None:
    napcat.behave("group:1", "mute")
    node = {"type": "node", "data": {"id": "1"}}
    text = {"type": "text", "data": {"text": "x"}}
    assert (await ask(api, "send_group_msg", group_id="1", message="x"))["retcode"] == 1200
    assert (await ask(api, "send_group_msg", group_id="2", message=[node, text]))["retcode"] == 1400
    unknown = await ask(api, "nope")
    assert (unknown["retcode"], unknown["message"], unknown["echo"]) == (1404, "不支持的API nope", "e")


async def test_a_frame_that_is_no_json_is_answered_without_an_echo(api: Socket) -> None:
    await api.send_str("{nope")
    reply = await api.receive_json(timeout=5)
    assert (reply["retcode"], reply["echo"]) == (1400, None)


async def test_a_send_without_a_message_is_never_answered(api: Socket) -> None:
    await api.send_json({"action": "send_group_msg", "params": {"group_id": "1"}, "echo": "lost"})
    assert (await ask(api, "get_status", echo="next"))["echo"] == "next"


async def test_answers_come_in_the_order_of_completion(api: Socket, napcat: StandIn) -> None:
    napcat.behave("group:1", "delay", ms=50)
    for group in "12":
        await api.send_json({"action": "send_group_msg", "params": {"group_id": group, "message": "x"}, "echo": group})
    assert [(await api.receive_json(timeout=5))["echo"] for _ in range(2)] == ["2", "1"]


async def test_events_come_on_any_path_but_the_api(napcat: StandIn, session: aiohttp.ClientSession) -> None:
    async with session.ws_connect(napcat.url + "/") as socket:
        assert (await socket.receive_json(timeout=5))["meta_event_type"] == "lifecycle"
        await socket.send_json({"action": "send_group_msg", "params": {"group_id": "1", "message": "x"}})
        frames = [await socket.receive_json(timeout=5) for _ in range(2)]
    event = next(frame for frame in frames if frame.get("post_type") == "message_sent")
    reply = next(frame for frame in frames if "status" in frame)
    assert event["message_id"] == reply["data"]["message_id"]


async def test_a_heartbeat_tells_whether_the_account_is_online(serve: Serve, session: aiohttp.ClientSession) -> None:
    napcat = await serve(heartbeat_ms=10)
    napcat.behave("*", "offline")
    async with session.ws_connect(napcat.url + "/event") as socket:
        await socket.receive_json(timeout=5)
        beat = await socket.receive_json(timeout=5)
    assert (beat["meta_event_type"], beat["status"]["online"]) == ("heartbeat", False)


async def test_a_wrong_token_is_told_and_the_connection_closed(serve: Serve, session: aiohttp.ClientSession) -> None:
    napcat = await serve(token="secret")
    async with session.ws_connect(napcat.url + "/api?access_token=wrong") as socket:
        reply = json.loads(await socket.receive_str(timeout=5))
        assert (reply["retcode"], reply["message"]) == (1403, "token验证失败")
        assert (await socket.receive(timeout=5)).type is aiohttp.WSMsgType.CLOSE


async def test_a_reset_drops_the_connection_and_the_send_is_on_record(api: Socket, napcat: StandIn) -> None:
    napcat.behave("group:1", "reset", deliver=True)
    await api.send_json({"action": "send_group_msg", "params": {"group_id": "1", "message": "x"}})
    message = await api.receive(timeout=5)
    assert message.type in (aiohttp.WSMsgType.CLOSED, aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.ERROR)
    assert napcat.texts("group:1") == ["x"]
    await eventually(lambda: len(napcat.delivered) == 1)


async def test_stopping_drops_the_connection(api: Socket, napcat: StandIn) -> None:
    await napcat.stop()
    message = await api.receive(timeout=5)
    assert message.type in (aiohttp.WSMsgType.CLOSED, aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.ERROR)


@pytest.mark.parametrize(
    ("options", "status"),
    [
        ({}, "ok"),
        ({"retcode": 100, "message": "no"}, "failed"),
        ({"retcode": 1, "envelope_status": "async", "data": {"a": [1]}}, "async"),
        ({"retcode": 400}, "failed"),
    ],
)
async def test_any_envelope_can_be_played_with_the_echo_and_nothing_is_delivered(
    api: Socket, napcat: StandIn, options: dict[str, Any], status: str
) -> None:
    napcat.behave("group:1", "reply", **options)
    words = options.get("message", "")
    assert await ask(api, "send_group_msg", group_id="1", message="x") == {
        "status": status,
        "retcode": options.get("retcode", 0),
        "data": options.get("data"),
        "message": words,
        "wording": words,
        "echo": "e",
        "stream": "normal-action",
    }
    assert (napcat.texts("group:1"), napcat.delivered) == (["x"], [])


async def test_a_frame_can_be_given_word_by_word(api: Socket, napcat: StandIn) -> None:
    napcat.behave("*", "raw", body="what?", times=1)
    napcat.behave("*", "garbage")
    for said in ("what?", '{"status":"ok","retco'):
        await api.send_json({"action": "send_group_msg", "params": {"group_id": "1", "message": "x"}})
        assert await api.receive_str(timeout=5) == said


async def test_a_forbidden_call_is_refused_and_the_connection_serves_the_others(api: Socket, napcat: StandIn) -> None:
    napcat.behave("group:1", "forbidden")
    refused = await ask(api, "send_group_msg", group_id="1", message="x")
    assert (refused["retcode"], refused["echo"]) == (1403, "e")
    assert (await ask(api, "send_group_msg", group_id="2", message="x"))["status"] == "ok"


async def test_a_new_token_is_asked_of_new_connections_only(
    api: Socket, napcat: StandIn, session: aiohttp.ClientSession
) -> None:
    await ask(api, "get_status")
    napcat.token = "new"
    assert (await ask(api, "get_status"))["status"] == "ok"
    async with session.post(napcat.url + "/get_status") as answer:
        assert answer.status == 403
    headers = {"Authorization": f"Bearer {napcat.token}"}
    async with (
        session.ws_connect(napcat.url + "/api") as old,
        session.ws_connect(napcat.url + "/api", headers=headers) as new,
    ):
        assert (await old.receive_json(timeout=5))["retcode"] == 1403
        assert (await ask(new, "get_status"))["status"] == "ok"


async def test_a_lost_network_drops_every_connection_and_what_is_under_way_goes_on(
    api: Socket, napcat: StandIn, session: aiohttp.ClientSession
) -> None:
    napcat.behave("*", "delay", ms=50)
    body = {"group_id": "1", "message": "http"}
    await api.send_json({"action": "send_group_msg", "params": {"group_id": "1", "message": "ws"}})
    posted = asyncio.create_task(session.post(napcat.url + "/send_group_msg", json=body).__aenter__())
    await eventually(lambda: len(napcat.received) == 2)
    napcat.drop()
    message = await api.receive(timeout=5)
    assert message.type in (aiohttp.WSMsgType.CLOSED, aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.ERROR)
    with pytest.raises(aiohttp.ClientConnectionError):
        await posted
    await eventually(lambda: len(napcat.delivered) == 2)
    async with session.ws_connect(napcat.url + "/api") as again:
        assert (await ask(again, "get_status"))["status"] == "ok"


async def test_an_action_that_has_no_name_is_unknown(api: Socket) -> None:
    await api.send_json({"echo": 7})
    reply = await api.receive_json(timeout=5)
    assert (reply["retcode"], reply["echo"]) == (1404, 7)
