"""Taking back what was delivered, over HTTP and as OneBot's delete_msg."""

import hashlib
from typing import Any

import aiohttp

from tests.world import SECRET, Gateway, World, until


async def delivered(gateway: Gateway, **fields: Any) -> tuple[str, list[int]]:
    job = {"group_id": "1", "message": "hello", **fields}
    name = (await gateway.post("/v1/jobs", job)).json["id"]
    return name, (await gateway.shows(name, "delivered")).message_ids


async def test_a_delivered_message_is_taken_back(world: World) -> None:
    gateway = await world.gateway()
    name, ids = await delivered(gateway)
    reply = await gateway.request("DELETE", f"/v1/jobs/{name}?recall=true")
    assert (reply.status, reply.json["state"]) == (200, "delivered")
    assert reply.json["recalled_at"] >= reply.json["ended_at"]
    assert world.napcat.recalled == ids


async def test_every_part_of_a_message_is_taken_back_once(world: World) -> None:
    gateway = await world.gateway()
    record = {"type": "record", "data": {"file": "https://example.com/a.amr"}}
    name, ids = await delivered(gateway, message=["listen", record])
    assert len(ids) == 2
    for _ in range(2):
        assert (await gateway.request("DELETE", f"/v1/jobs/{name}?recall=true")).status == 200
    assert world.napcat.recalled == ids


async def test_without_asking_for_it_nothing_is_taken_back(world: World) -> None:
    gateway = await world.gateway()
    name, _ = await delivered(gateway)
    reply = await gateway.request("DELETE", f"/v1/jobs/{name}")
    assert (reply.status, reply.json["code"]) == (409, "too_late")
    assert "recall=true" in reply.json["detail"]
    assert world.napcat.recalled == []


async def test_a_job_that_was_not_sent_yet_is_cancelled_by_a_recall_too(world: World) -> None:
    gateway = await world.gateway()
    name = (await gateway.post("/v1/jobs", {"group_id": "1", "message": "later", "delay": "1h"})).json["id"]
    reply = await gateway.request("DELETE", f"/v1/jobs/{name}?recall=true")
    assert (reply.status, reply.json["state"]) == (200, "cancelled")


async def test_a_recall_that_napcat_refuses_tells_its_words(world: World) -> None:
    gateway = await world.gateway()
    name, _ = await delivered(gateway)
    world.napcat.forget()  # as when it is started again: what it knew of messages was in its memory
    reply = await gateway.request("DELETE", f"/v1/jobs/{name}?recall=true")
    assert (reply.status, reply.json["code"]) == (502, "recall_failed")
    assert "Recall failed" in reply.json["detail"]
    assert "recalled_at" not in (await gateway.get(f"/v1/jobs/{name}")).json


async def test_a_recall_is_asked_for_by_true_or_false(world: World) -> None:
    gateway = await world.gateway()
    name, _ = await delivered(gateway)
    reply = await gateway.request("DELETE", f"/v1/jobs/{name}?recall=1")
    assert (reply.status, reply.json["errors"][0]["loc"]) == (422, "query.recall")


async def test_delete_msg_takes_back_what_this_gateway_sent(world: World) -> None:
    gateway = await world.gateway()
    for spell in (int, str):
        name, (message_id,) = await delivered(gateway)
        told = (await gateway.post("/delete_msg", {"message_id": spell(message_id), "echo": 7})).json
        assert (told["status"], told["retcode"], told["data"], told["echo"]) == ("ok", 0, None, 7)
        assert world.napcat.recalled[-1] == message_id
        assert "recalled_at" in (await gateway.get(f"/v1/jobs/{name}")).json


async def test_delete_msg_leaves_alone_what_this_gateway_did_not_send(world: World) -> None:
    gateway = await world.gateway()
    await delivered(gateway)
    told = (await gateway.post("/delete_msg", {"message_id": 4711})).json
    assert (told["status"], told["retcode"]) == ("failed", 200)
    assert "not sent by this gateway" in told["message"]
    assert world.napcat.recalled == []


