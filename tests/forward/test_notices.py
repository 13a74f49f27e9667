"""What NapCat's notices hold and let go."""

import json
import time
from datetime import datetime
from typing import Any

import aiohttp
import pytest

from gateway.sandbox.events import bot_offline, heartbeat
from tests.forward.test_events import signature, tell
from tests.world import SECRET, Gateway, World, until

SELF = "10001"


async def listening(world: World) -> Gateway:
    """Start a gateway that the stand-in posts its events to."""
    gateway = await world.gateway()
    world.napcat.report_to(f"{gateway.url}/napcat/main/events", SECRET)
    return gateway


async def holds(gateway: Gateway) -> list[tuple[str, str]]:
    account = (await gateway.status())["accounts"]["main"]
    return [(hold["target"], hold["reason"]) for hold in account["holds"]]


async def test_a_group_that_mutes_the_account_is_parked_before_anything_is_sent_into_it(world: World) -> None:
    gateway = await listening(world)
    await world.napcat.emit_group_ban("1", 600)
    await until(lambda: holds(gateway), lambda found: found == [("group:1", "muted")])
    await world.add({"group_id": 1, "message": "x", "key": "a"}, {"group_id": 2, "message": "y", "key": "b"})
    await gateway.shows("key:b", "delivered")
    await gateway.shows("key:a", "waiting", "parked")
    assert world.napcat.texts("group:1") == []


async def test_a_group_goes_on_as_soon_as_its_mute_is_lifted(world: World) -> None:
    gateway = await listening(world)
    await world.napcat.emit_group_ban("1", 600)
    await until(lambda: holds(gateway))
    await world.add({"group_id": 1, "message": "x", "key": "a"})
    await gateway.shows("key:a", "waiting", "parked")
    await world.napcat.emit_lift_ban("1")
    await gateway.shows("key:a", "delivered")
    assert await holds(gateway) == []


async def test_a_mute_of_everybody_parks_the_group_and_one_of_somebody_else_does_not(world: World) -> None:
    gateway = await listening(world)
    await world.napcat.emit_group_ban("1", -1, user_id="0")
    await world.napcat.emit_group_ban("2", 600, user_id="777")
    await until(lambda: holds(gateway))
    assert await holds(gateway) == [("group:1", "muted")]


async def test_a_mute_learned_from_an_answer_ends_with_its_lifting_too(world: World) -> None:
    gateway = await listening(world)
    world.napcat.behave("group:1", "mute", times=1)
    await world.add({"group_id": 1, "message": "x", "key": "a"})
    await gateway.shows("key:a", "waiting", "parked")
    await world.napcat.emit_lift_ban("1")
    await gateway.shows("key:a", "delivered")


async def test_an_account_that_is_logged_out_is_paused_and_loses_no_attempt(world: World) -> None:
    gateway = await listening(world)
    await world.napcat.emit(bot_offline(SELF, "kicked"))
    await until(lambda: holds(gateway), lambda found: found == [("account", "bot_offline")])
    await world.add({"group_id": 1, "message": "x", "key": "a"})
    receipt = await gateway.shows("key:a", "waiting", "paused")
    assert receipt.attempts == []
    await world.napcat.emit(heartbeat(SELF, 30_000, online=True))
    await gateway.shows("key:a", "delivered")
    await until(lambda: holds(gateway), lambda found: found == [])


async def test_a_heartbeat_that_says_offline_pauses_and_one_that_says_online_ends_no_other_pause(
    world: World,
) -> None:
    gateway = await listening(world)
    await world.napcat.emit(heartbeat(SELF, 30_000, online=False))
    await until(lambda: holds(gateway), lambda found: found == [("account", "bot_offline")])
    await gateway.post("/v1/accounts/main/pause", {"reason": "maintenance"})
    await world.napcat.emit(heartbeat(SELF, 30_000, online=True))
    assert await holds(gateway) == [("account", "maintenance")]


async def test_what_an_operator_parked_stays_parked_when_a_mute_is_lifted(world: World) -> None:
    gateway = await listening(world)
    await gateway.post("/v1/targets/group/1/park", {"reason": "quarrel"})
    await world.napcat.emit_group_ban("1", 600)
    await world.napcat.emit_lift_ban("1")
    assert await holds(gateway) == [("group:1", "quarrel")]


