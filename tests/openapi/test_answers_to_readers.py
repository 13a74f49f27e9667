"""What is answered to those who look for jobs, targets and accounts, and send jobs again, is as described."""

import pytest

from tests.openapi.documented import Documented
from tests.world import World, until

JOB = {"group_id": "1", "message": "hello"}


@pytest.fixture(name="documented")
async def _documented(world: World) -> Documented:
    return Documented(await world.gateway())


async def test_pages_of_jobs_are_answered_as_described(documented: Documented) -> None:
    for key in ("a", "b", "c"):
        await documented.call("submitJob", {**JOB, "key": key}, status=202)
    first = await documented.call("listJobs", query="?limit=2&target=group:1", status=200)
    assert [receipt["key"] for receipt in first["items"]] == ["c", "b"]
    rest = await documented.call("listJobs", query=f"?cursor={first['next_cursor']}", status=200)
    assert [receipt["key"] for receipt in rest["items"]] == ["a"]
    assert rest["next_cursor"] is None
    for query in ("?limit=0", "?cursor=x", "?state=lost", "?since=today", "?account=second", "?page=2"):
        await documented.call("listJobs", query=query, status=422)


async def test_a_replay_is_answered_as_described(world: World, documented: Documented) -> None:
    call = documented.call
    job = await call("submitJob", {**JOB, "delay": "1h"}, status=202)
    assert (await call("replayJob", id=job["id"], status=409))["code"] == "not_ended"
    await call("cancelJob", id=job["id"], status=200)
    assert (await call("replayJobs", {"state": "cancelled", "dry_run": True}, status=200))["count"] == 1
    assert (await call("replayJob", id=job["id"], status=202))["duplicate"] is False
    await until(lambda: len(world.napcat.received) == 1)
    assert (await call("replayJob", id=job["id"], status=202))["duplicate"] is True
    await call("replayJob", id="main.gone", status=410)
    await call("replayJob", id="none", status=404)
    other = await call("submitJob", {**JOB, "delay": "1h"}, status=202)
    await call("cancelJob", id=other["id"], status=200)
    assert (await call("replayJobs", {"state": ["cancelled", "dead"]}, status=200))["items"][0]["replay_of"] == other[
        "id"
    ]
    for wish, status in (
        (b"{", 400),
        ({}, 422),
        ({"state": "delivered"}, 422),
        ({"state": "dead", "account": "x"}, 422),
    ):
        await call("replayJobs", wish, status=status)


async def test_a_delivered_job_is_taken_back_as_described(documented: Documented) -> None:
    job = await documented.call("submitJob", JOB, status=202)
    await documented.call("getJob", id=job["id"], query="?wait=10s", status=200)
    await documented.call("cancelJob", id=job["id"], query="?recall=maybe", status=422)
    assert "recalled_at" in await documented.call("cancelJob", id=job["id"], query="?recall=true", status=200)
    assert (await documented.call("delete_msg", {"message_id": 1}, status=200))["status"] == "failed"
    await documented.call("delete_msg", {"message_id": "x"}, status=200)


async def test_targets_and_accounts_are_answered_as_described(documented: Documented) -> None:
    await documented.call("parkTarget", {"for": "1h"}, kind="group", id="1", status=200)
    await documented.call("submitJob", JOB, status=202)
    target = await documented.call("getTarget", kind="group", id="1", status=200)
    assert (target["queued"], target["hold"]["operator"]) == (1, True)
    await documented.call("getTarget", kind="group", id="01", status=404)
    await documented.call("getTarget", query="?account=second", status=422)
    (account,) = (await documented.call("listAccounts", status=200))["items"]
    assert (account["name"], account["queued"]) == ("main", 1)
