"""A delivery that comes again is one message, and another delivery is another."""

import asyncio
import base64
import json
from datetime import UTC, datetime

from standardwebhooks.webhooks import Webhook

from tests.clocks import Held
from tests.hooks.calls import (
    GROUP,
    TOLD,
    bark,
    generic,
    github,
    push,
    refused,
)
from tests.world import World, until


async def test_the_same_delivery_twice_is_one_message_and_another_is_another(world: World) -> None:
    gateway = await world.gateway(hooks=[github()])
    replies = [await push(gateway, delivery=delivery) for delivery in ("d-1", "d-1", "d-2")]
    assert [reply.status for reply in replies] == [202, 202, 202]
    jobs = [reply.json["jobs"][0] for reply in replies]
    assert [job["duplicate"] for job in jobs] == [False, True, False]
    assert jobs[0]["id"] == jobs[1]["id"] != jobs[2]["id"]
    await world.ended(2)
    assert world.napcat.texts(GROUP) == [TOLD, TOLD]


async def test_deliveries_at_the_same_time_are_one_message(world: World) -> None:
    gateway = await world.gateway(hooks=[github()])
    replies = await asyncio.gather(*(push(gateway) for _ in range(8)))
    assert {reply.status for reply in replies} == {202}
    assert len({reply.json["jobs"][0]["id"] for reply in replies}) == 1
    await world.ended(1)
    assert world.napcat.texts(GROUP) == [TOLD]


async def test_a_standard_webhook_is_taken_in_its_time_and_not_when_it_is_replayed(world: World) -> None:
    clock = Held()
    secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    gateway = await world.gateway(clock, hooks=[generic(preset="standard", secret=secret)])
    body = b'{"type": "contact.created", "data": {"id": 7}}'

    def headers(name: str) -> dict[str, str]:
        signature = Webhook(secret).sign(name, datetime.fromtimestamp(Held.began_ms / 1000, UTC), body.decode())
        return {"webhook-id": name, "webhook-timestamp": str(Held.began_ms // 1000), "webhook-signature": signature}

    replies = [await gateway.post("/hooks/any", body, headers(name)) for name in ("msg_1", "msg_1", "msg_2")]
    assert [reply.json["jobs"][0]["duplicate"] for reply in replies] == [False, True, False]
    for seconds in (301, -301):
        clock.seconds = seconds
        reply = await gateway.post("/hooks/any", body, headers("msg_3"))
        assert (reply.status, reply.json["code"]) == (401, "signature_invalid")
        assert "five minutes" in reply.json["detail"]
    await world.ended(2)
    assert world.napcat.texts(GROUP) == ["[any] contact.created\nid: 7"] * 2
    assert await refused(world) == []


async def test_the_signed_id_of_a_standard_webhook_tells_deliveries_apart(world: World) -> None:
    secret = "whsec_" + base64.b64encode(b"k" * 32).decode()
    hook = {"name": "own", "template": "{{ payload.data }}", "verify": {"kind": "standard"}, "secret": secret}
    gateway = await world.gateway(hooks=[{**hook, "targets": ["group:1"]}])
    body, at = json.dumps({"data": "hello"}), datetime.now(UTC)
    told: list[bool] = []
    for name in ("msg_1", "msg_2", "msg_1"):
        signature = Webhook(secret).sign(name, at, body)
        sent = {"webhook-id": name, "webhook-timestamp": str(int(at.timestamp())), "webhook-signature": signature}
        sent["Idempotency-Key"] = f"other-{len(told)}"
        told.append((await gateway.post("/hooks/own", body.encode(), sent)).json["jobs"][0]["duplicate"])
    assert told == [False, False, True]


async def test_a_push_that_is_meant_again_is_sent_again_and_one_that_is_repeated_at_once_is_not(world: World) -> None:
    clock = Held()
    gateway = await world.gateway(clock, hooks=[bark()])
    for seconds in (0, 1, 9, 12):
        clock.seconds = seconds
        assert (await gateway.get("/hooks/bark/key1/hello")).status == 200
    await until(lambda: world.napcat.texts(GROUP), lambda texts: len(texts) >= 2)
    assert world.napcat.texts(GROUP) == ["hello", "hello"]
