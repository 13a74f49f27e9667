"""A cluster of three masters is used like one server: accounts lie on all of them, and nobody sees where."""

import base64
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from gateway.client import Gateway as Client
from gateway.model.receipt import FINAL_STATES, Receipt
from tests.scenarios.test_limits import most_within
from tests.topologies import Cluster, world_of
from tests.world import WIDE, Gateway, World, serving, until

pytestmark = pytest.mark.timeout(120)

ACCOUNTS = 30
LIST = "gw:jobs:list"
SIGNING = "whsec_" + base64.b64encode(b"s" * 32).decode()


@pytest.fixture(name="world")
async def _world(three: Cluster, tmp_path: Path, transport: str) -> AsyncIterator[World]:
    async with world_of(three.url, tmp_path, transport) as world:
        yield world


@pytest.fixture(name="names")
def _names(three: Cluster) -> list[str]:
    """Accounts on all masters."""
    return three.accounts(ACCOUNTS)


def accounts(world: World, names: list[str]) -> list[dict[str, Any]]:
    return [world.account(name=name) for name in names]


def job(names: list[str], number: int, **fields: Any) -> dict[str, Any]:
    """Return job NUMBER; each account has groups of its own."""
    at = number % len(names)
    return {"group_id": str(10 + at), "message": str(number), "account": names[at], **fields}


async def ended(world: World, names: list[str], count: int) -> list[Receipt]:
    """Wait until COUNT jobs of all accounts have ended."""

    async def finals() -> list[Receipt]:
        found = [receipt for name in names for receipt in await world.receipts(name)]
        return [receipt for receipt in found if receipt.state in FINAL_STATES]

    found: list[Receipt] = await until(finals, lambda found: len(found) >= count)
    return found


def in_order(world: World, names: list[str], count: int) -> None:
    """Insist that the first COUNT jobs were sent once each, and in each group in their order."""
    texts = [[int(text) for text in world.napcat.texts(f"group:{10 + at}")] for at in range(len(names))]
    assert texts == [list(range(at, count, len(names))) for at in range(len(names))]


async def test_jobs_of_accounts_on_all_masters_arrive_once_and_in_order(world: World, names: list[str]) -> None:
    for _ in range(2):
        await world.process(accounts=accounts(world, names))
    await world.add(*(job(names, number) for number in range(300)))
    receipts = await ended(world, names, 300)
    assert {receipt.state for receipt in receipts} == {"delivered"}
    assert len({receipt.id for receipt in receipts}) == len(receipts) == 300
    in_order(world, names, 300)


async def test_limits_hold_for_every_account_with_two_replicas(world: World, names: list[str]) -> None:
    limits = {**WIDE, "group": ["5/500ms"]}
    for _ in range(2):
        await world.process(accounts=accounts(world, names), limits=limits)
    await world.add(*(job(names, number) for number in range(20 * ACCOUNTS)))
    await ended(world, names, 20 * ACCOUNTS)
    in_order(world, names, 20 * ACCOUNTS)
    for at in range(ACCOUNTS):
        times = [call.at for call in world.napcat.received if call.target == f"group:{10 + at}"]
        assert most_within(times, 0.5) <= 5


async def test_a_master_that_takes_no_writes_holds_up_no_other_ones_accounts(
    three: Cluster, world: World, names: list[str]
) -> None:
    owners = [await three.owner(name) for name in names]
    source = await three.owner("gw:jobs")
    refusing = next(owner for owner in owners if owner is not source)
    gateway = await world.process(accounts=accounts(world, names))
    await refusing.redis.config_set("min-replicas-to-write", 1)
    try:
        held = [at for at, owner in enumerate(owners) if owner is refusing]
        first = [number for at in held for number in range(at, 120, len(names))]
        # More than is read at once, of those that can take none of it.
        await world.add(*(job(names, number) for number in first * 4))
        await world.add(*(job(names, number) for number in range(120) if number % len(names) not in held))
        free = [range(at, 120, len(names)) for at in range(len(names)) if at not in held]
        found = [f"group:{10 + at}" for at in range(len(names)) if at not in held]
        await until(lambda: [world.napcat.texts(one) for one in found] == [[str(n) for n in some] for some in free])
        assert [world.napcat.texts(f"group:{10 + at}") for at in held] == [[] for _ in held]
        (told,) = await until(lambda: gateway.events("source.away"))
        assert told["accounts"] == sorted(names[at] for at in held)
        assert gateway.events("source.full") == []
    finally:
        await refusing.redis.config_set("min-replicas-to-write", 0)
    await until(
        lambda: all(len(world.napcat.texts(f"group:{10 + at}")) == 4 * len(range(at, 120, len(names))) for at in held)
    )


async def test_a_list_is_read_in_its_own_slot_whatever_it_is_called(world: World, names: list[str]) -> None:
    lists = [LIST, "work:{a}", "{work}:b"]
    await world.gateway(accounts=accounts(world, names), intake={"lists": lists})
    for number in range(60):
        await world.producer.push(json.dumps(job(names, number)), name=lists[number % ACCOUNTS % 3])
    await ended(world, names, 60)
    in_order(world, names, 60)
    assert [await world.clients.commands.exists(name) for name in lists] == [0, 0, 0]


