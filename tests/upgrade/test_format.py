"""Data of a newer format are refused, whenever that is found out, and left as they are."""

import json
from pathlib import Path
from typing import Any

import msgpack
import pytest

from gateway.app import create_app
from gateway.model.errors import DataNewer, SettingsInvalid
from gateway.settings import load_settings
from gateway.store.format import FORMAT, refuse_unknown
from gateway.store.keys import Keys
from tests.cli.commands import command
from tests.store.bench import Bench, job
from tests.upgrade.made_up import second_format
from tests.upgrade.trees import running
from tests.world import Gateway, World, until

NEWER = FORMAT + 1
COUNTS, FLIGHTS = "gw:{main}:counts", "gw:{main}:flights"


async def everything(world: World) -> dict[Any, Any]:
    """Return what Redis has, but for who lives."""
    redis = world.clients.commands
    names = [name for name in await redis.keys("*") if b":replicas" not in name]
    return {name: await redis.dump(name) for name in names}


async def refusal(world: World, **sections: Any) -> str:
    """Return why a gateway does not start."""
    gateway = Gateway(world.settings(**sections), world.folder)
    with pytest.raises(SettingsInvalid) as refused:
        await gateway.start()
    await gateway.stop()
    return str(refused.value)


async def test_a_script_does_nothing_to_an_account_of_a_newer_format(world: World) -> None:
    bench = Bench(world.clients)
    await bench.admit(job("a"))
    await world.clients.commands.hset(COUNTS, "format", NEWER)
    before = await everything(world)
    for call in (bench.admit(job("b")), bench.tick(), bench.scripts.read("main", "a"), bench.scripts.overview("main")):
        with pytest.raises(DataNewer, match=f"'main' were raised to format {NEWER} by a newer gateway"):
            await call
    with pytest.raises(DataNewer):
        await bench.scripts.forget("main", "gw:jobs", "1-1")
    assert await everything(world) == before
    assert list(bench.scripts.newer) == ["main"]
    assert not await bench.scripts.lease("listener", "main", "somebody", 5_000)


async def test_a_record_of_a_newer_format_is_refused_where_it_is_read(world: World) -> None:
    bench, redis = Bench(world.clients), world.clients.commands
    await bench.admit(job("a"), job("b", "group:2"))
    record = await redis.get("gw:{main}:job:a")
    assert isinstance(record, bytes)
    unpacker = msgpack.Unpacker(raw=True)
    unpacker.feed(record)
    known, behind = unpacker.unpack(), record[unpacker.tell() :]
    newer = msgpack.packb({**known, b"v": NEWER}, use_bin_type=False) + behind
    await redis.set("gw:{main}:job:a", newer)
    with pytest.raises(DataNewer):
        await bench.tick()
    assert await redis.get("gw:{main}:job:a") == newer


async def test_a_format_that_is_gone_again_is_no_reason_any_more(world: World) -> None:
    bench, redis = Bench(world.clients), world.clients.commands
    await redis.hset(COUNTS, "format", NEWER)
    with pytest.raises(DataNewer):
        await bench.tick()
    await redis.delete(COUNTS)  # a backup was restored
    assert await bench.admit(job("a")) == ["admitted"]
    assert not bench.scripts.newer


@pytest.mark.parametrize("mark", [str(NEWER), "strange"])
async def test_a_gateway_does_not_start_on_data_of_a_newer_format(world: World, mark: str) -> None:
    redis = world.clients.commands
    await redis.hset(COUNTS, "format", mark)
    told = await refusal(world)
    assert "the data of account 'main' under 'gw' were written by a newer gateway" in told
    assert f"(format {mark}; this one knows {FORMAT})" in told
    await redis.delete(COUNTS)
    await redis.set("gw:format", mark)
    assert "the data under 'gw' were written by a newer gateway" in await refusal(world)
    (world.folder / "config.yaml").write_text(json.dumps(world.settings()))
    ended = await command(world.folder, "", "run")
    assert (ended.code, ended.err.count("\n")) == (2, 1), ended


async def test_a_gateway_does_not_start_on_calls_in_flight_of_a_version_too_old(world: World) -> None:
    await world.clients.commands.zadd(FLIGHTS, {"group:1": 1})
    told = await refusal(world)
    assert "older gateway than this one can read; start that version again and let it run its queue empty" in told


@pytest.mark.parametrize("waiting", ["due", "scheduled"])
async def test_a_gateway_does_not_start_on_records_of_a_version_too_old(world: World, waiting: str) -> None:
    redis = world.clients.commands
    await redis.set("gw:{main}:job:a", msgpack.packb({"state": "queued", "parts": ["..."]}, use_bin_type=False))
    if waiting == "due":
        await redis.zadd("gw:{main}:lane:group:1", {"a": 1})
        await redis.zadd("gw:{main}:due", {"group:1": 1})
    else:
        await redis.zadd("gw:{main}:scheduled", {"0000000000000001:a": 1})
    assert "older gateway than this one can read" in await refusal(world)