async def test_delete_msg_needs_a_message_id(world: World) -> None:
    gateway = await world.gateway()
    for fields in ({}, {"message_id": "abc"}, {"message_id": [1]}, {"message_id": True}, {"message_id": ""}):
        told = (await gateway.post("/delete_msg", fields)).json
        assert (told["status"], told["retcode"]) == ("failed", 400)
        assert "message_id" in told["message"]


async def test_delete_msg_finds_the_account_that_sent_the_message(world: World) -> None:
    gateway = await world.gateway(accounts=[world.account(name="other"), world.account()])
    _, ids = await delivered(gateway, account="main")
    assert (await gateway.post("/other/delete_msg", {"message_id": ids[0]})).json["status"] == "failed"
    assert (await gateway.post("/delete_msg", {"message_id": ids[0]})).json["status"] == "ok"


async def test_a_key_takes_back_only_messages_of_its_own_targets(world: World) -> None:
    digest = hashlib.sha256(b"one").hexdigest()
    gateway = await world.gateway(auth={"keys": [{"name": "one", "sha256": digest, "targets": ["group:2"]}]})
    await world.add({"group_id": "1", "message": "hello"})
    (receipt,) = await world.ended(1)
    headers = {"Authorization": "Bearer one"}
    told = (await gateway.post("/delete_msg", {"message_id": receipt.message_ids[0]}, headers)).json
    assert told["status"] == "failed"
    assert (await gateway.request("DELETE", f"/v1/jobs/{receipt.id}?recall=true", headers=headers)).status == 404
    assert world.napcat.recalled == []


async def test_a_napcat_that_is_away_fails_a_recall_and_holds_nothing_up(world: World) -> None:
    gateway = await world.gateway()
    name, ids = await delivered(gateway)
    await world.napcat.stop()
    assert (await gateway.request("DELETE", f"/v1/jobs/{name}?recall=true")).status == 502
    told = (await gateway.post("/delete_msg", {"message_id": ids[0]})).json
    assert (told["status"], told["retcode"]) == ("failed", 200)


async def test_a_recall_by_somebody_else_is_in_the_receipt_when_napcat_reports_it(world: World) -> None:
    gateway = await world.gateway()
    world.napcat.report_to(f"{gateway.url}/napcat/main/events", SECRET)
    name, ids = await delivered(gateway)
    async with aiohttp.ClientSession() as session:
        await session.post(f"{world.napcat.url}/delete_msg", json={"message_id": ids[0]})
    await until(lambda: gateway.receipt(name), lambda receipt: receipt.recalled_at is not None)


async def test_a_job_counts_as_taken_back_when_all_its_messages_are(world: World) -> None:
    gateway = await world.gateway()
    record = {"type": "record", "data": {"file": "https://example.com/a.amr"}}
    name, ids = await delivered(gateway, message=["listen", record])
    for message_id, all_of_it in zip(ids, (False, True), strict=True):
        await gateway.post("/delete_msg", {"message_id": message_id})
        assert ("recalled_at" in (await gateway.get(f"/v1/jobs/{name}")).json) is all_of_it


async def test_delete_msg_of_what_was_taken_back_is_fine_and_asks_napcat_no_more(world: World) -> None:
    gateway = await world.gateway()
    _, ids = await delivered(gateway)
    for _ in range(3):
        assert (await gateway.post("/delete_msg", {"message_id": ids[0]})).json["status"] == "ok"
    assert world.napcat.recalled == ids


async def test_delete_msg_counts_in_the_rate_of_its_key(world: World) -> None:
    digest = hashlib.sha256(b"one").hexdigest()
    gateway = await world.gateway(auth={"keys": [{"name": "one", "sha256": digest, "rate": "1/1h"}]})
    headers = {"Authorization": "Bearer one"}
    statuses = [(await gateway.post("/delete_msg", {"message_id": 1}, headers)).status for _ in range(2)]
    assert statuses == [200, 429]
