"""What became of a job, as everybody is told: over HTTP and in the receipts stream."""

import json
import re
from datetime import datetime
from typing import Any

from tests.world import WIDE, Gateway, World

FIELDS = {
    "id", "key", "account", "target", "state", "reason", "code", "eta", "created_at", "updated_at", "ended_at",
    "message_ids", "parts", "attempts", "evidence", "corrected", "replay_of", "metadata",
}  # fmt: skip
ATTEMPT = {"n", "part", "began_at", "took_ms", "http_status", "retcode", "result", "verdict", "rule", "text"}
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
METADATA = {
    "order": 17,
    "tags": [],
    "none": None,
    "nested": {"empty": {}, "deep": [[], [1, 2.5, {"a": "b"}]]},
    "words": '你好 🎉 \\ " / \n',
    "large": 2**53,
    "yes": True,
}


async def receipt_of(gateway: Gateway, key: str) -> dict[str, Any]:
    document: dict[str, Any] = (await gateway.get(f"/v1/jobs/key:{key}")).json
    return document


async def published(world: World) -> list[dict[str, Any]]:
    return [json.loads(entry) for entry in await world.producer.receipts()]


async def test_the_receipt_of_a_delivered_job_tells_what_happened_and_nothing_that_is_not_known(world: World) -> None:
    gateway = await world.gateway()
    posted = await gateway.post("/v1/jobs", {"group_id": "1", "message": "hello", "key": "a", "metadata": {"x": 1}})
    await world.ended(1)
    receipt = await receipt_of(gateway, "a")
    (sent,) = world.napcat.delivered
    (attempt,) = receipt["attempts"]
    assert set(receipt) == {
        "id", "key", "account", "target", "state", "created_at", "updated_at", "ended_at", "message_ids", "parts",
        "attempts", "evidence", "metadata",
    }  # fmt: skip
    assert (receipt["id"], receipt["key"], receipt["account"]) == (posted.json["id"], "a", "main")
    assert (receipt["target"], receipt["state"], receipt["evidence"]) == ("group:1", "delivered", "response")
    assert receipt["message_ids"] == [sent.message_id]
    assert receipt["parts"] == {"total": 1, "delivered": 1}
    assert (attempt["n"], attempt["part"], attempt["verdict"], attempt["rule"]) == (1, 0, "delivered", "delivered")
    assert (attempt["http_status"], attempt["retcode"]) == (200, 0)
    assert isinstance(attempt["took_ms"], int)


async def test_the_receipt_of_a_rejected_job_tells_why_in_napcats_own_words(world: World) -> None:
    world.napcat.behave("group:1", "kick")
    gateway = await world.gateway()
    await gateway.post("/v1/jobs", {"group_id": "1", "message": "hello", "key": "a"})
    await world.ended(1)
    receipt = await receipt_of(gateway, "a")
    (attempt,) = receipt["attempts"]
    assert (receipt["state"], receipt["code"], receipt["message_ids"]) == ("rejected", attempt["rule"], [])
    assert (attempt["retcode"], attempt["result"], attempt["verdict"]) == (200, 110, "rejected")
    assert "你已被移出该群" in attempt["text"]
    assert not {"evidence", "metadata", "eta", "reason", "replay_of"} & set(receipt)


async def test_every_time_is_rfc_3339_in_utc(world: World) -> None:
    gateway = await world.gateway()
    await gateway.post("/v1/jobs", {"group_id": "1", "message": "hello", "key": "a"})
    await world.ended(1)
    receipt = await receipt_of(gateway, "a")
    began_at = receipt["attempts"][0]["began_at"]
    times = [receipt["created_at"], began_at, receipt["ended_at"]]
    assert all(TIME.fullmatch(time) for time in [*times, receipt["updated_at"]])
    assert times == sorted(times)
    now = datetime.now().astimezone()
    assert abs((now - datetime.fromisoformat(times[0])).total_seconds()) < 60


