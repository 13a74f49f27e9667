import hashlib
import hmac

import aiohttp
import pytest

from gateway.sandbox.napcat import StandIn

from .calling import Caller, EventReceiver, Serve, eventually


@pytest.fixture
async def napcat(serve: Serve, receiver: EventReceiver) -> StandIn:
    return await serve(events_url=receiver.url, events_secret="secret")


async def test_a_delivered_message_is_reported_with_the_id_the_caller_got(
    caller: Caller, receiver: EventReceiver
) -> None:
    message_id = (await caller.to_group("x", group="7"))["data"]["message_id"]
    await eventually(lambda: receiver.events)
    [event] = receiver.events
    expected = {
        "post_type": "message_sent", "message_sent_type": "self", "message_type": "group", "self_id": 10001,
        "user_id": 10001, "target_id": 7, "group_id": 7, "message_id": message_id, "raw_message": "x",
        "message": [{"type": "text", "data": {"text": "x"}}],
    }  # fmt: skip
    assert expected.items() <= event.items()


async def test_an_event_is_signed_over_the_bytes_it_carries(caller: Caller, receiver: EventReceiver) -> None:
    await caller.to_group("签名")
    await eventually(lambda: receiver.raw)
    [(body, headers)] = receiver.raw
    assert headers["x-signature"] == "sha1=" + hmac.new(b"secret", body, hashlib.sha1).hexdigest()
    assert headers["x-self-id"] == "10001"
    assert headers["content-type"] == "application/json"


async def test_without_a_secret_an_event_is_not_signed(
    serve: Serve, receiver: EventReceiver, session: aiohttp.ClientSession
) -> None:
    await Caller(await serve(events_url=receiver.url), session).to_group("x")
    await eventually(lambda: receiver.raw)
    assert "x-signature" not in receiver.raw[0][1]


async def test_a_private_message_is_reported_with_the_friend_as_its_target(
    caller: Caller, receiver: EventReceiver
) -> None:
    await caller.call("send_private_msg", user_id="5", message="x")
    await eventually(lambda: receiver.events)
    assert receiver.events[0]["target_id"] == 5
    assert "group_id" not in receiver.events[0]


async def test_a_late_message_is_reported_when_it_is_delivered(caller: Caller, receiver: EventReceiver) -> None:
    caller.napcat.behave("*", "timeout_late", wait_ms=1, late_ms=20)
    assert (await caller.to_group("x"))["status"] == "failed"
    await eventually(lambda: receiver.of("message_sent"))
    assert receiver.events[0]["message_id"] == caller.napcat.delivered[0].message_id


async def test_a_refused_message_is_not_reported(caller: Caller, receiver: EventReceiver) -> None:
    caller.napcat.behave("*", "mute", times=1)
    await caller.to_group("refused")
    await caller.to_group("sent")
    await eventually(lambda: receiver.events)
    assert [event["raw_message"] for event in receiver.events] == ["sent"]


async def test_own_messages_are_not_reported_where_that_is_switched_off(
    serve: Serve, receiver: EventReceiver, session: aiohttp.ClientSession
) -> None:
    napcat = await serve(events_url=receiver.url, report_self_message=False)
    await Caller(napcat, session).to_group("x")
    await napcat.emit_group_ban("1", 60)
    assert [event["post_type"] for event in receiver.events] == ["notice"]


async def test_a_mute_and_its_end_are_reported(napcat: StandIn, receiver: EventReceiver) -> None:
    await napcat.emit_group_ban("1", 60)
    await napcat.emit_group_ban("1", -1, user_id="0")
    await napcat.emit_lift_ban("1")
    seen = [(each["sub_type"], each["user_id"], each["duration"]) for each in receiver.of("group_ban")]
    assert seen == [("ban", 10001, 60), ("ban", 0, -1), ("lift_ban", 10001, 0)]


async def test_an_account_that_goes_offline_is_reported(napcat: StandIn, receiver: EventReceiver) -> None:
    napcat.behave("*", "offline")
    await eventually(lambda: receiver.of("bot_offline"))
    assert receiver.events[0]["user_id"] == 10001


async def test_a_recall_is_reported(caller: Caller, receiver: EventReceiver) -> None:
    message_id = (await caller.to_group("x"))["data"]["message_id"]
    await caller.call("delete_msg", message_id=message_id)
    await eventually(lambda: receiver.of("group_recall"))
    assert receiver.of("group_recall")[0]["message_id"] == message_id


async def test_a_receiver_that_is_away_does_not_disturb_sending(caller: Caller) -> None:
    caller.napcat.report_to("http://127.0.0.1:9/events")
    assert (await caller.to_group("x"))["status"] == "ok"
    await caller.napcat.emit_group_ban("1", 60)


async def test_the_receiver_can_be_named_while_it_runs(
    serve: Serve, receiver: EventReceiver, session: aiohttp.ClientSession
) -> None:
    napcat = await serve()
    napcat.report_to(receiver.url, "secret")
    await Caller(napcat, session).to_group("x")
    await eventually(lambda: receiver.events)
