import asyncio
import json
import re

import aiohttp
import pytest

from .calling import Caller, eventually

KERNEL = re.compile(
    r"^(EventChecker Failed|Timeout): NTEvent serviceAndMethod:(\S+) .*?EventRet:\s*(\{.*\})\s*$", re.DOTALL
)


async def test_a_muted_group_fails_with_the_exact_words_of_napcat(caller: Caller) -> None:
    caller.napcat.behave("group:1", "mute")
    envelope = await caller.to_group("x")
    assert (envelope["status"], envelope["retcode"]) == ("failed", 200)
    assert envelope["message"] == (
        "EventChecker Failed: NTEvent serviceAndMethod:NodeIKernelMsgService/sendMsg "
        "ListenerName:NodeIKernelMsgListener/onMsgInfoListUpdate EventRet:\n"
        '{\n    "result": 120,\n    "errMsg": "你已被禁言，消息无法发送。"\n}\n'
    )


@pytest.mark.parametrize(
    ("behaviour", "result"),
    [
        ("kick", 110),
        ("rate", 299),
        ("too_fast", 241),
        ("restricted", 46),
        ("offline_session", 1006514),
        ("rich_media", -1),
    ],
)
async def test_a_refusal_carries_qqs_code_and_delivers_nothing(caller: Caller, behaviour: str, result: int) -> None:
    caller.napcat.behave("*", behaviour)
    match = KERNEL.match((await caller.to_group("x"))["message"])
    assert match
    assert match[1] == "EventChecker Failed"
    assert json.loads(match[3])["result"] == result
    assert caller.napcat.delivered == []


async def test_any_refusal_can_be_asked_for_by_code_and_words(caller: Caller) -> None:
    caller.napcat.behave("*", "reject", result=34, text="word")
    assert '"result": 34,\n    "errMsg": "word"' in (await caller.to_group("x"))["message"]


@pytest.mark.parametrize(
    ("behaviour", "event_ret"),
    [
        ("risk", {"result": 0, "errMsg": ""}),
        ("timeout", {"result": 0, "errMsg": ""}),
        ("timeout_empty", {}),
    ],
)
async def test_a_timeout_says_nothing_of_what_became_of_the_message(
    caller: Caller, behaviour: str, event_ret: dict[str, object]
) -> None:
    caller.napcat.behave("group:1", behaviour, wait_ms=10)
    match = KERNEL.match((await caller.to_group("x"))["message"])
    assert match
    assert (match[1], json.loads(match[3])) == ("Timeout", event_ret)
    assert caller.napcat.delivered == []


async def test_a_timeout_comes_when_the_call_itself_asked_for_it(caller: Caller) -> None:
    caller.napcat.behave("group:1", "timeout")
    assert (await caller.to_group("x", timeout=10))["message"].startswith("Timeout: ")


async def test_a_late_message_is_delivered_after_its_timeout_was_told(caller: Caller) -> None:
    caller.napcat.behave("group:1", "timeout_late", wait_ms=1, late_ms=50)
    assert (await caller.to_group("x"))["status"] == "failed"
    assert caller.napcat.delivered == []
    await eventually(lambda: caller.napcat.delivered)
    rows = (await caller.call("get_group_msg_history", group_id="1"))["data"]["messages"]
    assert [row["message_id"] for row in rows] == [caller.napcat.delivered[0].message_id]


@pytest.mark.parametrize(
    ("behaviour", "words"),
    [("server_closed", "Server is closed"), ("download_failed", "下载文件失败: Service Unavailable")],
)
async def test_what_fails_inside_napcat_never_reaches_qq(caller: Caller, behaviour: str, words: str) -> None:
    caller.napcat.behave("*", behaviour)
    assert (await caller.to_group("x"))["message"] == words
    assert (await caller.call("get_group_msg_history", group_id="1"))["status"] == "failed"


@pytest.mark.parametrize("deliver", [True, False])
async def test_a_connection_can_be_reset_with_the_message_delivered_or_not(caller: Caller, deliver: bool) -> None:
    caller.napcat.behave("group:1", "reset", deliver=deliver)
    with pytest.raises(aiohttp.ClientConnectionError):
        await caller.to_group("x")
    assert caller.napcat.texts("group:1") == ["x"]
    assert len(caller.napcat.delivered) == deliver


async def test_a_call_can_hang_with_the_message_delivered_or_not(caller: Caller) -> None:
    caller.napcat.behave("group:1", "hang", deliver=False, times=1)
    caller.napcat.behave("group:1", "hang", deliver=True)
    calls = []
    for text in ("kept", "delivered"):
        calls.append(asyncio.create_task(caller.to_group(text)))
        await eventually(lambda: len(caller.napcat.received) == len(calls))
    await eventually(lambda: caller.napcat.delivered)
    assert [each.text for each in caller.napcat.delivered] == ["delivered"]
    assert not any(call.done() for call in calls)
    await caller.napcat.stop()
    assert all(isinstance(each, Exception) for each in await asyncio.gather(*calls, return_exceptions=True))


async def test_a_refused_token_looks_like_napcats(caller: Caller) -> None:
    caller.napcat.behave("*", "forbidden")
    answer = await caller.raw("/send_group_msg", b'{"group_id": "1", "message": "x"}')
    assert answer == (403, "text/html", '{"message":"token verify failed!"}')


@pytest.mark.parametrize("deliver", [True, False])
async def test_a_proxy_can_answer_instead_of_napcat(caller: Caller, deliver: bool) -> None:
    caller.napcat.behave("*", "bad_gateway", deliver=deliver)
    status, content_type, text = await caller.raw("/send_group_msg", b'{"group_id": "1", "message": "x"}')
    assert (status, content_type) == (502, "text/html")
    assert "502 Bad Gateway" in text
    assert len(caller.napcat.delivered) == deliver


