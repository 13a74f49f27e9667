"""`gateway send --file`: each line once, whatever happens on the way."""

import asyncio
import json
import operator
import signal
from asyncio.subprocess import PIPE
from functools import partial
from pathlib import Path
from typing import Any

from aiohttp import web

from tests.cli.commands import command, end, interrupt, start
from tests.client.between import between
from tests.keys import bearer, key
from tests.world import Gateway, World, until


def write(path: Path, jobs: list[Any]) -> None:
    path.write_text("".join((job if isinstance(job, str) else json.dumps(job)) + "\n" for job in jobs))


def texts(world: World) -> list[str]:
    return sorted(text for group in range(1, 8) for text in world.napcat.texts(f"group:{group}"))


async def known(gateway: Gateway) -> int:
    """Return how many jobs the gateway has taken."""
    (account,) = (await gateway.get("/v1/accounts", bearer("pusher"))).json["items"]
    count: int = account["queued"] + account["in_flight"] + sum(account["ended"].values())
    return count


async def test_every_line_is_a_job_and_what_is_none_is_told_by_its_number(world: World, tmp_path: Path) -> None:
    gateway = await world.gateway()
    jobs = [{"group_id": 1, "message": f"{n}"} for n in range(300)]
    bad = ['{"group_id": 1, "mesage": "x"}', "hello \x1b[31m", '{"group_id": 1, "group_id": 2, "message": "x"}']
    write(tmp_path / "jobs.jsonl", [*jobs[:10], "", bad[0], "   ", bad[1], *jobs[10:], bad[2]])
    ended = await command(tmp_path, gateway.url, "send", "--file", "jobs.jsonl", "--refused", "bad.jsonl")
    assert (ended.code, ended.out) == (1, "300 taken, 0 duplicates, 3 refused, 0 not tried\n")
    numbers = [line.partition(":")[0] for line in ended.err.splitlines() if line.startswith("line ")]
    assert numbers == ["line 12", "line 14", "line 305"]
    assert "mesage: unknown field" in ended.err
    assert "\x1b" not in ended.err
    assert (tmp_path / "bad.jsonl").read_text().splitlines() == bad
    await world.ended(300)
    assert world.napcat.texts("group:1") == [f"{n}" for n in range(300)]


async def test_the_same_file_is_sent_once_also_after_lines_were_taken_out(world: World, tmp_path: Path) -> None:
    gateway = await world.gateway()
    jobs = [{"group_id": 1, "message": f"{n % 3}"} for n in range(9)]
    write(tmp_path / "jobs.jsonl", jobs)
    first = await command(tmp_path, gateway.url, "send", "--file", "jobs.jsonl", "--json")
    assert json.loads(first.out) == {"taken": 9, "duplicates": 0, "refused": 0, "not_tried": 0}
    write(tmp_path / "jobs.jsonl", [*jobs[2:], {"group_id": 1, "message": "new"}])
    second = await command(tmp_path, gateway.url, "send", "--file", "-", stdin=(tmp_path / "jobs.jsonl").read_text())
    assert (second.code, second.out) == (0, "1 taken, 7 duplicates, 0 refused, 0 not tried\n")
    assert "--run with a name sends them once more" in second.err
    third = await command(tmp_path, gateway.url, "send", "--file", "jobs.jsonl", "--run", "b")
    assert third.out.startswith("8 taken")
    await world.ended(18)


