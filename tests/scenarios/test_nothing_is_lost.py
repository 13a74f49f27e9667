"""Promises 1 and 2: what was accepted ends exactly once, through kill -9 at any moment, and nothing is sent twice."""

import asyncio
import time
from collections import Counter

from gateway.model.receipt import FINAL_STATES
from tests.world import WIDE, World, until

JOBS, GROUPS = 1_000, 20
RATES = {"account": ["2000/1s"], "group": ["100/1s"], "user": ["100/1s"]}


def jobs() -> list[dict[str, object]]:
    return [{"group_id": str(1 + n % GROUPS), "message": f"job {n}", "key": f"k{n}"} for n in range(JOBS)]


def in_order(world: World) -> bool:
    for group in range(1, GROUPS + 1):
        numbers = [int(text.removeprefix("job ")) for text in world.napcat.texts(f"group:{group}")]
        if numbers != sorted(set(numbers)):
            return False
    return True


async def test_a_thousand_jobs_arrive_once_each_in_order_per_group_with_rates_on(world: World) -> None:
    await world.process(limits=RATES)
    await world.add(*jobs())
    receipts = await world.ended(JOBS, 60)
    assert {receipt.state for receipt in receipts} == {"delivered"}
    assert Counter(call.text for call in world.napcat.received) == Counter(f"job {n}" for n in range(JOBS))
    assert in_order(world)


