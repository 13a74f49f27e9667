"""What a OneBot client is told of its message: when, in which words, and while parts of the world are away."""

import asyncio
import json
from collections import Counter

import aiohttp

from tests.onebot.calls import JOB, call, is_delivered, refusal, told
from tests.world import World, until


async def test_a_message_in_parts_is_told_by_its_first_id_and_all_of_them(world: World) -> None:
    gateway = await world.gateway()
    video = {"type": "video", "data": {"file": "https://example.com/a.mp4"}}
    envelope = await call(gateway, "send_group_msg", {"group_id": 1, "message": ["before", video, "after"]})
    ids = [message.message_id for message in world.napcat.delivered]
    assert len(ids) == 3
    assert envelope["data"] == {"message_id": ids[0], "message_ids": ids}


async def test_what_qq_refuses_is_told_in_its_words_and_never_as_a_stack_trace(world: World) -> None:
    world.napcat.behave("group:1", "kick")
    world.napcat.behave("group:2", "throw", text="TypeError: Cannot read properties of undefined\n    at /app/x.js:1:2")
    gateway = await world.gateway()
    envelope = await call(gateway, "send_group_msg", JOB)
    assert (envelope["status"], envelope["retcode"], envelope["data"]) == ("failed", 200, None)
    assert envelope["message"].startswith("rejected (target_unreachable): ")
    assert "你已被移出该群" in envelope["message"]
    thrown = await call(gateway, "send_group_msg", {**JOB, "group_id": 2})
    assert thrown["status"] == "failed"
    assert "/app" not in json.dumps(thrown)


async def test_a_message_of_which_only_the_first_part_was_delivered_failed_and_says_so(world: World) -> None:
    world.napcat.behave("group:1", "normal", times=1)
    world.napcat.behave("group:1", "kick")
    gateway = await world.gateway()
    video = {"type": "video", "data": {"file": "https://example.com/a.mp4"}}
    envelope = await call(gateway, "send_group_msg", {"group_id": 1, "message": ["before", video, "after"]})
    assert envelope["status"] == "failed"
    assert envelope["message"].endswith("; 1 of 3 parts were delivered")


async def test_a_job_that_expires_or_is_cancelled_failed(world: World) -> None:
    world.napcat.behave("group:1", "delay", times=1, ms=700)
    gateway = await world.gateway()
    first = asyncio.create_task(call(gateway, "send_group_msg", JOB))
    await until(lambda: world.napcat.received)
    late = asyncio.create_task(call(gateway, "send_group_msg", {**JOB, "ttl": "100ms"}))
    lost = asyncio.create_task(call(gateway, "send_group_msg", {**JOB, "key": "lost"}))
    receipt = await until(lambda: gateway.find("key:lost"))
    assert (await gateway.request("DELETE", f"/v1/jobs/{receipt.id}")).status == 200
    assert (await lost)["message"].startswith("cancelled")
    assert (await late)["message"].startswith("expired")
    assert (await first)["status"] == "ok"


async def test_a_job_that_takes_longer_than_the_wait_is_told_as_under_way_and_can_be_asked_for(world: World) -> None:
    world.napcat.behave("group:1", "delay", times=1, ms=1_000)
    gateway = await world.gateway(onebot={"wait": "100ms"})
    reply = await gateway.post("/send_group_msg", {**JOB, "echo": 1})
    envelope = told(reply)
    job = envelope["data"]["job"]
    assert (envelope["status"], envelope["retcode"], envelope["data"]) == ("async", 1, {"job": job})
    assert reply.headers["Location"] == f"/v1/jobs/{job}"
    assert (await gateway.get(f"/v1/jobs/{job}?wait=20s")).json["state"] == "delivered"


async def test_what_nobody_knows_is_told_as_under_way_and_never_as_failed(world: World) -> None:
    world.napcat.behave("*", "timeout", wait_ms=10)
    gateway = await world.gateway(onebot={"wait": "5s"}, delivery={"settle_for": "100ms"})
    envelope = await call(gateway, "send_group_msg", JOB)
    assert (envelope["status"], envelope["retcode"]) == ("async", 1)
    assert (await gateway.receipt(envelope["data"]["job"])).state == "unconfirmed"


