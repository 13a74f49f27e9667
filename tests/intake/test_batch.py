"""Many jobs in one call: each is taken or refused by itself, in its place."""

import json
from hashlib import sha256
from typing import Any

import pytest

from gateway.intake.batch import MOST_JOBS
from tests.world import World

BATCH = "/v1/jobs/batch"


def job(number: int, **fields: Any) -> dict[str, Any]:
    return {"group_id": 1 + number % 7, "message": f"{number}", "key": f"{number}", **fields}


async def test_a_thousand_jobs_are_taken_in_their_order(world: World) -> None:
    gateway = await world.gateway()
    reply = await gateway.post(BATCH, {"jobs": [job(number) for number in range(MOST_JOBS)]})
    assert reply.status == 202
    assert [set(item) for item in reply.json["items"]] == [{"id", "state", "duplicate"}] * MOST_JOBS
    await world.ended(MOST_JOBS)
    for group in range(1, 8):
        sent = world.napcat.texts(f"group:{group}")
        assert sent == [f"{number}" for number in range(MOST_JOBS) if 1 + number % 7 == group]


async def test_what_is_wrong_with_one_job_is_told_in_its_place_and_keeps_back_no_other(world: World) -> None:
    gateway = await world.gateway()
    jobs = [
        job(0),
        {"group_id": 1, "mesage": "x"},
        "hello",
        None,
        job(1, message=[{"type": "share", "data": {}}]),
        job(2, account="nobody"),
        job(0),
        job(0, message="other words"),
        job(3),
    ]
    items = (await gateway.post(BATCH, {"jobs": jobs})).json["items"]
    told = [item.get("code") or item["state"] for item in items]
    assert told[:6] == ["queued", "job_invalid", "json_invalid", "json_invalid", "message_invalid", "account_unknown"]
    assert (items[6]["id"], items[6]["duplicate"]) == (items[0]["id"], True)
    assert told[7:] == ["key_reused", "queued"]
    assert {fault["loc"] for fault in items[1]["errors"]} == {"mesage", "message"}
    assert {receipt.key for receipt in await world.ended(2)} == {"0", "3"}


async def test_what_two_readers_could_understand_differently_keeps_back_only_its_own_job(world: World) -> None:
    gateway = await world.gateway()
    fine = b'{"message": "[1, {, \\" ]}", "group_id": "1"}'
    questionable = [
        b'{"group_id": 1, "group_id": 2, "message": "x"}',
        b'{"group_id": 1, "message": "x", "priority": 1e999}',
        b'{"group_id": 1, "message": "\\u0000"}',
        b'{"group_id": 1, "message": "\\ud800"}',
        b'{"group_id": 90071992547409931234, "message": "x"}',
        b'{"group_id": 1, "message": NaN}',
    ]
    body = b' {\n"jobs" : [ ' + b" ,\n".join([fine, *questionable, fine]) + b" ] }\n"
    reply = await gateway.post(BATCH, body)
    told = [item.get("code") or item["state"] for item in reply.json["items"]]
    assert told == ["queued", *["json_invalid"] * len(questionable), "queued"]
    assert [fault["loc"] for fault in reply.json["items"][1]["errors"]] == ["group_id"]
    await world.ended(2)
    assert world.napcat.texts("group:1") == ['[1, {, " ]}'] * 2


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({}, 422, "batch_invalid"),
        ({"jobs": []}, 422, "batch_invalid"),
        ({"jobs": {}}, 422, "batch_invalid"),
        ({"jobs": [{}] * (MOST_JOBS + 1)}, 422, "batch_invalid"),
        ({"jobs": [{}], "dry_run": True}, 422, "batch_invalid"),
        ([], 400, "json_invalid"),
        (b"{", 400, "json_invalid"),
        (b'{"jobs": [{}], "jobs": [{}]}', 422, "batch_invalid"),
        (b'{"jobs": [{"message": "\xff"}]}', 400, "json_invalid"),
        (b'{"jobs": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", 400, "json_invalid"),
    ],
)
async def test_what_is_no_batch_is_refused_as_a_whole(world: World, body: Any, status: int, code: str) -> None:
    gateway = await world.gateway()
    reply = await gateway.post(BATCH, body)
    assert (reply.status, reply.json["code"]) == (status, code)
    assert world.napcat.received == []


async def test_a_key_reaches_only_its_targets_and_sends_no_more_than_its_rate(world: World) -> None:
    key = {"name": "ci", "sha256": sha256(b"secret").hexdigest(), "scopes": ["send"], "targets": ["group:1*"]}
    gateway = await world.gateway(auth={"keys": [{**key, "rate": "3/1m"}]})
    jobs = [{"group_id": group, "message": "x"} for group in (1, 2, 10, 11, 12)]
    reply = await gateway.post(BATCH, {"jobs": jobs}, {"Authorization": "Bearer secret"})
    told = [item.get("code") or item["state"] for item in reply.json["items"]]
    assert told == ["queued", "forbidden", "queued", "rate_exceeded", "rate_exceeded"]
    assert (await gateway.post(BATCH, {"jobs": jobs}, {"Authorization": "Bearer secret"})).status == 429


async def test_a_key_for_the_whole_batch_is_refused(world: World) -> None:
    gateway = await world.gateway()
    reply = await gateway.post(BATCH, json.dumps({"jobs": [job(1)]}).encode(), {"Idempotency-Key": "x"})
    assert (reply.status, reply.json["code"]) == (422, "batch_invalid")


async def test_a_full_account_takes_what_fits_and_says_so_of_the_rest(world: World) -> None:
    gateway = await world.gateway(intake={"max_queued": 2})
    await gateway.post("/v1/accounts/main/pause", {})
    items = (await gateway.post(BATCH, {"jobs": [job(number) for number in range(4)]})).json["items"]
    assert [item.get("code") or item["state"] for item in items] == ["queued", "queued", "queue_full", "queue_full"]