async def test_a_kill_in_the_middle_and_a_restart_lose_nothing_and_send_nothing_twice(world: World) -> None:
    world.napcat.behave("*", "delay", ms=20)
    delivery = {"timeout": "5s", "slack": "500ms", "settle_for": "500ms"}
    gateway = await world.process(limits=RATES, delivery=delivery)
    await world.add(*jobs())
    await until(lambda: len(world.napcat.received) > JOBS // 3)
    await gateway.kill()
    await world.process(limits=RATES, delivery=delivery)
    receipts = await world.ended(JOBS, 90)
    assert len({receipt.id for receipt in receipts}) == len(receipts) == JOBS
    # What was in flight when the power went may have arrived: it is settled by nobody here, and not sent again.
    states = Counter(receipt.state for receipt in receipts)
    assert set(states) <= {"delivered", "unconfirmed"}
    assert states["unconfirmed"] <= 10
    sent = Counter(call.text for call in world.napcat.received)
    assert max(sent.values()) == 1
    # A claim is written down before its request leaves: what was claimed just then may not have been sent at all.
    unsent = {f"k{n}" for n in range(JOBS) if f"job {n}" not in sent}
    assert unsent <= {receipt.key for receipt in receipts if receipt.state == "unconfirmed"}
    assert in_order(world)


async def test_a_crash_between_request_and_answer_is_settled_by_the_event_that_comes_later(world: World) -> None:
    world.napcat.behave("group:1", "delay", times=1, ms=300)
    delivery = {"timeout": "1s", "slack": "500ms"}
    gateway = await world.process(delivery=delivery)
    await world.add({"group_id": "1", "message": "once"})
    await until(lambda: world.napcat.received)
    await gateway.kill()
    second = await world.process(delivery=delivery)
    # NapCat reports the message only after the lease of the dead gateway has lapsed.
    await until(lambda: second.events("job.attempted") or _unknown(world), deadline=15)
    world.napcat.report_to(f"{second.url}/napcat/main/events", "events-secret")
    await until(lambda: world.napcat.delivered)
    await world.napcat.emit(_sent(world))
    (receipt,) = await world.ended(1)
    assert (receipt.state, receipt.evidence) == ("delivered", "event")
    assert len(world.napcat.received) == 1


async def _unknown(world: World) -> bool:
    return any(receipt.state == "unknown" for receipt in await world.receipts())


def _sent(world: World) -> dict[str, object]:
    message = world.napcat.delivered[0]
    return {
        "post_type": "message_sent",
        "message_type": "group",
        "group_id": 1,
        "message_id": message.message_id,
        "time": int(time.time()),
        "message": message.message,
    }


async def test_a_job_whose_fate_is_unknown_is_not_sent_twice(world: World) -> None:
    world.napcat.behave("group:1", "timeout", times=1, wait_ms=10)
    await world.gateway(delivery={"settle_for": "300ms"})
    await world.add({"group_id": "1", "message": "perhaps"}, {"group_id": "1", "message": "behind"})
    first, second = await world.ended(2)
    assert (first.state, second.state) == ("unconfirmed", "delivered")
    assert world.napcat.texts("group:1") == ["perhaps", "behind"]


async def test_a_job_that_chose_resend_is_sent_again_after_settling_failed(world: World) -> None:
    world.napcat.behave("group:1", "reset", times=1)
    await world.gateway(delivery={"settle_for": "200ms"})
    await world.add({"group_id": "1", "message": "at least once", "on_unknown": "resend"})
    (receipt,) = await world.ended(1)
    assert receipt.state == "delivered"
    assert world.napcat.texts("group:1") == ["at least once"] * 2


async def test_a_stopped_gateway_finishes_what_is_in_flight_and_hands_the_rest_back(world: World) -> None:
    world.napcat.behave("*", "delay", ms=150)
    gateway = await world.process()
    await world.add(*({"group_id": str(n), "message": f"job {n}"} for n in range(1, 31)))
    await until(lambda: world.napcat.received)
    assert await gateway.stop() == 0
    sent = len(world.napcat.received)
    done = [receipt for receipt in await world.receipts() if receipt.state in FINAL_STATES]
    assert len(done) == sent < 30
    await world.process()
    receipts = await world.ended(30)
    assert {receipt.state for receipt in receipts} == {"delivered"}
    assert len(world.napcat.received) == 30


async def test_a_second_gateway_takes_over_what_the_first_left_when_it_was_killed(world: World) -> None:
    delivery = {"timeout": "1s", "slack": "500ms", "settle_for": "300ms"}
    first, _second = await asyncio.gather(world.process(delivery=delivery), world.process(delivery=delivery))
    await world.add(*({"group_id": "1", "message": str(n)} for n in range(50)))
    await until(lambda: len(world.napcat.received) > 5)
    await first.kill()
    await world.add(*({"group_id": "1", "message": str(n)} for n in range(50, 100)))
    await until(lambda: len(world.napcat.received) >= 99, deadline=30)
    texts = [int(text) for text in world.napcat.texts("group:1")]
    assert texts == sorted(set(texts))


async def test_napcat_being_down_costs_no_attempt_and_the_jobs_go_when_it_is_back(world: World) -> None:
    await world.napcat.stop()
    gateway = await world.gateway()
    await world.add(*({"group_id": str(n), "message": f"job {n}", "key": f"k{n}"} for n in range(1, 11)))
    waiting = await gateway.shows("key:k5", "waiting", "paused")
    assert waiting.eta is not None
    await world.napcat.start()
    receipts = await world.ended(10)
    assert {receipt.state for receipt in receipts} == {"delivered"}
    assert len(world.napcat.received) == 10


async def test_a_rejected_job_is_sent_once_and_says_why(world: World) -> None:
    world.napcat.behave("group:1", "kick")
    await world.gateway()
    await world.add({"group_id": "1", "message": "hello?"})
    (receipt,) = await world.ended(1)
    assert (receipt.state, receipt.code) == ("rejected", "target_unreachable")
    assert len(world.napcat.received) == 1


async def test_a_job_past_its_time_to_live_is_not_sent(world: World) -> None:
    world.napcat.behave("group:1", "delay", times=1, ms=400)
    await world.gateway()
    await world.add({"group_id": "1", "message": "slow"}, {"group_id": "1", "message": "old news", "ttl": "200ms"})
    receipts = await world.ended(2)
    assert [(receipt.state, receipt.code) for receipt in receipts] == [("delivered", None), ("expired", "ttl")]
    assert world.napcat.texts("group:1") == ["slow"]


async def test_a_muted_group_is_parked_and_not_hammered(world: World) -> None:
    world.napcat.behave("group:1", "mute")
    gateway = await world.gateway()
    await world.add({"group_id": "1", "message": "mute", "key": "a"}, {"group_id": "2", "message": "other"})
    parked = await gateway.shows("key:a", "waiting", "parked")
    assert parked.attempts is not None
    assert [attempt.rule for attempt in parked.attempts] == ["muted"]
    await world.ended(1)
    assert world.napcat.texts("group:1") == ["mute"]
    assert world.napcat.texts("group:2") == ["other"]


async def test_a_full_redis_goes_on_settling_and_sending_what_it_holds(world: World) -> None:
    gateway = await world.gateway(limits={**WIDE, "group": ["5/200ms"]})
    await world.add(*({"group_id": "1", "message": str(n)} for n in range(20)))
    await until(lambda: world.clients.commands.xlen("gw:jobs"), lambda length: length == 0)
    await world.clients.commands.config_set("maxmemory", 1)
    await until(lambda: len(world.napcat.received) == 20)
    refused = await gateway.post("/v1/jobs", {"group_id": "1", "message": "more"})
    assert (refused.status, refused.json["code"]) == (503, "store_refuses")


async def test_a_rule_may_take_an_answer_without_a_message_id_for_delivered(world: World) -> None:
    world.napcat.behave("group:1", "raw", times=1, status=200, content_type="application/json", body="{}")
    await world.gateway(delivery={"rules": [{"http": 200, "text": "^[{][}]$", "verdict": "delivered"}]})
    await world.add({"group_id": "1", "message": "one"}, {"group_id": "1", "message": "two"})
    first, second = await world.ended(2)
    assert (first.state, first.parts.delivered, first.message_ids) == ("delivered", 1, [])
    assert (second.state, len(second.message_ids)) == ("delivered", 1)


async def test_a_message_reported_as_sent_is_not_sent_again_whatever_a_proxy_answers(world: World) -> None:
    gateway = await world.gateway()
    world.napcat.report_to(f"{gateway.url}/napcat/main/events", "events-secret")
    world.napcat.behave("group:1", "raw", times=1, status=503, body="busy", deliver=True, ms=300)
    await world.add({"group_id": "1", "message": "once"})
    (receipt,) = await world.ended(1)
    assert (receipt.state, receipt.evidence) == ("delivered", "event")
    assert len(world.napcat.received) == 1
