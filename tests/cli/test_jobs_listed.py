"""`gateway jobs list`, `replay`, `cancel --recall` and `watch` of all: they need the paths that list and replay."""

import asyncio
import json
from pathlib import Path

from tests.cli.commands import command, end, interrupt, start
from tests.world import World


async def test_jobs_are_listed_a_line_each_and_found_by_their_state(world: World, tmp_path: Path) -> None:
    world.napcat.behave("group:9", "kick")
    gateway = await world.gateway()
    jobs = [{"group_id": 1, "message": "x", "key": f"{n}"} for n in range(60)] + [{"group_id": 9, "message": "x"}]
    await gateway.post("/v1/jobs/batch", {"jobs": jobs})
    await world.ended(61)
    few, bad, lines = await asyncio.gather(
        command(tmp_path, gateway.url, "jobs", "list"),
        command(tmp_path, gateway.url, "jobs", "list", "--state", "rejected,dead", "--since", "1h"),
        command(tmp_path, gateway.url, "jobs", "list", "--json", "--limit", "60", "--target", "group:1"),
    )
    assert few.out.splitlines()[0].split("\t") == ["job", "state", "target", "changed", "key", "what"]
    assert len(few.out.splitlines()) == 51
    assert [line.split("\t")[1:3] for line in bad.out.splitlines()[1:]] == [["rejected", "group:9"]]
    assert {json.loads(line)["key"] for line in lines.out.splitlines()} == {f"{n}" for n in range(60)}


async def test_a_filter_that_is_none_is_wrong_use(world: World, tmp_path: Path) -> None:
    gateway = await world.gateway()
    for words in (("--state", "dad"), ("--target", "grp:1"), ("--since", "yesterday"), ("--limit", "0")):
        ended = await command(tmp_path, gateway.url, "jobs", "list", *words)
        assert (ended.code, ended.out) == (2, ""), words
        assert ended.err, words


async def test_many_are_replayed_only_after_they_were_looked_at(world: World, tmp_path: Path) -> None:
    world.napcat.behave("group:9", "kick")
    gateway = await world.gateway()
    await gateway.post("/v1/jobs/batch", {"jobs": [{"group_id": 9, "message": f"{n}"} for n in range(12)]})
    await world.ended(12)
    world.napcat.clear("group:9")
    which = ("jobs", "replay", "--state", "rejected", "--target", "group:9")
    dry = await command(tmp_path, gateway.url, *which, "--dry-run")
    unasked = await command(tmp_path, gateway.url, *which)
    assert (dry.code, dry.out.splitlines()[0], len(dry.out.splitlines())) == (0, "12 jobs match, such as", 12)
    assert (unasked.code, unasked.out) == (2, "")
    assert "give --yes" in unasked.err
    assert len(world.napcat.received) == 12
    done = await command(tmp_path, gateway.url, *which, "--yes")
    assert (done.code, len(done.out.splitlines())) == (0, 12)
    await world.ended(24)
    assert len(world.napcat.delivered) == 12


async def test_jobs_are_replayed_by_their_ids_and_taken_back(world: World, tmp_path: Path) -> None:
    world.napcat.behave("group:9", "kick")
    gateway = await world.gateway()
    await gateway.post("/v1/jobs", {"group_id": 9, "message": "x", "key": "a"})
    await world.ended(1)
    world.napcat.clear("group:9")
    first = await command(tmp_path, gateway.url, "jobs", "replay", "key:a")
    again = await command(tmp_path, gateway.url, "jobs", "replay", "key:a", "key:none", "--json")
    job = first.out.split("\t")[0]
    assert (first.code, again.code) == (0, 1)
    assert json.loads(again.out)["id"] == job
    assert again.err.startswith("key:none: ")
    await gateway.shows(job, "delivered")
    recalled = await command(tmp_path, gateway.url, "jobs", "cancel", job, "--recall", "--json")
    assert json.loads(recalled.out)["recalled_at"]


async def test_every_change_is_watched_until_it_is_enough(world: World, tmp_path: Path) -> None:
    gateway = await world.gateway()
    process = await start(tmp_path, gateway.url, "jobs", "watch", "--json")
    assert process.stdout is not None
    reading = asyncio.create_task(process.stdout.readline())
    for number in range(1_000):  # it begins when it has looked once
        await gateway.post("/v1/jobs", {"group_id": 1, "message": f"{number}"})
        if (await asyncio.wait({reading}, timeout=0.1))[0]:
            break
    assert json.loads(await reading)["state"] == "delivered"
    interrupt(process)
    ended = await end(process)
    assert (ended.code, ended.err) == (0, "")