async def test_an_async_action_is_answered_at_once(world: World) -> None:
    world.napcat.behave("*", "delay", ms=700)
    gateway = await world.gateway()
    for action, where in (("send_msg", "user_id"), ("send_group_msg", "group_id"), ("send_private_msg", "user_id")):
        envelope = await call(gateway, f"{action}_async", {where: 1, "message": "hello"})
        assert (envelope["status"], envelope["retcode"]) == ("async", 1)
        assert (await gateway.receipt(envelope["data"]["job"])).state != "delivered"
    await world.ended(3)


async def test_a_scheduled_message_is_answered_at_once(world: World) -> None:
    gateway = await world.gateway()
    async with asyncio.timeout(10):
        for later in ({"delay": "1h"}, {"not_before": "2100-01-01T00:00:00Z"}):
            assert (await call(gateway, "send_group_msg", {**JOB, **later}))["status"] == "async"


async def test_the_same_key_is_one_message_and_one_answer(world: World) -> None:
    gateway = await world.gateway()
    first = await call(gateway, "send_group_msg", {**JOB, "key": "a", "echo": 1})
    again = await call(gateway, "send_group_msg", {**JOB, "echo": 2}, Idempotency_Key="a")
    assert again["data"] == first["data"]
    assert len(world.napcat.received) == 1
    refusal(await call(gateway, "send_group_msg", {**JOB, "message": "other", "key": "a"}), "key")


async def test_two_hundred_clients_at_once_are_all_answered(world: World) -> None:
    gateway = await world.gateway()
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:

        async def send(number: int) -> tuple[int, str]:
            job = {"group_id": 1 + number % 20, "message": f"{number}"}
            async with session.post(f"{gateway.url}/send_group_msg", json=job) as answer:
                return answer.status, (await answer.json())["status"]

        answers = Counter(await asyncio.gather(*(send(number) for number in range(200))))
    assert answers == {(200, "ok"): 200}
    assert len(world.napcat.received) == 200


async def test_a_message_that_another_replica_delivers_is_answered_too(world: World) -> None:
    world.napcat.behave("group:9", "delay", ms=3_000)
    busy = await world.gateway(accounts=[world.account(max_in_flight=1)])
    await call(busy, "send_group_msg_async", {**JOB, "group_id": 9})
    await until(lambda: len(world.napcat.received) == 1)  # the only call this one may make
    asked = asyncio.create_task(call(busy, "send_group_msg", JOB))
    await world.gateway()
    async with asyncio.timeout(2.5):
        assert is_delivered(await asked, world)


async def test_a_restart_of_redis_delays_the_answer_and_loses_nothing(world: World) -> None:
    world.napcat.behave("group:1", "delay", times=1, ms=1_000)
    gateway = await world.gateway()
    asked = asyncio.create_task(call(gateway, "send_group_msg", JOB))
    await until(lambda: world.napcat.received)
    await world.stop_redis()
    await world.start_redis()
    assert is_delivered(await asked, world)
    assert len(world.napcat.received) == 1


async def test_without_redis_a_message_is_not_taken(world: World) -> None:
    gateway = await world.gateway()
    await world.stop_redis()
    reply = await gateway.post("/send_group_msg", JOB)
    assert (reply.status, reply.json["code"]) == (503, "store_unavailable")
    await world.start_redis()


async def test_who_waits_while_the_gateway_stops_is_told_which_job_to_ask_for(world: World) -> None:
    world.napcat.behave("group:1", "delay", times=1, ms=1_000)
    gateway = await world.gateway()
    asked = asyncio.create_task(call(gateway, "send_group_msg", JOB))
    await until(lambda: world.napcat.received)
    await gateway.stop()
    envelope = await asked
    assert envelope["status"] == "async"
    other = await world.gateway()
    assert (await other.get(f"/v1/jobs/{envelope['data']['job']}?wait=20s")).json["state"] == "delivered"
