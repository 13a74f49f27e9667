from typing import Any

import pytest

from gateway.sandbox.napcat import StandIn

from .calling import Caller, Serve, eventually


def text(words: str) -> dict[str, Any]:
    return {"type": "text", "data": {"text": words}}


@pytest.mark.parametrize(
    ("action", "body", "target"),
    [
        ("send_group_msg", {"group_id": 1, "user_id": "9"}, "group:1"),
        ("send_private_msg", {"user_id": "2"}, "private:2"),
        ("send_private_msg", {"user_id": "2", "group_id": "1"}, "private:2"),
        ("send_msg", {"group_id": "1"}, "group:1"),
        ("send_msg", {"user_id": "2"}, "private:2"),
        ("send_msg", {"message_type": "private", "user_id": "2", "group_id": "1"}, "private:2"),
        ("send_group_msg_async", {"group_id": "1"}, "group:1"),
    ],
)
async def test_a_send_goes_where_napcat_would_send_it(
    caller: Caller, action: str, body: dict[str, Any], target: str
) -> None:
    assert (await caller.call(action, message="x", **body))["status"] == "ok"
    assert [each.target for each in caller.napcat.delivered] == [target]


@pytest.mark.parametrize(
    ("action", "body", "words"),
    [
        ("send_msg", {}, "请指定正确的 group_id 或 user_id"),
        ("send_group_msg", {"user_id": "2"}, "请指定正确的 group_id 或 user_id"),
        ("send_private_msg", {"group_id": "1"}, "当前私聊发送,请指定 user_id 而不是 group_id"),
    ],
)
async def test_a_send_to_nowhere_fails_with_napcats_words(
    caller: Caller, action: str, body: dict[str, Any], words: str
) -> None:
    envelope = await caller.call(action, message="x", **body)
    assert (envelope["retcode"], envelope["message"], envelope["data"]) == (200, words, None)


@pytest.mark.parametrize(
    ("message", "words"),
    [
        ("", "消息体无法解析, 请检查是否发送了不支持的消息类型"),
        ([], "消息体无法解析, 请检查是否发送了不支持的消息类型"),
        ([{"type": "poke", "data": {}}], "消息体无法解析, 请检查是否发送了不支持的消息类型"),
        ([{"type": "share", "data": {}}], "未知的消息类型：share"),
        (5, "未知的消息类型：undefined"),
        ([{"type": "image", "data": {"name": "a"}}], "文件消息缺少参数"),
        ([{"type": "text"}], "Cannot read properties of undefined (reading 'text')"),
    ],
)
async def test_a_message_napcat_cannot_send_fails_with_its_words(caller: Caller, message: Any, words: str) -> None:
    envelope = await caller.to_group(message)
    assert (envelope["retcode"], envelope["message"]) == (200, words)
    assert caller.napcat.delivered == []


async def test_a_missing_message_fails_with_a_stack_trace(caller: Caller) -> None:
    missing = await caller.call("send_group_msg", group_id="1")
    null = await caller.to_group(None)
    assert missing["message"].startswith("TypeError: Cannot read properties of undefined (reading 'type')\n    at ")
    assert "properties of null" in null["message"]


async def test_nodes_among_other_segments_fail_the_check_and_lose_the_echo(caller: Caller) -> None:
    envelope = await caller.to_group([{"type": "node", "data": {"id": "1"}}, text("x")], echo="mine")
    assert (envelope["retcode"], envelope["echo"]) == (400, None)
    assert envelope["message"].startswith("转发消息不能和普通消息混在一起发送,")


async def test_a_forward_is_answered_with_its_res_id(caller: Caller) -> None:
    envelope = await caller.to_group([{"type": "node", "data": {"content": [text("x")]}}])
    assert set(envelope["data"]) == {"message_id", "res_id", "forward_id"}


@pytest.mark.parametrize(
    "dropped",
    [
        {"type": "xml", "data": {"data": "<a/>"}},
        {"type": "poke", "data": {"type": "1", "id": "1"}},
        {"type": "reply", "data": {"id": "4711"}},
        {"type": "at", "data": {"qq": ""}},
    ],
)
async def test_what_napcat_drops_is_dropped_without_a_word(caller: Caller, dropped: dict[str, Any]) -> None:
    assert (await caller.to_group([dropped, text("rest")]))["status"] == "ok"
    assert caller.napcat.delivered[0].message == [text("rest")]


