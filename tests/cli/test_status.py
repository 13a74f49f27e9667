"""`gateway status`: what is wrong, what waits, what is held, and what ends that."""

import asyncio
import json
from pathlib import Path

from tests.cli.commands import command, end, interrupt, start
from tests.world import World, until


async def test_the_status_tells_what_is_held_and_what_to_do(world: World, tmp_path: Path) -> None:
    gateway = await world.gateway()
    await gateway.post("/v1/accounts/main/pause", {"reason": "holiday"})
    await gateway.post("/v1/targets/group/1/park", {"reason": "[red]quarrel"})
    await gateway.post("/v1/jobs", {"group_id": 2, "message": "x"})
    plain, as_json = await asyncio.gather(
        command(tmp_path, gateway.url, "status"), command(tmp_path, gateway.url, "status", "--json")
    )
    assert (plain.code, as_json.code) == (0, 0)
    facts = [line.split("\t") for line in plain.out.splitlines()]
    assert facts[0][:2] == ["status", "degraded"]
    assert "1 queued" in facts[0]
    assert any(fact[0] == "reason" and "holiday" in fact[1] and fact[2] for fact in facts)
    assert {fact[1]: fact[5] for fact in facts if fact[0] == "hold"} == {
        "account": "POST /v1/accounts/main/resume",
        "group:1": "POST /v1/targets/group/1/release",
    }
    assert "[red]quarrel" in plain.out
    assert json.loads(as_json.out)["status"] == "degraded"


async def test_it_is_watched_until_it_is_enough(world: World, tmp_path: Path) -> None:
    gateway = await world.gateway()
    process = await start(tmp_path, gateway.url, "status", "--watch", "--json")
    assert process.stdout is not None
    assert [json.loads(await process.stdout.readline())["status"] for _ in range(2)] == ["ok", "ok"]
    interrupt(process)
    ended = await end(process)
    assert (ended.code, ended.err) == (0, "")


async def test_a_gateway_that_is_down_is_told_by_the_exit_code(world: World, tmp_path: Path) -> None:
    gateway = await world.gateway()
    await world.stop_redis()
    await until(lambda: gateway.get("/status"), lambda reply: reply.status == 503)
    ended = await command(tmp_path, gateway.url, "status")
    assert (ended.code, ended.out.split("\t")[1]) == (1, "down")
    assert "redis_unavailable" in ended.out
    await world.start_redis()
    await until(lambda: gateway.get("/healthz/ready"), lambda reply: reply.status == 200)


async def test_what_is_said_to_end_a_hold_ends_it_also_of_a_second_account(world: World, tmp_path: Path) -> None:
    gateway = await world.gateway(accounts=[world.account(), world.account(name="second")])
    await gateway.post("/v1/targets/private/7/park?account=second", {})
    await gateway.post("/v1/accounts/second/pause", {})
    ended = await command(tmp_path, gateway.url, "status")
    paths = [line.split("\t")[5] for line in ended.out.splitlines() if line.startswith("hold")]
    assert len(paths) == 2
    for path in paths:
        assert (await gateway.post(path.removeprefix("POST "), b"")).json["was_held"] is True