async def test_a_key_is_the_same_job_by_stream_and_over_http(world: World, names: list[str]) -> None:
    gateway = await world.gateway(accounts=accounts(world, names))
    for number in range(ACCOUNTS):
        written = job(names, number, key=f"k{number}")
        assert (await gateway.post("/v1/jobs", written)).status == 202
        await world.add(written)
        again = await gateway.post("/v1/jobs", written)
        assert again.json["duplicate"]
        other = await gateway.post("/v1/jobs", {**written, "message": "something else"})
        assert other.json["code"] == "key_reused"
    await until(lambda: world.clients.commands.xlen("gw:jobs"), lambda left: left == 0)
    await ended(world, names, ACCOUNTS)
    in_order(world, names, ACCOUNTS)


async def test_jobs_of_all_accounts_are_found_cancelled_and_replayed(world: World, names: list[str]) -> None:
    gateway = await world.gateway(accounts=accounts(world, names))
    ids = [
        (await gateway.post("/v1/jobs", job(names, number, delay="1h", key=f"k{number}"))).json["id"]
        for number in range(ACCOUNTS)
    ]
    found = (await gateway.get("/v1/jobs")).json["items"]
    assert [one["id"] for one in found] == ids[::-1]
    pages: list[str] = []
    cursor = ""
    while cursor is not None:
        page = (await gateway.get(f"/v1/jobs?limit=2{cursor and '&cursor=' + cursor}")).json
        pages += [one["id"] for one in page["items"]]
        cursor = page["next_cursor"]
    assert pages == ids[::-1]
    for one in ids:
        assert (await gateway.request("DELETE", f"/v1/jobs/{one}")).status == 200
    replayed = (await gateway.post("/v1/jobs/replay", {"state": ["cancelled"]})).json
    assert replayed["count"] == ACCOUNTS
    again = [receipt for receipt in await ended(world, names, 2 * ACCOUNTS) if receipt.state == "delivered"]
    assert sorted(str(receipt.replay_of) for receipt in again) == sorted(ids)


async def test_a_webhook_and_a_callback_go_through_the_cluster(world: World, names: list[str]) -> None:
    heard: list[dict[str, Any]] = []

    async def receive(request: web.Request) -> web.Response:
        heard.append(await request.json())
        return web.Response()

    hook = {"name": "any", "preset": "generic", "secret": "a long secret", "targets": ["group:77"], "account": names[1]}
    async with serving("POST", receive) as url:
        gateway = await world.gateway(
            accounts=accounts(world, names), hooks=[hook], callbacks={"allow_private": True, "secrets": [SIGNING]}
        )
        answer = await gateway.post("/hooks/any", {"message": "ring"}, {"Authorization": "Bearer a long secret"})
        assert answer.status in {200, 202}, answer.body
        await until(lambda: world.napcat.texts("group:77"), lambda texts: texts == ["ring"])
        for number in range(ACCOUNTS):
            reply = await gateway.post("/v1/jobs", job(names, number, callback_url=f"{url}/done"))
            assert reply.status == 202, reply.body
        await until(lambda: len(heard), lambda number: number == ACCOUNTS)
    assert {one["account"] for one in heard} == set(names)


async def test_a_target_is_parked_and_an_account_paused_wherever_they_lie(world: World, names: list[str]) -> None:
    gateway = await world.gateway(accounts=accounts(world, names))
    for name in names[:3]:
        assert (await gateway.post(f"/v1/accounts/{name}/pause", {"reason": "test"})).status == 200
    await world.add(*(job(names, number, key=f"k{number}") for number in range(ACCOUNTS)))
    await ended(world, names, 3)
    assert await paused(gateway) == set(names[:3])
    for name in names[:3]:
        assert (await gateway.post(f"/v1/accounts/{name}/resume", {})).status == 200
    await ended(world, names, ACCOUNTS)
    in_order(world, names, ACCOUNTS)


async def paused(gateway: Gateway) -> set[str]:
    reasons = (await gateway.status())["reasons"]
    return {one["account"] for one in reasons if one["code"].startswith("account_paused")}


async def test_the_status_tells_every_master_and_what_is_not_well_with_one(
    world: World, three: Cluster, names: list[str]
) -> None:
    gateway = await world.gateway(accounts=accounts(world, names))
    status = await until(gateway.status, lambda status: status["status"] == "ok")
    assert status["redis"]["role"] == "master"
    addresses = sorted(f"127.0.0.1:{server.port}" for server in three.servers)
    assert [node["address"] for node in status["redis"]["nodes"]] == addresses
    assert set(status["accounts"]) == set(names)
    one = three.servers[2].redis
    await one.config_set("maxmemory", int((await one.info("memory"))["used_memory"]) + 50_000)
    try:
        full = await until(gateway.status, lambda status: status["status"] != "ok")
        assert [reason["code"] for reason in full["reasons"]] == ["redis_full"]
    finally:
        await one.config_set("maxmemory", 0)


async def test_a_program_talks_to_a_gateway_through_the_cluster(world: World, three: Cluster, names: list[str]) -> None:
    await world.gateway(accounts=accounts(world, names))
    async with Client(three.url, accounts=names) as client:
        sent = [await client.send(job(names, number)) for number in range(ACCOUNTS)]
        receipts = [await client.receipt(one, wait=20) for one in sent]
    assert {receipt.state for receipt in receipts} == {"delivered"}
    assert {receipt.account for receipt in receipts} == set(names)