async def test_no_receipt_has_a_field_the_contract_does_not_name(world: World) -> None:
    world.napcat.behave("group:1", "kick")
    world.napcat.behave("group:2", "mute")
    world.napcat.behave("group:3", "timeout", wait_ms=10)
    gateway = await world.gateway(delivery={"settle_for": "100ms"})
    await world.add(*({"group_id": str(n), "message": "hello", "key": str(n)} for n in range(1, 5)))
    await world.ended(3)
    await gateway.shows("key:2", "waiting", "parked")
    for receipt in [*await published(world), *[await receipt_of(gateway, str(n)) for n in range(1, 5)]]:
        assert set(receipt) <= FIELDS
        assert all(set(attempt) <= ATTEMPT for attempt in receipt["attempts"])


async def test_the_stream_has_one_entry_for_each_change_that_matters(world: World) -> None:
    world.napcat.behave("group:2", "kick")
    world.napcat.behave("group:3", "timeout", wait_ms=10)
    world.napcat.behave("group:4", "delay", times=1, ms=200)
    rule = {"name": "soon", "result": 299, "verdict": "retry", "waits": ["10ms"]}
    world.napcat.behave("group:5", "rate")
    world.napcat.behave("group:6", "rate", times=1)
    await world.gateway(delivery={"settle_for": "100ms", "rules": [rule]})
    await world.add(
        *({"group_id": str(n), "message": "hello", "key": str(n)} for n in range(1, 7)),
        {"group_id": "4", "message": "late", "key": "late", "ttl": "50ms"},
    )
    await world.ended(7)
    changes: dict[str, list[str]] = {}
    for receipt in await published(world):
        changes.setdefault(receipt["key"], []).append(receipt["state"])
    assert changes == {
        "1": ["delivered"],
        "2": ["rejected"],
        "3": ["unknown", "unconfirmed"],
        "4": ["delivered"],
        "5": ["dead"],
        "6": ["delivered"],
        "late": ["expired"],
    }


async def test_the_last_receipt_in_the_stream_is_the_one_http_tells(world: World) -> None:
    gateway = await world.gateway()
    await world.add({"group_id": "1", "message": "hello", "key": "a", "metadata": METADATA})
    await world.ended(1)
    assert (await published(world))[-1] == await receipt_of(gateway, "a")


async def test_metadata_comes_back_as_it_was_given_and_is_never_sent(world: World) -> None:
    gateway = await world.gateway()
    await world.add({"group_id": "1", "message": "hello", "key": "a", "metadata": METADATA})
    await world.ended(1)
    assert (await receipt_of(gateway, "a"))["metadata"] == METADATA
    assert (await published(world))[-1]["metadata"] == METADATA
    assert b"metadata" not in world.napcat.received[0].raw
    assert b"order" not in world.napcat.received[0].raw


async def test_the_receipt_of_a_job_in_parts_counts_them(world: World) -> None:
    world.napcat.behave("group:1", "normal", times=1)
    world.napcat.behave("group:1", "kick")
    await world.gateway()
    video = {"type": "video", "data": {"file": "https://example.com/a.mp4"}}
    await world.add({"group_id": "1", "message": ["before", video, "after"]})
    (receipt,) = await world.ended(1)
    assert (receipt.state, receipt.parts.total, receipt.parts.delivered) == ("rejected", 3, 1)
    assert len(receipt.message_ids) == 1
    assert [attempt.part for attempt in receipt.attempts or ()] == [0, 1]


async def test_a_scheduled_job_waits_until_its_time(world: World) -> None:
    gateway = await world.gateway()
    await world.add({"group_id": "1", "message": "later", "key": "a", "not_before": "2100-01-01T00:00:00Z"})
    receipt = await gateway.shows("key:a", "waiting", "scheduled")
    assert receipt.eta == datetime.fromisoformat("2100-01-01T00:00:00Z")


async def test_a_job_behind_another_waits_for_it(world: World) -> None:
    world.napcat.behave("group:1", "delay", times=1, ms=400)
    gateway = await world.gateway()
    await world.add(*({"group_id": "1", "message": "hello", "key": key} for key in ("first", "second")))
    receipt = await gateway.shows("key:second", "waiting", "behind")
    assert receipt.eta is None
    assert (await gateway.receipt("key:first")).state == "sending"
    await world.ended(2)


