"""The same promises over either transport; what only the one WebSocket can break is broken here."""

from collections import Counter
from functools import partial
from operator import lt
from typing import Any

import pytest

from tests.world import World, until

QUICK = {"timeout": "1s", "slack": "500ms", "settle_for": "100ms"}


def job(group: int, text: str) -> dict[str, object]:
    return {"group_id": str(group), "message": text}


def over_ws(world: World, **fields: Any) -> list[dict[str, Any]]:
    return [world.account(transport="ws", **fields)]


async def test_a_job_is_delivered_over_one_websocket_with_what_it_says_unchanged(world: World) -> None:
    await world.gateway(accounts=over_ws(world, endpoint=world.napcat.url.replace("http", "ws")))
    text = 'quotes " and \\ and\nlines, 你好 \U0001f600 [CQ:at,qq=all]'
    await world.add(job(1, text), {"user_id": "2", "message": ["a", {"type": "dice"}]})
    receipts = await world.ended(2)
    assert {(receipt.state, receipt.evidence) for receipt in receipts} == {("delivered", "response")}
    sent = [(call.target, call.text, call.transport) for call in world.napcat.received]
    assert sorted(sent) == [("group:1", text, "ws"), ("private:2", "", "ws"), ("private:2", "a", "ws")]
    ids = {message.message_id for message in world.napcat.delivered}
    assert {message_id for receipt in receipts for message_id in receipt.message_ids} == ids


async def test_jobs_of_one_group_arrive_in_order_over_a_shared_connection(world: World) -> None:
    world.napcat.behave("group:1", "delay", times=3, ms=50)
    await world.gateway(accounts=over_ws(world))
    await world.add(*(job(1 + number % 5, str(number)) for number in range(200)))
    await world.ended(200)
    for group in range(1, 6):
        assert world.napcat.texts(f"group:{group}") == [str(n) for n in range(200) if n % 5 == group - 1]


@pytest.mark.parametrize("transport", ["http", "ws"])
async def test_a_napcat_killed_in_the_middle_leaves_one_job_unconfirmed_and_the_rest_in_order(world: World) -> None:
    world.napcat.behave("group:1", "hang", times=1)
    await world.gateway(delivery=QUICK)
    await world.add(*(job(1, str(number)) for number in range(5)))
    await until(lambda: world.napcat.received)
    await world.napcat.stop()
    await world.napcat.start()
    first, *rest = await world.ended(5)
    assert (first.state, first.code) == ("unconfirmed", "no_answer")
    assert [receipt.state for receipt in rest] == ["delivered"] * 4
    assert world.napcat.texts("group:1") == ["0", "1", "2", "3", "4"]
    assert [message.text for message in world.napcat.delivered] == ["1", "2", "3", "4"]


async def test_a_napcat_that_is_down_costs_nothing_but_time(world: World) -> None:
    await world.napcat.stop()
    gateway = await world.gateway(accounts=over_ws(world), delivery=QUICK)
    await world.add(job(1, "a"), job(1, "b"))
    await until(lambda: gateway.get("/status"), lambda reply: "not_connected" in reply.body.decode())
    await world.napcat.start()
    assert [receipt.state for receipt in await world.ended(2)] == ["delivered"] * 2
    assert world.napcat.texts("group:1") == ["a", "b"]


@pytest.mark.parametrize("transport", ["http", "ws"])
async def test_a_wrong_token_holds_the_account_until_it_is_right(world: World) -> None:
    world.napcat.token = "right"
    gateway = await world.gateway(accounts=[world.account(token="wrong")], delivery=QUICK)
    reply = await gateway.post("/v1/jobs", job(1, "hello"))
    await gateway.shows(reply.json["id"], "waiting", "paused")
    await until(lambda: gateway.get("/status"), lambda status: "bad_token" in status.body.decode())
    assert world.napcat.received == []
    world.napcat.token = "wrong"
    (receipt,) = await world.ended(1)
    assert receipt.state == "delivered"
    assert [call.accepted for call in world.napcat.received] == [True]


async def test_a_lost_connection_leaves_unclear_only_what_was_under_way(world: World) -> None:
    world.napcat.behave("*", "delay", ms=20)
    await world.process(accounts=over_ws(world, events_secret=""), delivery=QUICK)
    await world.add(*(job(1 + number % 5, str(number)) for number in range(60)))
    for count in (10, 30):
        await until(lambda: len(world.napcat.received), partial(lt, count))
        world.napcat.drop()
    states = Counter(receipt.state for receipt in await world.ended(60))
    assert states["delivered"] + states["unconfirmed"] == 60
    assert 1 <= states["unconfirmed"] <= 10
    assert max(Counter(call.text for call in world.napcat.received).values()) == 1
    for group in range(1, 6):
        texts = [int(text) for text in world.napcat.texts(f"group:{group}")]
        assert texts == sorted(texts)