async def test_words_of_a_notice_inside_a_message_hold_nothing(world: World) -> None:
    gateway = await listening(world)
    said: dict[str, Any] = {
        "post_type": "message",
        "message_type": "group",
        "group_id": 1,
        "self_id": 10001,
        "user_id": 0,
        "duration": 600,
        "message": [{"type": "text", "data": {"text": '"group_ban" "bot_offline" "heartbeat" "message_sent"'}}],
        "sender": {"nickname": "group_ban", "card": "bot_offline", "title": "heartbeat"},
    }
    notice = {**said, "post_type": "notice", "notice_type": "group_ban", "sub_type": "ban", "group_id": "x" * 99}
    for event in (said, notice):
        assert (await tell(gateway, event)).status == 204
    assert await holds(gateway) == []


def kicked(**fields: Any) -> dict[str, Any]:
    notice = {"post_type": "notice", "notice_type": "group_decrease", "sub_type": "kick_me", "self_id": int(SELF)}
    return {**notice, "group_id": 1, "user_id": int(SELF), "operator_id": 5, "time": int(time.time()), **fields}


async def test_what_waits_for_a_group_that_removed_the_account_is_rejected_and_the_rest_goes_on(world: World) -> None:
    gateway = await listening(world)
    await gateway.post("/v1/targets/group/1/park", {})
    await world.add(*({"group_id": 1, "message": f"{n}", "key": f"{n}"} for n in range(300)))
    await world.add({"group_id": 2, "message": "elsewhere", "key": "b"})
    await gateway.shows("key:b", "delivered")
    assert (await tell(gateway, kicked())).status == 204
    receipts = await world.ended(301)
    assert {(receipt.state, receipt.code) for receipt in receipts if receipt.target == "group:1"} == {
        ("rejected", "kicked")
    }
    assert world.napcat.texts("group:1") == []


async def test_a_removal_of_somebody_else_rejects_nothing(world: World) -> None:
    gateway = await listening(world)
    await gateway.post("/v1/targets/group/1/park", {})
    await world.add({"group_id": 1, "message": "x", "key": "a"})
    await gateway.shows("key:a", "waiting", "parked")
    await tell(gateway, kicked(sub_type="kick", user_id=777))
    assert (await gateway.receipt("key:a")).state == "waiting"


async def test_a_recorded_notice_that_is_played_again_later_does_nothing(world: World) -> None:
    gateway = await listening(world)
    await gateway.post("/v1/targets/group/1/park", {})
    await world.add({"group_id": 1, "message": "x", "key": "a"})
    await gateway.shows("key:a", "waiting", "parked")
    for seconds in (-86_400, -600, 600):
        assert (await tell(gateway, kicked(time=int(time.time()) + seconds))).status == 204
    assert (await gateway.receipt("key:a")).state == "waiting"


async def test_the_same_notice_acts_once(world: World) -> None:
    gateway = await listening(world)
    ban = {"post_type": "notice", "notice_type": "group_ban", "sub_type": "ban", "self_id": int(SELF), "group_id": 1}
    event = {**ban, "user_id": 0, "duration": 600, "time": int(time.time())}
    await tell(gateway, event)
    assert await holds(gateway) == [("group:1", "muted")]
    await gateway.post("/v1/targets/group/1/release", {})
    await tell(gateway, event)
    assert await holds(gateway) == []


async def test_what_one_account_says_of_a_group_keeps_nobody_from_hearing_another(world: World) -> None:
    second = world.account(name="second", events_secret="other")
    gateway = await world.gateway(accounts=[world.account(), second])
    now = int(time.time())
    later, ours = (ban(user_id=0, time=seconds) for seconds in (now + 60, now))
    for event in (later, ours):  # `second` says it first, of a time to come
        body = json.dumps(event).encode()
        await gateway.post("/napcat/second/events", body, signature(body, "other"))
    assert (await tell(gateway, ours)).status == 204
    assert await holds(gateway) == [("group:1", "muted")]


async def test_an_event_of_another_number_changes_nothing(world: World) -> None:
    gateway = await listening(world)
    await until(lambda: gateway.get("/status"), lambda reply: reply.json["accounts"]["main"]["self_id"] == SELF)
    await gateway.post("/v1/targets/group/1/park", {})
    await world.add({"group_id": 1, "message": "x", "key": "a"})
    await gateway.shows("key:a", "waiting", "parked")
    await tell(gateway, kicked(self_id=20002))
    assert (await gateway.receipt("key:a")).state == "waiting"


