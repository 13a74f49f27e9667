"""NapCat's own event posts: who may post them, and what they settle."""

import hashlib
import hmac
import json
import time
from typing import Any

import pytest
from pydantic import ValidationError

from gateway.forward.reports import SentMessage
from tests.world import SECRET, Gateway, Reply, World, until

PATH = "/napcat/main/events"
JOB = {"group_id": "1", "message": "perhaps", "key": "a"}


def sent(text: str = "perhaps", **fields: Any) -> dict[str, Any]:
    """Return NapCat's report of a text sent to group 1."""
    return {
        "post_type": "message_sent",
        "message_type": "group",
        "group_id": 1,
        "message_id": 4711,
        "time": int(time.time()),
        "message": [{"type": "text", "data": {"text": text}}],
        **fields,
    }


def signature(body: bytes, secret: str = SECRET) -> dict[str, str]:
    return {"X-Signature": "sha1=" + hmac.new(secret.encode(), body, hashlib.sha1).hexdigest()}


async def tell(gateway: Gateway, event: dict[str, Any] | bytes, path: str = PATH) -> Reply:
    """Post an event as NapCat does."""
    body = event if isinstance(event, bytes) else json.dumps(event).encode()
    return await gateway.post(path, body, signature(body))


async def unknown(world: World, *jobs: dict[str, Any], settle_for: str = "60s") -> Gateway:
    """Start a gateway and bring JOBS into the state nobody knows the end of."""
    world.napcat.behave("*", "timeout", wait_ms=10)
    gateway = await world.gateway(delivery={"settle_for": settle_for})
    await world.add(*(jobs or (JOB,)))
    return gateway


async def states(world: World, key: str = "a") -> list[str]:
    return [receipt.state for receipt in await world.receipts() if receipt.key == key]


async def test_an_event_that_is_not_signed_with_the_accounts_secret_is_refused_and_changes_nothing(
    world: World,
) -> None:
    gateway = await unknown(world)
    await gateway.shows("key:a", "unknown")
    body = json.dumps(sent()).encode()
    right = signature(body)["X-Signature"]
    wrong = [
        {},
        {"X-Signature": ""},
        {"X-Signature": "sha1="},
        {"X-Signature": right.removeprefix("sha1=")},
        {"X-Signature": right[:-1]},
        {"X-Signature": "é"},
        signature(body, "another secret"),
        signature(body, ""),
        signature(body + b" "),
    ]
    for headers in wrong:
        reply = await gateway.post(PATH, body, headers)
        assert (reply.status, reply.json["code"]) == (401, "signature_invalid")
    assert (await gateway.receipt("key:a")).state == "unknown"


async def test_an_account_without_a_secret_takes_no_event(world: World) -> None:
    gateway = await world.gateway(accounts=[world.account(events_secret="")])
    body = json.dumps(sent()).encode()
    assert (await gateway.post(PATH, body, signature(body, ""))).status == 401


async def test_an_event_for_an_account_that_is_not_there_is_not_found(world: World) -> None:
    gateway = await world.gateway()
    reply = await tell(gateway, sent(), "/napcat/nobody/events")
    assert (reply.status, reply.json["code"]) == (404, "account_unknown")


async def test_signed_garbage_is_taken_and_changes_nothing(world: World) -> None:
    gateway = await unknown(world)
    await gateway.shows("key:a", "unknown")
    garbage: list[dict[str, Any] | bytes] = [
        b"",
        b"{",
        b"\xff",
        b'"message_sent"',
        b'["message_sent"]',
        b'{"post_type": "message_sent"}',
        b'{"post_type": "message_sent", "message_type": "group", "message_sent": ' + b"[" * 5000,
        {"post_type": "meta_event", "meta_event_type": "heartbeat"},
        sent(message=5),
        sent(message=[1, None, "x"]),
        sent(message_id="x"),
        sent(message_id=None),
        sent(time="now"),
        sent(time=10**400),
        sent(group_id=None),
        sent(group_id={"a": 1}),
        sent(message_type="private"),
        sent(message_type="private", target_id=None),
    ]
    for event in garbage:
        reply = await tell(gateway, event)
        assert (reply.status, reply.body) == (204, b"")
    assert await states(world) == ["unknown"]


def test_of_an_event_whose_message_is_full_of_faults_the_first_is_enough() -> None:
    with pytest.raises(ValidationError) as refused:
        SentMessage.model_validate(sent(message=[1] * 1000))
    assert refused.value.error_count() == 1