async def test_a_run_that_was_killed_is_gone_on_with_and_each_job_sent_once(world: World, tmp_path: Path) -> None:
    # The rate leaves time to break it off.
    gateway = await world.gateway(auth={"keys": [key("pusher", rate="400/1s")]})
    write(tmp_path / "jobs.jsonl", [{"group_id": 1 + n % 7, "message": f"{n}"} for n in range(1_500)])
    for number in (signal.SIGKILL, signal.SIGINT):
        before = await known(gateway)  # and what the killed one had posted may still come
        process = await start(tmp_path, gateway.url, "send", "--file", "jobs.jsonl", GATEWAY_KEY="pusher")
        await until(partial(known, gateway), partial(operator.lt, before + 200))
        process.send_signal(number)
        ended = await end(process)
        assert ended.code != 0
    assert "to go on, give the same command again" in ended.err
    taken, duplicates, refused, left = (int(part.split()[0]) for part in ended.out.split(", "))
    assert (taken + duplicates + left, refused) == (1_500, 0)
    assert 0 < left < 1_500
    last = await command(tmp_path, gateway.url, "send", "--file", "jobs.jsonl", GATEWAY_KEY="pusher")
    assert last.code == 0
    await world.ended(1_500)
    assert texts(world) == sorted(f"{n}" for n in range(1_500))


async def test_a_gateway_that_takes_nothing_now_is_waited_for(world: World, tmp_path: Path) -> None:
    gateway = await world.gateway(intake={"max_queued": 10})
    await gateway.post("/v1/accounts/main/pause", {})
    write(tmp_path / "jobs.jsonl", [{"group_id": 1, "message": f"{n}"} for n in range(30)])
    process = await start(tmp_path, gateway.url, "send", "--file", "jobs.jsonl")
    await until(lambda: gateway.get("/status"), lambda reply: reply.json["backlog"]["queued"] == 10)
    await gateway.post("/v1/accounts/main/resume", {})
    ended = await end(process)
    assert (ended.code, ended.out) == (0, "30 taken, 0 duplicates, 0 refused, 0 not tried\n")
    assert "waiting: account 'main' has intake.max_queued jobs waiting" in ended.err
    await world.ended(30)
    assert texts(world) == sorted(f"{n}" for n in range(30))


async def test_lost_answers_and_a_stopping_gateway_send_nothing_twice(world: World, tmp_path: Path) -> None:
    gateway = await world.gateway()
    write(tmp_path / "jobs.jsonl", [{"group_id": 1, "message": f"{n}"} for n in range(500)])

    def instead(number: int, _: web.Request) -> web.Response | str | None:
        if number == 1:
            return web.json_response(
                {"code": "stopping", "detail": "it stops"}, status=503, headers={"Retry-After": "1"}
            )
        return "lose" if number in {0, 3} else None

    async with between(gateway, instead) as url:
        ended = await command(tmp_path, url, "send", "--file", "jobs.jsonl")
    assert (ended.code, ended.out) == (0, "500 taken, 0 duplicates, 0 refused, 0 not tried\n")
    await world.ended(500)
    assert texts(world) == sorted(f"{n}" for n in range(500))


async def test_what_comes_through_a_pipe_is_sent_as_it_comes(world: World, tmp_path: Path) -> None:
    gateway = await world.gateway()
    process = await start(tmp_path, gateway.url, "send", "--file", "-", stdin=PIPE)
    assert process.stdin is not None
    for seen in (["a"], ["a", "b"]):
        process.stdin.write(json.dumps({"group_id": 1, "message": seen[-1]}).encode() + b"\n")
        await until(partial(texts, world), partial(operator.eq, seen))
    interrupt(process)
    ended = await end(process)
    assert (ended.code, ended.out) == (1, "2 taken, 0 duplicates, 0 refused, 0 not tried\n")
    assert "send the same lines again" in ended.err


async def test_a_key_the_gateway_does_not_know_ends_it_at_once(world: World, tmp_path: Path) -> None:
    gateway = await world.gateway(auth={"keys": [{"name": "ci", "sha256": "0" * 64, "scopes": ["send"]}]})
    write(tmp_path / "jobs.jsonl", [{"group_id": 1, "message": "x"}] * 3)
    async with asyncio.timeout(10):
        ended = await command(tmp_path, gateway.url, "send", "--file", "jobs.jsonl", GATEWAY_KEY="wrong")
    assert (ended.code, ended.out) == (1, "0 taken, 0 duplicates, 0 refused, 3 not tried\n")
    assert "set GATEWAY_KEY" in ended.err
