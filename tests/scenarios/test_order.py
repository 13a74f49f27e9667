"""Promise 3: within a lane, jobs are sent in the order of their admission, also across retries and replicas."""

import signal
from datetime import UTC, datetime, timedelta

from tests.world import WIDE, World, until


def job(group: int, text: str, **fields: object) -> dict[str, object]:
    return {"group_id": str(group), "message": text, **fields}


async def test_jobs_of_one_group_arrive_in_the_order_they_were_pushed(world: World) -> None:
    await world.gateway()
    await world.add(*(job(1 + number % 5, str(number)) for number in range(200)))
    await world.ended(200)
    for group in range(1, 6):
        texts = [int(text) for text in world.napcat.texts(f"group:{group}")]
        assert texts == sorted(texts)
        assert len(texts) == 40


async def test_a_job_that_is_retried_keeps_its_place(world: World) -> None:
    world.napcat.behave("group:1", "rate", times=2)
    rule = {"name": "slow", "retcode": 200, "result": 299, "verdict": "retry", "waits": ["50ms", "50ms"]}
    await world.gateway(delivery={"rules": [rule]})
    await world.add(job(1, "first"), job(1, "second"), job(1, "third"))
    await world.ended(3)
    assert world.napcat.texts("group:1") == ["first", "first", "first", "second", "third"]


async def test_the_parts_of_a_job_are_sent_in_order_and_nothing_comes_between_them(world: World) -> None:
    world.napcat.behave("group:1", "delay", times=1, ms=200)
    await world.gateway()
    video = {"type": "video", "data": {"file": "https://example.com/a.mp4"}}
    await world.add({"group_id": "1", "message": ["before", video, "after"]})
    await until(lambda: world.napcat.received)
    await world.add(job(1, "next", priority="high"))
    first, second = await world.ended(2)
    sent = [call.body["message"][0] for call in world.napcat.received]
    assert [segment["data"].get("text", segment["type"]) for segment in sent] == ["before", "video", "after", "next"]
    assert (first.parts.total, first.parts.delivered, len(first.message_ids)) == (3, 3, 3)
    assert second.target == first.target


async def test_a_high_priority_goes_first_and_a_low_one_is_not_starved(world: World) -> None:
    world.napcat.behave("group:1", "delay", times=1, ms=300)
    await world.gateway()
    await world.add(job(1, "begun"))
    await until(lambda: world.napcat.received)
    await world.add(job(1, "low", priority="low"), *(job(1, f"high {n}", priority="high") for n in range(25)))
    await world.ended(27)
    texts = world.napcat.texts("group:1")
    assert texts[0] == "begun"
    assert texts[1] == "high 0"
    assert texts.index("low") == 21


async def test_a_scheduled_job_joins_its_lane_when_it_is_due(world: World) -> None:
    gateway = await world.gateway()
    await world.add(job(1, "later", delay="400ms", key="later"), job(1, "now"))
    assert (await gateway.shows("key:later", "waiting", "scheduled")).eta is not None
    await world.ended(2)
    assert world.napcat.texts("group:1") == ["now", "later"]


async def test_after_twenty_turns_the_oldest_of_the_lower_priorities_goes(world: World) -> None:
    world.napcat.behave("group:1", "delay", times=1, ms=300)
    await world.gateway()
    await world.add(job(1, "begun"))
    await until(lambda: world.napcat.received)
    lower = [job(1, "normal"), job(1, "low", priority="low")]
    await world.add(*lower, *(job(1, f"high {n}", priority="high") for n in range(45)))
    await world.ended(48)
    texts = world.napcat.texts("group:1")
    assert (texts.index("normal"), texts.index("low")) == (21, 42)


async def test_jobs_scheduled_for_the_same_instant_go_in_the_order_of_their_admission(world: World) -> None:
    await world.gateway()
    at = (datetime.now(UTC) + timedelta(seconds=1)).isoformat()
    await world.add(*(job(1, str(number), not_before=at) for number in range(300)))
    await world.ended(300)
    assert world.napcat.texts("group:1") == [str(number) for number in range(300)]


async def test_jobs_of_a_requester_over_its_rate_stay_in_order_among_themselves(world: World) -> None:
    await world.gateway(limits={**WIDE, "requester": ["4/100ms"]})
    await world.add(*(job(1, str(number), requester="20001") for number in range(40)))
    await world.ended(40)
    assert world.napcat.texts("group:1") == [str(number) for number in range(40)]


async def test_a_replica_that_was_suspended_neither_loses_nor_doubles_nor_reorders(world: World) -> None:
    delivery = {"timeout": "1s", "slack": "500ms", "settle_for": "300ms"}
    limits = {**WIDE, "group": ["20/1s"]}
    first, _second = [await world.process(delivery=delivery, limits=limits) for _ in range(2)]
    await world.add(*(job(1 + number % 4, str(number)) for number in range(200)))
    await until(lambda: len(world.napcat.received) > 20)
    first.send_signal(signal.SIGSTOP)
    await world.add(*(job(1 + number % 4, str(number)) for number in range(200, 400)))
    await until(lambda: len(world.napcat.received) > 250, deadline=40)
    first.send_signal(signal.SIGCONT)

    async def ended() -> list[str]:
        return [receipt.id for receipt in await world.receipts() if receipt.ended_at and not receipt.corrected]

    assert len(set(await until(ended, lambda found: len(found) >= 400, deadline=40))) == len(await ended()) == 400
    for group in range(1, 5):
        texts = [int(text) for text in world.napcat.texts(f"group:{group}")]
        assert texts == sorted(set(texts))
    assert len(world.napcat.received) >= 400 - 5