async def test_a_signed_event_over_the_limit_is_refused(world: World) -> None:
    gateway = await world.gateway(http={"port": 0, "max_body": "1KiB"})
    reply = await tell(gateway, sent("x" * 2000))
    assert (reply.status, reply.json["code"]) == (413, "too_large")


async def test_a_late_event_settles_a_job_nobody_knew_the_fate_of(world: World) -> None:
    gateway = await unknown(world)
    await gateway.shows("key:a", "unknown")
    assert (await tell(gateway, sent())).status == 204
    receipt = await gateway.receipt("key:a")
    assert (receipt.state, receipt.evidence, receipt.message_ids) == ("delivered", "event", [4711])
    assert receipt.corrected is None
    assert await states(world) == ["unknown", "delivered"]
    assert world.napcat.texts("group:1") == ["perhaps"]


async def test_what_napcat_itself_reports_late_settles_the_job_and_lets_the_next_one_go(world: World) -> None:
    world.napcat.behave("group:1", "timeout_late", times=1, wait_ms=10, late_ms=200)
    gateway = await world.gateway()
    world.napcat.report_to(gateway.url + PATH, SECRET)
    await world.add(JOB, {**JOB, "message": "behind", "key": "b"})
    first, second = await world.ended(2)
    assert (first.state, first.evidence) == ("delivered", "event")
    assert (second.state, second.evidence) == ("delivered", "response")
    assert first.message_ids == [world.napcat.delivered[0].message_id]


async def test_a_private_message_is_settled_by_its_event_too(world: World) -> None:
    gateway = await unknown(world, {"user_id": "7", "message": "perhaps", "key": "a"})
    await gateway.shows("key:a", "unknown")
    await tell(gateway, sent(message_type="private", group_id=None, user_id=10001, target_id=7))
    assert (await gateway.receipt("key:a")).state == "delivered"


async def test_an_unconfirmed_job_is_corrected_by_a_late_event(world: World) -> None:
    gateway = await unknown(world, settle_for="50ms")
    await gateway.shows("key:a", "unconfirmed")
    await tell(gateway, sent())
    receipt = await gateway.receipt("key:a")
    assert (receipt.state, receipt.evidence, receipt.corrected) == ("delivered", "event", True)
    assert await states(world) == ["unknown", "unconfirmed", "delivered"]


async def test_an_event_that_comes_twice_credits_once(world: World) -> None:
    first, second = JOB, {**JOB, "key": "b"}
    gateway = await unknown(world, first, settle_for="50ms")
    await gateway.shows("key:a", "unconfirmed")
    event = sent()
    await tell(gateway, event)
    await world.add(second)
    await gateway.shows("key:b", "unconfirmed")
    await tell(gateway, event)
    assert (await gateway.receipt("key:b")).state == "unconfirmed"


async def test_an_event_of_another_message_credits_nothing(world: World) -> None:
    gateway = await unknown(world)
    await gateway.shows("key:a", "unknown")
    others = [
        sent("something else"),
        sent("perhaps "),
        sent(group_id=2),
        sent(message_type="private", group_id=None, target_id=1),
        sent(message=[{"type": "text", "data": {"text": "perhaps"}}, {"type": "face", "data": {"id": "1"}}]),
        sent(message=[]),
        sent(time=int(time.time()) - 3600),
    ]
    for event in others:
        assert (await tell(gateway, event)).status == 204
    assert await states(world) == ["unknown"]


async def test_what_somebody_else_says_is_no_evidence_whatever_words_it_holds(world: World) -> None:
    gateway = await unknown(world)
    await gateway.shows("key:a", "unknown")
    echo = sent(post_type="message", sender={"user_id": 5, "nickname": "message_sent"}, user_id=5)
    assert (await tell(gateway, echo)).status == 204
    assert (await gateway.receipt("key:a")).state == "unknown"


async def test_of_two_equal_jobs_none_is_guessed(world: World) -> None:
    gateway = await unknown(world, JOB, {**JOB, "key": "b"}, settle_for="50ms")
    for key in "ab":
        await gateway.shows(f"key:{key}", "unconfirmed")
    await tell(gateway, sent())
    assert {(await gateway.receipt(f"key:{key}")).state for key in "ab"} == {"unconfirmed"}


async def test_an_event_of_a_job_that_was_answered_is_no_news(world: World) -> None:
    gateway = await world.gateway()
    world.napcat.report_to(gateway.url + PATH, SECRET)
    await world.add(JOB)
    (receipt,) = await world.ended(1)
    await tell(gateway, sent(message_id=receipt.message_ids[0]))
    assert await states(world) == ["delivered"]
    assert (await gateway.receipt("key:a")).evidence == "response"