async def test_a_job_over_a_rate_waits_until_there_is_room(world: World) -> None:
    gateway = await world.gateway(limits={**WIDE, "group": ["1/1h"]})
    await world.add(*({"group_id": "1", "message": "hello", "key": key} for key in ("first", "second")))
    (first,) = await world.ended(1)
    receipt = await gateway.shows("key:second", "waiting", "rate_limited")
    assert receipt.eta is not None
    assert 3590 < (receipt.eta - first.created_at).total_seconds() < 3660


async def test_a_job_over_the_rate_of_the_whole_account_waits_until_there_is_room(world: World) -> None:
    gateway = await world.gateway(limits={**WIDE, "account": ["1/1h"]})
    await world.add(*({"group_id": group, "message": "hello", "key": group} for group in ("1", "2")))
    (first,) = await world.ended(1)
    (other,) = {"1", "2"} - {first.key}
    receipt = await gateway.shows(f"key:{other}", "waiting", "rate_limited")
    assert receipt.eta is not None
    assert 3590 < (receipt.eta - first.created_at).total_seconds() < 3660


async def test_a_job_over_its_requesters_rate_waits_until_there_is_room(world: World) -> None:
    gateway = await world.gateway(limits={**WIDE, "requester": ["1/1h"]})
    await world.add(*({"group_id": "1", "message": "hello", "key": key, "requester": "7"} for key in ("a", "b")))
    assert (await gateway.shows("key:b", "waiting", "rate_limited")).eta is not None


async def test_a_job_that_is_tried_again_waits_for_its_next_try(world: World) -> None:
    world.napcat.behave("group:1", "rate")
    gateway = await world.gateway()
    await world.add({"group_id": "1", "message": "hello", "key": "a"})
    receipt = await gateway.shows("key:a", "waiting", "retry")
    assert receipt.code == "too_fast"
    assert receipt.eta is not None
    assert receipt.eta > receipt.updated_at


async def test_a_job_of_a_muted_group_waits_parked(world: World) -> None:
    world.napcat.behave("group:1", "mute")
    gateway = await world.gateway()
    await world.add({"group_id": "1", "message": "hello", "key": "a"})
    receipt = await gateway.shows("key:a", "waiting", "parked")
    assert receipt.code == "muted"
    assert receipt.eta is not None
    assert 590 < (receipt.eta - receipt.created_at).total_seconds() < 660


async def test_a_job_of_an_account_that_cannot_send_waits_paused(world: World) -> None:
    world.napcat.behave("*", "restricted")
    gateway = await world.gateway()
    await world.add({"group_id": "1", "message": "hello", "key": "a"})
    receipt = await gateway.shows("key:a", "waiting", "paused")
    assert receipt.code == "account_restricted"
    assert receipt.eta is not None


async def test_a_job_nobody_knows_the_fate_of_says_until_when_it_is_settled(world: World) -> None:
    world.napcat.behave("group:1", "timeout", wait_ms=10)
    gateway = await world.gateway()
    await world.add({"group_id": "1", "message": "hello", "key": "a"})
    receipt = await gateway.shows("key:a", "unknown")
    assert receipt.eta is not None
    assert receipt.ended_at is None
    assert 50 < (receipt.eta - receipt.updated_at).total_seconds() < 70


async def test_a_record_outlives_its_job_by_as_long_as_results_are_kept(world: World) -> None:
    gateway = await world.gateway(results={"keep": "1h"})
    await world.add({"group_id": "1", "message": "hello", "key": "a"})
    (receipt,) = await world.ended(1)
    record = f"gw:{{main}}:job:{receipt.id.removeprefix('main.')}"
    for key in (record, "gw:{main}:key:a"):
        assert 3590 < await world.clients.commands.ttl(key) <= 3600
    assert (await gateway.receipt("key:a")).state == "delivered"
