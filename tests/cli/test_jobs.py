"""`gateway jobs show`, `cancel` and `watch`; what takes lists is in test_jobs_listed.py."""

import asyncio
import json
from pathlib import Path

from tests.cli.commands import command, end, start
from tests.world import World


async def test_a_job_is_shown_with_every_attempt_and_what_it_proved(world: World, tmp_path: Path) -> None:
    world.napcat.behave("group:1", "rate", times=1)
    gateway = await world.gateway(delivery={"rules": [{"result": 299, "verdict": "retry", "waits": ["10ms"]}]})
    await gateway.post("/v1/jobs", {"group_id": 1, "message": "x", "key": "a", "metadata": {"title": "\x1b[31m[red]"}})
    await world.ended(1)
    plain, as_json, none = await asyncio.gather(
        command(tmp_path, gateway.url, "jobs", "show", "key:a"),
        command(tmp_path, gateway.url, "jobs", "show", "key:a", "--json"),
        command(tmp_path, gateway.url, "jobs", "show", "main.none"),
    )
    receipt = await gateway.receipt("key:a")
    assert plain.code == 0
    for words in (receipt.id, "delivered", "group:1 by main", str(receipt.message_ids[0]), "[red]"):
        assert words in plain.out
    assert "\x1b" not in plain.out
    attempts = [line for line in plain.out.splitlines() if "  attempt " in line]
    assert [line.split("attempt ")[1].split(" by ")[0] for line in attempts] == ["1: retry", "2: delivered"]
    document = json.loads(as_json.out)
    assert (document["id"], len(document["attempts"])) == (receipt.id, 2)
    assert (none.code, none.out) == (1, "")
    assert "there is no such job" in none.err


async def test_jobs_are_cancelled_and_one_that_is_too_late_is_told(world: World, tmp_path: Path) -> None:
    gateway = await world.gateway()
    await gateway.post("/v1/jobs", {"group_id": 1, "message": "x", "key": "a", "delay": "1h"})
    await gateway.post("/v1/jobs", {"group_id": 1, "message": "x", "key": "b"})
    await gateway.shows("key:b", "delivered")
    ended = await command(tmp_path, gateway.url, "jobs", "cancel", "key:b", "key:none", "key:a")
    assert (ended.code, ended.out.split("\t")[1]) == (1, "cancelled")
    assert [line.partition(": ")[0] for line in ended.err.splitlines()] == ["key:b", "key:none"]
    assert (await gateway.receipt("key:a")).state == "cancelled"


async def test_a_job_is_watched_to_its_end(world: World, tmp_path: Path) -> None:
    gateway = await world.gateway()
    await gateway.post("/v1/targets/group/1/park", {"reason": "quarrel"})
    await gateway.post("/v1/jobs", {"group_id": 1, "message": "x", "key": "a"})
    process = await start(tmp_path, gateway.url, "jobs", "watch", "key:a")
    assert process.stdout is not None
    first = (await process.stdout.readline()).decode().split("\t")
    assert first[1] == "waiting"
    assert first[5].startswith("parked")
    await gateway.post("/v1/targets/group/1/release", {})
    ended = await end(process)
    assert (ended.code, ended.out.splitlines()[-1].split("\t")[1]) == (0, "delivered")