async def test_an_answer_can_be_garbage(caller: Caller) -> None:
    caller.napcat.behave("*", "garbage")
    status, _, text = await caller.raw("/send_group_msg", b'{"group_id": "1", "message": "x"}')
    assert status == 200
    with pytest.raises(ValueError, match="Unterminated"):
        json.loads(text)


async def test_an_answer_can_be_given_word_by_word(caller: Caller) -> None:
    caller.napcat.behave("*", "raw", status=429, content_type="text/plain", body="later")
    answer = await caller.raw("/send_group_msg", b'{"group_id": "1", "message": "x"}')
    assert answer == (429, "text/plain", "later")


@pytest.mark.parametrize(("retcode", "echo"), [(0, "mine"), (100, "mine"), (400, None)])
async def test_any_envelope_can_be_played_without_a_delivery(caller: Caller, retcode: int, echo: str | None) -> None:
    caller.napcat.behave("group:1", "reply", retcode=retcode, message="words", data={"message_id": 5})
    envelope = await caller.to_group("x", echo="mine")
    assert (envelope["retcode"], envelope["echo"], envelope["data"]) == (retcode, echo, {"message_id": 5})
    assert (envelope["status"], envelope["message"]) == ("failed" if retcode else "ok", "words")
    assert (caller.napcat.texts("group:1"), caller.napcat.delivered) == (["x"], [])


async def test_a_played_failure_may_hide_a_delivery(caller: Caller) -> None:
    caller.napcat.behave("group:1", "reply", retcode=100, deliver=True)
    assert (await caller.to_group("x"))["status"] == "failed"
    assert [message.text for message in caller.napcat.delivered] == ["x"]


async def test_a_delayed_send_does_not_hold_up_another_target(caller: Caller) -> None:
    caller.napcat.behave("group:1", "delay", ms=100)
    slow = asyncio.create_task(caller.to_group("slow"))
    await eventually(lambda: caller.napcat.received)
    await caller.to_group("fast", group="2")
    assert (await slow)["status"] == "ok"
    assert [each.text for each in caller.napcat.delivered] == ["fast", "slow"]


async def test_a_misbehaviour_ends_after_its_times(caller: Caller) -> None:
    caller.napcat.behave("group:1", "mute", times=2)
    assert [(await caller.to_group("x"))["retcode"] for _ in range(3)] == [200, 200, 0]


async def test_misbehaviours_of_one_target_are_played_in_the_order_given(caller: Caller) -> None:
    caller.napcat.behave("group:1", "server_closed", times=1)
    caller.napcat.behave("group:1", "reject", result=7)
    messages = [(await caller.to_group("x"))["message"] for _ in range(3)]
    assert messages[0] == "Server is closed"
    assert all('"result": 7' in each for each in messages[1:])


async def test_a_targets_own_misbehaviour_comes_before_the_one_for_all(caller: Caller) -> None:
    caller.napcat.behave("*", "server_closed")
    caller.napcat.behave("group:1", "normal")
    assert (await caller.to_group("x"))["retcode"] == 0
    assert (await caller.to_group("x", group="2"))["retcode"] == 200


async def test_clearing_one_target_leaves_the_others_as_they_are(caller: Caller) -> None:
    caller.napcat.behave("group:1", "mute")
    caller.napcat.behave("group:2", "mute")
    caller.napcat.clear("group:1")
    assert [(await caller.to_group("x", group=group))["retcode"] for group in "12"] == [0, 200]
    caller.napcat.clear()
    assert (await caller.to_group("x", group="2"))["retcode"] == 0


async def test_an_account_that_is_offline_says_so_and_sends_nothing(caller: Caller) -> None:
    caller.napcat.behave("*", "offline")
    assert (await caller.call("get_status"))["data"]["online"] is False
    assert '"result": 1006514' in (await caller.to_group("x"))["message"]
    caller.napcat.clear()
    assert (await caller.call("get_status"))["data"]["online"] is True


async def test_a_dead_session_still_says_that_it_is_online(caller: Caller) -> None:
    caller.napcat.behave("*", "offline_session")
    assert (await caller.call("get_status"))["data"]["online"] is True


async def test_a_mute_has_an_end_that_can_be_asked_for(caller: Caller) -> None:
    await caller.napcat.emit_group_ban("1", 600)
    assert '"result": 120' in (await caller.to_group("x"))["message"]
    member = await caller.call("get_group_member_info", group_id="1", user_id="10001")
    assert member["data"]["shut_up_timestamp"] > 0
    await caller.napcat.emit_lift_ban("1")
    assert (await caller.to_group("x"))["status"] == "ok"
    member = await caller.call("get_group_member_info", group_id="1", user_id="10001")
    assert member["data"]["shut_up_timestamp"] == 0


async def test_a_mute_of_the_whole_group_is_not_the_members_own(caller: Caller) -> None:
    await caller.napcat.emit_group_ban("1", -1, user_id="0")
    assert '"result": 120' in (await caller.to_group("x"))["message"]
    member = await caller.call("get_group_member_info", group_id="1", user_id="10001")
    assert member["data"]["shut_up_timestamp"] == 0


async def test_a_lift_also_ends_the_mute_behaviour(caller: Caller) -> None:
    caller.napcat.behave("group:1", "mute")
    await caller.napcat.emit_lift_ban("1")
    assert (await caller.to_group("x"))["status"] == "ok"


async def test_a_word_that_is_no_behaviour_is_refused_with_those_that_are(caller: Caller) -> None:
    with pytest.raises(ValueError, match=r"'mut' is no behaviour; there are .*mute"):
        caller.napcat.behave("*", "mut")
    with pytest.raises(TypeError, match="colour"):
        caller.napcat.behave("*", "mute", colour="red")