async def test_a_recall_of_a_message_of_ours_is_noted_in_its_receipt(world: World) -> None:
    gateway = await listening(world)
    await world.add({"group_id": 1, "message": "x", "key": "a"}, {"group_id": 1, "message": "y", "key": "b"})
    recalled = (await gateway.shows("key:a", "delivered")).message_ids[0]
    kept = await gateway.shows("key:b", "delivered")
    async with aiohttp.ClientSession(world.napcat.url) as napcat:
        assert (await napcat.post("/delete_msg", json={"message_id": recalled})).status == 200
    receipt = await until(lambda: gateway.receipt("key:a"), lambda receipt: receipt.recalled_at)
    assert receipt.state == "delivered"
    assert (await gateway.receipt("key:b")) == kept


async def test_a_group_whose_mute_an_answer_told_of_is_parked_until_the_mute_ends(world: World) -> None:
    gateway = await listening(world)
    await until(lambda: gateway.get("/status"), lambda reply: reply.json["accounts"]["main"]["self_id"] == SELF)
    world.napcat.report_to("")
    await world.napcat.emit_group_ban("1", 3_600)
    await world.add({"group_id": 1, "message": "x", "key": "a"})

    async def minutes() -> float:
        found = (await gateway.status())["accounts"]["main"]["holds"]
        return max([0.0, *((datetime.fromisoformat(hold["until"]).timestamp() - time.time()) / 60 for hold in found)])

    assert 58 < await until(minutes, lambda found: found > 15) < 61


def ban(**fields: Any) -> dict[str, Any]:
    notice = {"post_type": "notice", "notice_type": "group_ban", "sub_type": "ban", "self_id": int(SELF), "group_id": 1}
    return {**notice, "user_id": int(SELF), "duration": 3_600, "time": int(time.time()), **fields}


async def test_a_mute_that_arrives_after_its_own_end_parks_nothing(world: World) -> None:
    gateway = await listening(world)
    now = int(time.time())
    await tell(gateway, ban(sub_type="lift_ban", duration=0, time=now))
    await tell(gateway, ban(time=now - 2))
    assert await holds(gateway) == []


async def test_the_end_of_a_mute_lets_go_no_other_park_and_a_short_mute_shortens_none(world: World) -> None:
    rule = {"name": "ours", "text": "spoke enough", "verdict": "retry", "effect": "park", "hold": "2h"}
    gateway = await world.gateway(delivery={"rules": [rule]})
    world.napcat.behave("group:1", "throw", times=1, text="spoke enough")
    await world.add({"group_id": 1, "message": "x", "key": "a"})
    await gateway.shows("key:a", "waiting", "parked")
    await tell(gateway, ban(duration=10))
    assert await holds(gateway) == [("group:1", "ours")]
    await tell(gateway, ban(sub_type="lift_ban", duration=0, time=int(time.time()) + 1))
    assert await holds(gateway) == [("group:1", "ours")]


async def test_numbers_beyond_all_measure_break_neither_the_status_nor_a_receipt(world: World) -> None:
    gateway = await listening(world)
    await world.add({"group_id": 1, "message": "x", "key": "a"})
    await gateway.shows("key:a", "delivered")
    odd: list[dict[str, Any]] = [
        ban(duration=10**15),
        ban(duration=10**400),
        ban(group_id=2, duration=-(10**400)),
        ban(time=10**30),
        kicked(time=-1),
        {**kicked(), "notice_type": "group_recall", "message_id": 10**400},
        {**kicked(), "notice_type": "group_recall", "message_id": "9" * 20},
        {"post_type": "message_sent", "message_type": "group", "group_id": 1, "message_id": 10**400, "time": 1,
         "message": [], "self_id": int(SELF)},
    ]  # fmt: skip
    for event in odd:
        assert (await tell(gateway, event)).status == 204
    assert (await gateway.get("/status")).status == 200
    assert (await gateway.receipt("key:a")).state == "delivered"


async def test_a_storm_of_events_of_another_number_asks_once_and_tells_once(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    gateway = await listening(world)
    await until(lambda: gateway.get("/status"), lambda reply: reply.json["accounts"]["main"]["self_id"] == SELF)
    for _ in range(50):
        await tell(gateway, kicked(self_id=20002))
    events = (await gateway.status())["accounts"]["main"]["events"]
    assert events["self_id"] == 50
    assert capsys.readouterr().out.count("event.refused") == 1


async def test_an_event_of_an_account_that_is_not_logged_in_says_that_it_is_offline(world: World) -> None:
    gateway = await listening(world)
    beat = {"post_type": "meta_event", "meta_event_type": "heartbeat", "self_id": 0, "status": {"online": None}}
    await tell(gateway, beat)
    await until(lambda: holds(gateway), lambda found: found == [("account", "bot_offline")])
