"""Replaying over HTTP: one job, or all that are meant, counted first."""

import base64
import hashlib
from typing import Any

import pytest
from aiohttp import web

from tests.world import Gateway, World, serving, until

NO_RETRY: dict[str, Any] = {"retry": [], "settle_for": "50ms"}


def secret(name: str, *scopes: str, targets: tuple[str, ...] = ("*",)) -> dict[str, Any]:
    digest = hashlib.sha256(name.encode()).hexdigest()
    return {"name": name, "sha256": digest, "scopes": list(scopes), "targets": list(targets)}


async def rejected(world: World, gateway: Gateway, *groups: int, **fields: Any) -> list[str]:
    """Let a job to each of GROUPS be rejected, in turn; then all is well again."""
    ids = []
    for group in groups:
        world.napcat.behave(f"group:{group}", "kick")
        job = {"group_id": str(group), "message": f"to {group}", **fields}
        ids.append((await gateway.post("/v1/jobs", job)).json["id"])
        await gateway.shows(ids[-1], "rejected")
        world.napcat.clear(f"group:{group}")
    return ids


async def test_a_rejected_job_is_sent_again_when_its_cause_is_gone(world: World) -> None:
    gateway = await world.gateway()
    (old,) = await rejected(world, gateway, 1, metadata={"order": 1})
    reply = await gateway.post(f"/v1/jobs/{old}/replay", b"")
    assert (reply.status, reply.json["duplicate"]) == (202, False)
    assert reply.headers["Location"] == f"/v1/jobs/{reply.json['id']}"
    receipt = await gateway.shows(reply.json["id"], "delivered")
    assert (receipt.replay_of, receipt.metadata) == (old, {"order": 1})
    assert [sent.text for sent in world.napcat.delivered] == ["to 1"]


async def test_asked_again_its_replay_answers_for_it(world: World) -> None:
    gateway = await world.gateway()
    (old,) = await rejected(world, gateway, 1)
    first = (await gateway.post(f"/v1/jobs/{old}/replay", b"")).json
    await gateway.shows(first["id"], "delivered")
    again = await gateway.post(f"/v1/jobs/{old}/replay", b"")
    assert (again.status, again.json) == (202, {"id": first["id"], "state": "delivered", "duplicate": True})
    assert len(world.napcat.delivered) == 1


async def test_a_job_is_replayed_by_its_key(world: World) -> None:
    gateway = await world.gateway()
    (old,) = await rejected(world, gateway, 1, key="mine")
    reply = await gateway.post("/v1/jobs/key:mine/replay", b"")
    assert (await gateway.receipt(reply.json["id"])).replay_of == old


async def test_what_cannot_be_replayed_says_why(world: World) -> None:
    gateway = await world.gateway()
    scheduled = (await gateway.post("/v1/jobs", {"group_id": "1", "message": "later", "delay": "1h"})).json["id"]
    delivered = (await gateway.post("/v1/jobs", {"group_id": "1", "message": "now"})).json["id"]
    await gateway.shows(delivered, "delivered")
    gone = delivered[:-3] + ("abc" if not delivered.endswith("abc") else "abd")
    for job, status, code in (
        (scheduled, 409, "not_ended"),
        (delivered, 409, "nothing_left"),
        (gone, 410, "job_gone"),
        ("nonsense", 404, "job_not_found"),
    ):
        reply = await gateway.post(f"/v1/jobs/{job}/replay", b"")
        assert (reply.status, reply.json["code"]) == (status, code)


async def test_only_an_admin_replays_and_only_what_is_within_reach(world: World) -> None:
    keys = [secret("clerk", "send", "read"), secret("boss", "send", "read", "admin", targets=("group:2",))]
    gateway = await world.gateway(auth={"keys": keys})
    world.napcat.behave("group:1", "kick")
    await world.add({"group_id": "1", "message": "hello"})
    (receipt,) = await world.ended(1)
    for key, status in (("clerk", 403), ("boss", 410)):
        reply = await gateway.post(f"/v1/jobs/{receipt.id}/replay", b"", {"Authorization": f"Bearer {key}"})
        assert reply.status == status
    wish = {"state": "rejected", "dry_run": True}
    assert (await gateway.post("/v1/jobs/replay", wish, {"Authorization": "Bearer boss"})).json["count"] == 0