async def test_an_at_is_dropped_in_private_and_kept_in_a_group(caller: Caller) -> None:
    message = [{"type": "at", "data": {"qq": "5"}}, text("x")]
    await caller.to_group(message)
    await caller.call("send_private_msg", user_id="2", message=message)
    assert [len(each.message) for each in caller.napcat.delivered] == [2, 1]


async def test_a_reply_to_an_own_message_is_kept(caller: Caller) -> None:
    first = (await caller.to_group("x"))["data"]["message_id"]
    await caller.to_group([{"type": "reply", "data": {"id": str(first)}}, text("y")])
    assert len(caller.napcat.delivered[1].message) == 2


async def test_cq_codes_in_a_string_stay_text(caller: Caller) -> None:
    await caller.to_group("[CQ:at,qq=all]")
    assert caller.napcat.delivered[0].text == "[CQ:at,qq=all]"


async def test_message_ids_are_31_bit_and_the_same_for_the_same_seed(serve: Serve, caller: Caller) -> None:
    twin = Caller(await serve(), caller.session)
    other = Caller(await serve(seed=1), caller.session)
    ids = [(await each.to_group("x"))["data"]["message_id"] for each in (caller, twin, other)]
    assert all(0 <= each < 2**31 for each in ids)
    assert ids[0] == ids[1] != ids[2]


async def test_history_shows_the_latest_own_messages_oldest_first(caller: Caller) -> None:
    ids = [(await caller.to_group(f"{number}&"))["data"]["message_id"] for number in range(3)]
    rows = (await caller.call("get_group_msg_history", group_id=1, count=2))["data"]["messages"]
    assert [row["message_id"] for row in rows] == ids[1:]
    expected = {
        "self_id": 10001, "user_id": 10001, "target_id": 1, "group_id": 1, "message_type": "group",
        "message": [text("2&")], "raw_message": "2&amp;", "post_type": "message_sent",
        "message_sent_type": "self",
    }  # fmt: skip
    assert expected.items() <= rows[1].items()


async def test_an_empty_chat_has_no_history(caller: Caller) -> None:
    for action in ("get_group_msg_history", "get_friend_msg_history"):
        envelope = await caller.call(action, group_id="1", user_id="1")
        assert (envelope["retcode"], envelope["message"]) == (200, "消息undefined不存在")


async def test_history_lists_sends_that_failed_like_any_other(caller: Caller) -> None:
    caller.napcat.behave("private:2", "mute", times=1)
    await caller.call("send_private_msg", user_id="2", message="refused")
    await caller.call("send_private_msg", user_id="2", message="sent")
    rows = (await caller.call("get_friend_msg_history", user_id="2"))["data"]["messages"]
    assert [row["raw_message"] for row in rows] == ["refused", "sent"]
    assert set(rows[0]) == set(rows[1])


async def test_an_own_message_can_be_read_and_taken_back_once(caller: Caller) -> None:
    message_id = (await caller.to_group("x"))["data"]["message_id"]
    assert (await caller.call("get_msg", message_id=message_id))["data"]["raw_message"] == "x"
    assert (await caller.call("delete_msg", message_id=str(message_id)))["status"] == "ok"
    assert caller.napcat.recalled == [message_id]
    assert (await caller.call("delete_msg", message_id=message_id))["message"] == "Recall failed"
    assert (await caller.call("get_msg", message_id=message_id))["message"] == "消息不存在"


async def test_a_send_slower_than_its_own_timeout_is_answered_with_a_timeout_and_delivered(
    serve: Serve, caller: Caller
) -> None:
    napcat: StandIn = await serve(answer_ms=60)
    envelope = await Caller(napcat, caller.session).to_group("x", timeout=20)
    assert envelope["message"].startswith("Timeout: NTEvent ")
    assert napcat.delivered == []
    await eventually(lambda: napcat.delivered)