async def test_an_event_that_comes_before_the_answer_settles_it_if_the_answer_stays_away(world: World) -> None:
    world.napcat.behave("group:1", "timeout", times=1, wait_ms=300)
    gateway = await world.gateway(delivery={"settle_for": "60s"})
    await world.add(JOB)
    await until(lambda: world.napcat.received)
    await tell(gateway, sent())
    (receipt,) = await world.ended(1)
    assert (receipt.state, receipt.evidence, receipt.message_ids) == ("delivered", "event", [4711])


async def test_the_second_part_of_a_job_goes_once_the_first_is_settled_by_its_event(world: World) -> None:
    video = {"type": "video", "data": {"file": "https://example.com/a.mp4"}}
    world.napcat.behave("group:1", "timeout", times=1, wait_ms=10)
    gateway = await world.gateway()
    await world.add({**JOB, "message": ["perhaps", video]})
    await gateway.shows("key:a", "unknown")
    await tell(gateway, sent())
    (receipt,) = await world.ended(1)
    assert (receipt.state, receipt.parts.delivered, len(receipt.message_ids)) == ("delivered", 2, 2)


def image(number: int) -> dict[str, Any]:
    return {"type": "image", "data": {"file": f"https://example.com/{number}.png"}}


async def emit(world: World, gateway: Gateway, number: int) -> None:
    """Let NapCat report, late, the message it delivered as this NUMBER."""
    world.napcat.report_to(f"{gateway.url}/napcat/main/events", SECRET)
    message = world.napcat.delivered[number]
    await world.napcat.emit(sent(message_id=message.message_id, message=message.message))


async def test_a_late_event_of_an_answered_message_is_not_credited_to_an_unconfirmed_one(world: World) -> None:
    gateway = await world.gateway(delivery={"settle_for": "200ms"})
    world.napcat.behave("group:1", "reset", times=1)
    jobs: list[Any] = [[image(1)], [image(2)], "then a text"]
    await world.add(*({"group_id": "1", "message": message} for message in jobs))
    lost = (await world.ended(3))[0]
    await emit(world, gateway, 0)
    assert (await gateway.receipt(lost.id)).state == "unconfirmed"


async def test_a_late_event_of_an_answered_message_does_not_settle_a_lost_one_with_the_same_words(world: World) -> None:
    gateway = await world.gateway()
    await world.add({"group_id": "1", "message": "same words"}, {"group_id": "1", "message": "others"})
    await world.ended(2)
    world.napcat.behave("group:1", "reset", times=1)
    await world.add({"group_id": "1", "message": "same words", "key": "lost"})
    await gateway.shows("key:lost", "unknown")
    await emit(world, gateway, 0)
    assert (await gateway.receipt("key:lost")).state == "unknown"


async def test_a_job_of_which_a_part_turns_out_delivered_ends_unconfirmed_once(world: World) -> None:
    gateway = await world.gateway(delivery={"settle_for": "200ms"})
    world.napcat.report_to(f"{gateway.url}/napcat/main/events", SECRET)
    world.napcat.behave("group:1", "timeout_late", times=1, wait_ms=5, late_ms=800)
    await world.add({"group_id": "1", "message": ["text", {"type": "dice"}], "key": "a"})
    await gateway.shows("key:a", "unconfirmed")
    await until(lambda: gateway.receipt("key:a"), lambda receipt: receipt.parts.delivered == 1)
    assert await states(world) == ["unknown", "unconfirmed"]


async def test_the_same_words_from_somebody_else_do_not_deliver_a_job_that_qq_refused(world: World) -> None:
    world.napcat.behave("group:1", "too_fast", times=1)
    gateway = await world.gateway()
    await world.add(JOB)
    await gateway.shows("key:a", "waiting", "retry")
    await tell(gateway, sent())
    assert (await gateway.receipt("key:a")).state == "waiting"
    assert world.napcat.delivered == []


async def test_an_event_that_tells_its_message_as_a_cq_string_settles_too(world: World) -> None:
    gateway = await unknown(world, {**JOB, "message": ["per[haps]", {"type": "at", "data": {"qq": "5"}}]})
    await gateway.shows("key:a", "unknown")
    await tell(gateway, sent(message="per&#91;haps&#93;[CQ:at,qq=5]"))
    assert (await gateway.receipt("key:a")).state == "delivered"
