"""What an operator may do to lanes over HTTP."""

import hashlib
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.world import World

JOB = {"group_id": 1, "message": "x", "key": "a"}


async def test_a_parked_target_waits_with_its_reason_and_goes_on_when_released(world: World) -> None:
    gateway = await world.gateway()
    parked = await gateway.post("/v1/targets/group/1/park", {"reason": "quarrel", "for": "1h"})
    assert parked.status == 200
    assert (parked.json["held"], parked.json["reason"]) == ("group:1", "quarrel")
    await world.add(JOB)
    receipt = await gateway.shows("key:a", "waiting", "parked")
    assert receipt.eta is not None
    assert timedelta(minutes=59) < receipt.eta - datetime.now(UTC) < timedelta(minutes=61)
    assert (await gateway.post("/v1/targets/group/1/release", b"")).json["was_held"] is True
    await gateway.shows("key:a", "delivered")
    assert (await gateway.post("/v1/targets/group/1/release", b"")).json["was_held"] is False


async def test_a_hold_may_end_at_a_time(world: World) -> None:
    gateway = await world.gateway()
    until = (datetime.now(UTC) + timedelta(seconds=1)).isoformat()
    assert (await gateway.post("/v1/targets/private/5/park", {"until": until})).status == 200
    await world.add({"user_id": 5, "message": "x", "key": "a"})
    await gateway.shows("key:a", "waiting", "parked")
    await gateway.shows("key:a", "delivered")


async def test_a_paused_account_accepts_and_does_not_send_until_it_is_resumed(world: World) -> None:
    gateway = await world.gateway()
    assert (await gateway.post("/v1/accounts/main/pause", {"reason": "upgrade of NapCat"})).status == 200
    assert (await gateway.post("/v1/jobs", JOB)).status == 202
    await gateway.shows("key:a", "waiting", "paused")
    status = await gateway.status()
    assert status["status"] == "degraded"
    assert "upgrade of NapCat" in str(status["reasons"])
    await gateway.post("/v1/accounts/main/resume", b"")
    await gateway.shows("key:a", "delivered")
    assert len(world.napcat.received) == 1


async def test_a_waiting_job_is_cancelled_and_shown_as_such(world: World) -> None:
    gateway = await world.gateway()
    job = (await gateway.post("/v1/jobs", {**JOB, "delay": "1h"})).json["id"]
    reply = await gateway.request("DELETE", f"/v1/jobs/{job}")
    assert (reply.status, reply.json["state"]) == (200, "cancelled")
    assert [receipt.state for receipt in await world.receipts()] == ["cancelled"]


async def test_cancelling_too_late_says_so_and_changes_nothing(world: World) -> None:
    gateway = await world.gateway()
    job = (await gateway.post("/v1/jobs", JOB)).json["id"]
    await gateway.shows("key:a", "delivered")
    reply = await gateway.request("DELETE", f"/v1/jobs/{job}")
    assert (reply.status, reply.json["code"]) == (409, "too_late")
    assert "delivered" in reply.json["detail"]


@pytest.mark.parametrize("job", ["main.nobody", "other.nobody", "nonsense", "%00"])
async def test_there_is_no_such_job_to_cancel(world: World, job: str) -> None:
    gateway = await world.gateway()
    assert (await gateway.request("DELETE", f"/v1/jobs/{job}")).status == 404


BAD: list[tuple[str, Any, int, str]] = [
    ("/v1/targets/group/x/park", {}, 404, "target_invalid"),
    ("/v1/targets/planet/1/park", {}, 404, "target_invalid"),
    ("/v1/targets/group/1/park?account=nobody", {}, 422, "account_unknown"),
    ("/v1/accounts/nobody/pause", {}, 422, "account_unknown"),
    ("/v1/targets/group/1/park", {"for": "soon"}, 422, "hold_invalid"),
    ("/v1/targets/group/1/park", {"for": 0}, 422, "hold_invalid"),
    ("/v1/targets/group/1/park", {"until": "2001-01-01T00:00:00Z"}, 422, "hold_invalid"),
    ("/v1/targets/group/1/park", {"for": "1m", "until": "2099-01-01T00:00:00Z"}, 422, "hold_invalid"),
    ("/v1/targets/group/1/park", {"why": "x"}, 422, "hold_invalid"),
    ("/v1/targets/group/1/park", {"reason": ""}, 422, "hold_invalid"),
    ("/v1/targets/group/1/park", [1], 400, "json_invalid"),
    ("/v1/targets/group/1/park", b'{"for":"1m","for":"2m"}', 400, "json_invalid"),
    ("/v1/targets/group/1/park", b"{", 400, "json_invalid"),
    ("/v1/targets/group/1/park", b"\xff", 400, "json_invalid"),
    ("/v1/targets/group/1/park", b"[" * 10_000, 400, "json_invalid"),
    ("/v1/targets/group/1/park", {f"x{number}": 1 for number in range(2_000)}, 413, "too_large"),
]


@pytest.mark.parametrize(("path", "body", "status", "code"), BAD)
async def test_a_wrong_hold_is_refused_with_the_reason(
    world: World, path: str, body: Any, status: int, code: str
) -> None:
    gateway = await world.gateway()
    reply = await gateway.post(path, body)
    assert (reply.status, reply.json["code"]) == (status, code)
    assert reply.json["detail"]


async def test_only_a_key_with_the_scope_and_the_target_may(world: World) -> None:
    keys = [
        {"name": "sender", "sha256": hashlib.sha256(b"s").hexdigest(), "scopes": ["send"], "targets": ["group:2"]},
        {"name": "boss", "sha256": hashlib.sha256(b"b").hexdigest(), "scopes": ["admin"], "targets": ["group:2"]},
    ]
    gateway = await world.gateway(auth={"keys": keys})
    sender, boss = ({"Authorization": f"Bearer {key}"} for key in "sb")
    assert (await gateway.post("/v1/targets/group/2/park", {})).status == 401
    assert (await gateway.post("/v1/targets/group/2/park", {}, sender)).status == 403
    assert (await gateway.post("/v1/targets/group/1/park", {}, boss)).status == 403
    assert (await gateway.post("/v1/targets/group/2/park", {}, boss)).status == 200
    [entry] = await world.add(JOB)
    assert entry
    [receipt] = await world.ended(1)
    assert (await gateway.request("DELETE", f"/v1/jobs/{receipt.id}", headers=sender)).status == 404