async def test_a_dry_run_counts_and_shows_what_would_be_sent_and_sends_nothing(world: World) -> None:
    gateway = await world.gateway()
    old = await rejected(world, gateway, *range(1, 13))
    reply = await gateway.post("/v1/jobs/replay", {"state": ["rejected", "dead"], "dry_run": True})
    assert reply.status == 200
    assert reply.json["count"] == 12
    assert [one["id"] for one in reply.json["sample"]] == old[:10]
    assert (await gateway.get("/v1/jobs?state=rejected&limit=500")).json["items"][0]["id"] == old[-1]
    assert world.napcat.delivered == []


async def test_all_that_are_meant_are_sent_again_the_oldest_first(world: World) -> None:
    gateway = await world.gateway()
    old = await rejected(world, gateway, 1, 2, 1, 3, 1)
    reply = await gateway.post("/v1/jobs/replay", {"state": "rejected", "target": "group:1"})
    assert reply.json["count"] == 3
    assert [item["replay_of"] for item in reply.json["items"]] == [old[0], old[2], old[4]]
    for item in reply.json["items"]:
        await gateway.shows(item["id"], "delivered")
    assert len(world.napcat.delivered) == 3
    again = await gateway.post("/v1/jobs/replay", {"state": "rejected"})
    assert [item["replay_of"] for item in again.json["items"]] == [old[1], old[3]]


async def test_more_than_a_call_replays_are_replayed_by_the_next(world: World) -> None:
    gateway = await world.gateway()
    await gateway.post("/v1/accounts/main/pause", {})
    for _ in range(2):
        jobs = [{"group_id": "1", "message": "x", "expires_at": "2020-01-01T00:00:00Z"}] * 600
        await gateway.post("/v1/jobs/batch", {"jobs": jobs})
    await gateway.post("/v1/accounts/main/resume", {})
    await until(lambda: gateway.get("/status"), lambda s: s.json["accounts"]["main"]["ended"].get("expired") == 1200)
    await gateway.post("/v1/accounts/main/pause", {})
    counts = []
    for _ in range(3):
        reply = (await gateway.post("/v1/jobs/replay", {"state": "expired"})).json
        counts.append((reply["count"], len(reply["items"]), reply["more"]))
    assert counts == [(1000, 1000, True), (200, 200, False), (0, 0, False)]


@pytest.mark.parametrize(
    ("wish", "places"),
    [
        ({}, ["state"]),
        ({"state": "delivered"}, ["state"]),
        ({"state": ["dead", "queued"]}, ["state"]),
        ({"state": []}, ["state"]),
        ({"state": "dead", "targets": "group:1"}, ["targets"]),
        ({"state": 7, "target": "12", "since": 5, "dry_run": "yes"}, ["state", "target", "since", "dry_run"]),
    ],
)
async def test_a_wish_that_cannot_be_understood_names_every_wrong_field(
    world: World, wish: dict[str, Any], places: list[str]
) -> None:
    gateway = await world.gateway()
    reply = await gateway.post("/v1/jobs/replay", wish)
    assert (reply.status, reply.json["code"]) == (422, "replay_invalid")
    assert [fault["loc"] for fault in reply.json["errors"]] == places


async def test_a_wish_of_thousands_of_fields_is_not_looked_into(world: World) -> None:
    gateway = await world.gateway()
    reply = await gateway.post("/v1/jobs/replay", {"state": "dead"} | {f"x{number}": 1 for number in range(2_000)})
    assert (reply.status, reply.json["code"]) == (413, "too_large")


async def test_the_receipt_of_a_replay_goes_to_the_callback_of_the_old_job(world: World) -> None:
    told: list[dict[str, Any]] = []

    async def take(request: web.Request) -> web.Response:
        told.append(await request.json())
        return web.Response(status=204)

    secret = "whsec_" + base64.b64encode(b"s" * 32).decode()
    async with serving("POST", take) as url:
        gateway = await world.gateway(callbacks={"secrets": [secret], "allow_private": True})
        (old,) = await rejected(world, gateway, 1, callback_url=url)
        new = (await gateway.post(f"/v1/jobs/{old}/replay", b"")).json["id"]
        await until(lambda: [receipt["id"] for receipt in told], lambda ids: sorted(ids) == sorted([old, new]))
    assert {receipt["state"] for receipt in told} == {"rejected", "delivered"}
