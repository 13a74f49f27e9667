"""Looking for jobs: pages without gap or repeat, filters, and nothing of others."""

import asyncio
import hashlib
from typing import Any

import pytest

from tests.world import Gateway, World

RETRY_SOON = {"retry": ["1ms"], "settle_for": "50ms"}
SECRET = "s3cret"


async def page(gateway: Gateway, query: str = "", key: str = "") -> dict[str, Any]:
    headers = {"Authorization": f"Bearer {key}"} if key else None
    reply = await gateway.get(f"/v1/jobs?{query}", headers)
    assert reply.status == 200, reply.body
    document: dict[str, Any] = reply.json
    assert set(document) == {"items", "next_cursor"}
    return document


async def pages(gateway: Gateway, query: str = "", key: str = "") -> list[dict[str, Any]]:
    """Return the jobs of all pages of a query, in their order."""
    items, cursor = [], ""
    while True:
        found = await page(gateway, f"{query}{cursor}", key)
        items += found["items"]
        if found["next_cursor"] is None:
            return items
        cursor = f"&cursor={found['next_cursor']}"


async def submitted(gateway: Gateway, *jobs: dict[str, Any]) -> list[str]:
    reply = await gateway.post("/v1/jobs/batch", {"jobs": list(jobs)})
    return [item["id"] for item in reply.json["items"]]


def job(group: int, **fields: Any) -> dict[str, Any]:
    return {"group_id": str(group), "message": "hello", **fields}


async def test_ten_thousand_jobs_are_paged_without_gap_or_repeat_while_jobs_come_in_and_end(world: World) -> None:
    gateway = await world.gateway()
    await gateway.post("/v1/accounts/main/pause", {})
    before: list[str] = []
    for _ in range(10):
        before += await submitted(gateway, *(job(1 + number % 50) for number in range(1_000)))
    await gateway.post("/v1/accounts/main/resume", {})
    listed: list[str] = []
    read, cursor = 0, ""
    while read == 0 or cursor:
        found = await page(gateway, f"limit=500{cursor}")
        listed += [item["id"] for item in found["items"]]
        await submitted(gateway, *(job(100 + number) for number in range(20)))
        read += 1
        cursor = f"&cursor={found['next_cursor']}" if found["next_cursor"] else ""
    assert listed == before[::-1]
    assert read >= 20
    assert any(item["state"] == "delivered" for item in (await page(gateway, "state=delivered"))["items"])


async def test_what_comes_in_during_a_walk_stands_before_its_beginning(world: World) -> None:
    gateway = await world.gateway()
    old = await submitted(gateway, job(1), job(2), job(3))
    first = await page(gateway, "limit=1")
    new = await submitted(gateway, job(4))
    rest = await page(gateway, f"limit=9&cursor={first['next_cursor']}")
    assert [item["id"] for item in first["items"] + rest["items"]] == old[::-1]
    assert (await page(gateway, "limit=1"))["items"][0]["id"] == new[0]


async def test_the_jobs_of_several_accounts_are_one_list_in_the_order_of_their_admission(world: World) -> None:
    gateway = await world.gateway(accounts=[world.account(), world.account(name="second"), world.account(name="third")])
    ids = []
    for number in range(12):
        ids += await submitted(gateway, job(number + 1, account=("main", "second", "third")[number % 3]))
        await asyncio.sleep(0.002)  # clocks of a millisecond
    assert [item["id"] for item in await pages(gateway, "limit=5")] == ids[::-1]
    assert [item["id"] for item in await pages(gateway, "limit=1&account=second")] == ids[1::3][::-1]


async def test_jobs_of_one_millisecond_in_several_accounts_are_each_listed_once(world: World) -> None:
    gateway = await world.gateway(accounts=[world.account(), world.account(name="second")])
    ids = await submitted(gateway, *(job(1, account=("main", "second")[number % 2]) for number in range(100)))
    listed = [item["id"] for item in await pages(gateway, "limit=3")]
    assert sorted(listed) == sorted(ids)


async def test_a_list_tells_what_a_job_waits_for_and_leaves_its_attempts_out(world: World) -> None:
    gateway = await world.gateway()
    (waits,) = await submitted(gateway, job(1, delay="1h"))
    (item,) = (await page(gateway))["items"]
    assert (item["id"], item["state"], item["reason"]) == (waits, "waiting", "scheduled")
    assert "attempts" not in item
    assert "attempts" in (await gateway.get(f"/v1/jobs/{waits}")).json