async def test_a_job_that_ends_while_a_gateway_starts_is_no_record_of_a_version_too_old(world: World) -> None:
    """Its lane was looked at before, its record after its end: what it says is gone then."""
    bench, redis = Bench(world.clients), world.clients.commands
    await bench.admit(job("a"))
    assert await bench.deliver() == "a"
    await redis.zadd("gw:{main}:lane:group:1", {"a": 1})
    await redis.zadd("gw:{main}:due", {"group:1": 1})
    await refuse_unknown(world.clients, Keys("gw"), ["main"])


async def test_an_account_that_is_raised_while_a_gateway_runs_is_left_alone_and_the_others_go_on(world: World) -> None:
    redis = world.clients.commands
    gateway = await world.gateway(accounts=[world.account(), world.account(name="other")])
    world.napcat.behave("group:1", "delay", times=1, ms=400)
    assert (await gateway.post("/v1/jobs", {"group_id": "1", "message": "under way"})).status == 202
    await until(lambda: world.napcat.received)
    await redis.hset(COUNTS, "format", NEWER)
    before = {name: value for name, value in (await everything(world)).items() if b"{main}" in name}
    answer = await gateway.post("/v1/jobs", {"group_id": "2", "message": "too late"})
    assert (answer.status, answer.json["code"]) == (503, "data_newer")
    assert (await gateway.post("/v1/jobs", {"group_id": "3", "message": "goes", "account": "other"})).status == 202
    await until(lambda: world.napcat.texts("group:3"))
    await until(lambda: world.napcat.texts("group:1"))

    def told(seen: dict[str, Any]) -> bool:
        return ("data_newer", "main") in {(reason["code"], reason.get("account")) for reason in seen["reasons"]}

    seen = await until(gateway.status, told)
    assert list(seen["accounts"]) == ["other"]
    assert (await gateway.get("/v1/flow")).status == (await gateway.get("/metrics")).status == 200
    # One for both accounts is given up as a whole: the newer gateways read it.
    await world.add({"group_id": "4", "message": "by the newer ones"})
    await until(lambda: redis.get(Keys("gw").reader("gw:jobs")), lambda holder: holder is None)
    await gateway.stop()
    after = {name: value for name, value in (await everything(world)).items() if b"{main}" in name}
    assert after == before
    assert not world.napcat.texts("group:2")


async def test_a_newer_format_is_written_when_every_replica_knows_it_and_not_before(
    world: World, tmp_path: Path
) -> None:
    redis = world.clients.commands
    old, tree = await world.process(), second_format(tmp_path / "second")
    later = {"metadata": {"run": 7}, "delay": "1h"}
    await world.add({"group_id": "1", "message": "one", "key": "one", **later})
    new = await world.process_in(running(tree))
    await world.add({"group_id": "2", "message": "two", "key": "two", **later})
    await until(lambda: redis.zcard("gw:{main}:scheduled"), lambda number: number == 2)
    for gateway in (old, new):  # each knows what the other one wrote
        for key in ("one", "two"):
            assert (await receipt(gateway.url, key))["metadata"] == {"run": 7}
    assert await redis.hget(COUNTS, "format") is None
    assert not new.events("data.raised")

    await old.stop()
    await until(lambda: new.events("data.raised"))
    assert await redis.hget(COUNTS, "format") == await redis.get("gw:format") == b"2"
    await world.add({"group_id": "3", "message": "three", "key": "three", **later})
    await until(lambda: redis.zcard("gw:{main}:scheduled"), lambda number: number == 3)
    assert [await version(world, key) for key in ("one", "two", "three")] == [None, None, 2]
    for key in ("one", "two", "three"):
        assert (await receipt(new.url, key))["metadata"] == {"run": 7}
    assert "written by a newer gateway (format 2; this one knows 1)" in await refusal(world)


async def receipt(url: str, key: str) -> dict[str, Any]:
    import aiohttp

    async with aiohttp.ClientSession() as session, session.get(f"{url}/v1/jobs/key:{key}") as answer:
        assert answer.status == 200, await answer.text()
        found: dict[str, Any] = await answer.json()
        return found


async def version(world: World, key: str) -> int | None:
    """Return which format the record of the job with this key says it is of."""
    redis: Any = world.clients.commands
    name = (await redis.get(f"gw:{{main}}:key:{key}")).split()[0]
    unpacker = msgpack.Unpacker(raw=False)
    unpacker.feed(await redis.get(b"gw:{main}:job:" + name))
    record: dict[str, Any] = unpacker.unpack()
    return record.get("v")


async def test_settings_of_a_newer_version_are_refused_as_a_whole(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text("version: 2\nacounts: []\n")
    ended = await command(tmp_path, "", "check")
    assert ended.code == 2
    assert "version: these settings are written for a newer gateway (version 2; this one knows 1)" in ended.err
    assert "acounts" not in ended.err
    (tmp_path / "config.yaml").write_text("version: 1\n")
    assert create_app(load_settings(tmp_path / "config.yaml", {})) is not None