async def test_jobs_are_found_by_state_target_and_time(world: World) -> None:
    world.napcat.behave("group:2", "kick")
    world.napcat.behave("group:3", "timeout", wait_ms=10)
    gateway = await world.gateway(delivery=RETRY_SOON)
    ids = await submitted(gateway, job(1), job(2), job(3), job(4, delay="1h"))
    ended = await world.ended(3)
    by_state = {
        "delivered": [ids[0]],
        "rejected": [ids[1]],
        "unconfirmed": [ids[2]],
        "waiting": [ids[3]],
        "waiting,delivered": [ids[3], ids[0]],
        "dead,expired,cancelled": [],
    }
    for state, expected in by_state.items():
        assert [item["id"] for item in await pages(gateway, f"state={state}&limit=1")] == expected, state
    assert {item["id"] for item in await pages(gateway, "state=rejected,unconfirmed")} == set(ids[1:3])
    assert [item["id"] for item in await pages(gateway, "target=group:2")] == [ids[1]]
    last = max(receipt.updated_at for receipt in ended).isoformat().replace("+00:00", "Z")
    assert ids[2] in {item["id"] for item in await pages(gateway, f"since={last}")}
    assert await pages(gateway, "since=2100-01-01T00:00:00Z") == []
    assert await pages(gateway, "until=2000-01-01T00:00:00Z") == []


async def test_a_key_finds_only_jobs_of_its_own_targets(world: World) -> None:
    digest = hashlib.sha256(SECRET.encode()).hexdigest()
    every = hashlib.sha256(b"every").hexdigest()
    keys = [{"name": "one", "sha256": digest, "targets": ["group:1*"]}, {"name": "every", "sha256": every}]
    gateway = await world.gateway(auth={"keys": keys})
    await world.add(job(10), job(2), job(11))
    await world.ended(3)
    assert {item["target"] for item in await pages(gateway, "limit=1", SECRET)} == {"group:10", "group:11"}
    assert await pages(gateway, "target=group:2", SECRET) == []
    assert len(await pages(gateway, "limit=1", "every")) == 3


async def test_a_key_that_reaches_no_target_finds_nothing_and_replays_nothing(world: World) -> None:
    digest = hashlib.sha256(SECRET.encode()).hexdigest()
    keys = [{"name": "none", "sha256": digest, "scopes": ["read", "admin"], "targets": []}]
    gateway = await world.gateway(auth={"keys": keys})
    await world.add(job(1), job(2, ttl="1ms", delay="10ms"))
    await world.ended(2)
    assert await pages(gateway, "", SECRET) == []
    wish = {"state": ["expired"], "dry_run": True}
    reply = await gateway.post("/v1/jobs/replay", wish, {"Authorization": f"Bearer {SECRET}"})
    assert reply.json["count"] == 0


@pytest.mark.parametrize(
    ("query", "place"),
    [
        ("state=sent", "query.state.0"),
        ("state=", "query.state.0"),
        ("target=12345", "query.target"),
        ("since=yesterday", "query.since"),
        ("until=2026-01-01", "query.until"),
        ("limit=0", "query.limit"),
        ("limit=501", "query.limit"),
        ("limit=ten", "query.limit"),
        ("cursor=what", "query.cursor"),
        ("cursor=%C3%A9", "query.cursor"),
        ("cursor=", "query.cursor"),
        ("cursor=MC0wIG1haW4", "query.cursor"),
        ("cursor=!!!!MS0xIG1haW4", "query.cursor"),
        ("status=dead", "query.status"),
    ],
)
async def test_a_query_that_cannot_be_understood_is_refused_by_its_parameter(
    world: World, query: str, place: str
) -> None:
    gateway = await world.gateway()
    reply = await gateway.get(f"/v1/jobs?{query}")
    assert (reply.status, reply.json["code"]) == (422, "query_invalid")
    assert [fault["loc"] for fault in reply.json["errors"]] == [place]


async def test_an_account_that_does_not_exist_is_no_empty_list(world: World) -> None:
    gateway = await world.gateway()
    reply = await gateway.get("/v1/jobs?account=nobody")
    assert (reply.status, reply.json["code"]) == (422, "account_unknown")
