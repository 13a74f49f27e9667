"""`gateway check`: the settings alone, what they lead to, and a gateway that runs."""

import asyncio
import json
import os
import socket
import sys
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from gateway.sandbox.napcat import StandIn
from gateway.sandbox.process import free_port
from tests.cli.commands import ROOT, Ended, command, said
from tests.servers import server
from tests.world import World, serving, until

SECRET = "h-u-s-h"


async def check(folder: Path, settings: dict[str, Any], *words: str) -> Ended:
    """Run `gateway check` with SETTINGS."""
    file = folder / "checked.yaml"
    file.write_text(json.dumps(settings))
    return await asyncio.to_thread(said, folder, "check", "--config", str(file), *words)


async def online(folder: Path, settings: dict[str, Any]) -> tuple[int, dict[str, tuple[str, str]]]:
    """Run `gateway check --online --json`; return its exit code, and level and words by key, of the worst of each."""
    ended = await check(folder, settings, "--online", "--json")
    assert SECRET not in ended.out + ended.err
    document = json.loads(ended.out)
    found: dict[str, tuple[str, str]] = {}
    for one in sorted(document["findings"], key=lambda one: ["fine", "advice", "fault"].index(one["level"])):
        found[one["key"]] = one["level"], f"{one['detail']}; {one.get('remedy', '')}"
    assert document["status"] == max(
        (level for level, _ in found.values()), key=["fine", "advice", "fault"].index, default="fine"
    )
    return ended.code, found


async def test_when_all_is_well_it_says_what_it_saw_and_changes_nothing(world: World, stack: AsyncExitStack) -> None:
    limited = await stack.enter_async_context(
        server(world.folder / "limited", "--appendonly", "yes", "--maxmemory", "100mb")
    )
    napcat = await stack.enter_async_context(StandIn(token=SECRET).serve())
    account = world.account(endpoint=napcat.url, token=SECRET, self_id="10001", transport="http")
    events = {**account, "events_url": napcat.url.replace("http", "ws")}
    settings = world.settings(redis={"url": f"redis://127.0.0.1:{limited}"}, accounts=[events])
    ended = await check(world.folder, settings, "--online")
    assert (ended.code, ended.err) == (0, "")
    first, *lines = ended.out.splitlines()
    assert first == f"the settings are fine; accounts: main; file: {world.folder}/checked.yaml"
    assert {line.split()[0] for line in lines} == {"fine"}
    told = "\n".join(lines)
    for words in (
        "redis.url: Valkey",
        "redis.persistence: an append-only file (appendfsync everysec)",
        "of its maxmemory (100 MiB) is in use",
        "accounts.0.endpoint (main): NapCat.Onebot",
        f"answers at {napcat.url}",
        "10001 is logged in and online",
        f"events are heard at {napcat.url.replace('http', 'ws')}",
    ):
        assert words in told
    assert SECRET not in told
    assert napcat.received == []
    from redis.asyncio import Redis

    async with Redis(port=limited) as redis:
        assert await redis.dbsize() == 0


async def test_advice_is_told_and_fails_nothing(world: World) -> None:
    code, found = await online(world.folder, world.settings(accounts=[world.account(events_secret="")]))
    assert code == 0
    assert found["redis.url"][0] == "advice"
    assert "no maxmemory" in found["redis.url"][1]
    assert found["accounts.0.events_url"][0] == "advice"
    assert "set events_url" in found["accounts.0.events_url"][1]


@pytest.mark.parametrize("transport", ["http", "ws"])
@pytest.mark.parametrize("given", ["", SECRET])
async def test_a_wrong_token_is_told_on_both_transports(
    world: World, stack: AsyncExitStack, transport: str, given: str
) -> None:
    napcat = await stack.enter_async_context(StandIn(token="another").serve())
    account = world.account(endpoint=napcat.url, token=given, transport=transport)
    code, found = await online(world.folder, world.settings(accounts=[account]))
    assert code == 1
    level, words = found["accounts.0.token"]
    assert level == "fault"
    assert "refuses it" in words
    assert "write the token of NapCat's network settings" in words


async def test_the_token_is_right_for_calls_and_wrong_for_events(world: World, stack: AsyncExitStack) -> None:
    calls = await stack.enter_async_context(StandIn(token=SECRET).serve())
    events = await stack.enter_async_context(StandIn(token="another").serve())
    account = world.account(
        endpoint=calls.url, token=SECRET, transport="http", events_url=events.url.replace("http", "ws")
    )
    code, found = await online(world.folder, world.settings(accounts=[account]))
    assert (code, found["accounts.0.endpoint"][0], found["accounts.0.token"][0]) == (1, "fine", "fault")
    assert events.url.replace("http", "ws") in found["accounts.0.token"][1]


async def test_whoever_does_not_answer_is_no_onebot_or_is_somebody_else_is_told_and_all_are_asked_at_once(
    world: World, stack: AsyncExitStack
) -> None:
    silent = stack.enter_context(socket.socket())
    silent.bind(("127.0.0.1", 0))
    silent.listen(100)
    deaf = f"http://127.0.0.1:{silent.getsockname()[1]}"
    page = await stack.enter_async_context(serving("POST", _a_page))
    offline = await stack.enter_async_context(StandIn(self_id="10002").serve())
    offline.behave("*", "offline")
    nobody = f"http://me:{SECRET}@127.0.0.1:{free_port()}"
    accounts = [
        world.account(name="nobody", endpoint=nobody, transport="http"),
        world.account(name="page", endpoint=page, transport="http"),
        world.account(name="other", self_id="99999"),
        world.account(name="offline", endpoint=offline.url),
        world.account(name="foreign", implementation="go-cqhttp"),
        *(world.account(name=f"deaf-{n}", endpoint=deaf, events_url=deaf.replace("http", "ws")) for n in range(20)),
    ]
    began = asyncio.get_running_loop().time()
    code, found = await online(world.folder, world.settings(accounts=accounts))
    assert asyncio.get_running_loop().time() - began < 20
    assert code == 1
    expected = {
        "accounts.0.endpoint": ("fault", "nothing takes connections at http://127.0.0.1:", "NapCat runs"),
        "accounts.1.endpoint": ("fault", "is no OneBot", "NapCat's HTTP server"),
        "accounts.2.self_id": ("fault", "is 99999, and 10001 is logged in", "log the right one in"),
        "accounts.3": ("fault", "QQ has it logged out", "log it in again"),
        "accounts.4.implementation": ("advice", "is go-cqhttp, and napcat answers", "auto"),
        "accounts.5.endpoint": ("fault", "does not answer in time", "restart NapCat"),
        "accounts.24.events_url": ("fault", "says nothing", "NapCat's WebSocket server"),
        "accounts": ("advice", "other, foreign are one QQ number, 10001", "keep one"),
    }
    for key, (level, *words) in expected.items():
        assert found[key][0] == level, (key, found[key])
        assert all(word in found[key][1] for word in words), (key, found[key])


async def _a_page(_request: web.Request) -> web.Response:
    return web.Response(text="<html>welcome</html>", content_type="text/html")


async def test_an_address_without_events_is_told(world: World) -> None:
    account = world.account(transport="http", events_url=f"{world.napcat.url.replace('http', 'ws')}/event")
    code, found = await online(world.folder, world.settings(accounts=[account]))
    assert (code, found["accounts.0.events_url"][0]) == (0, "fine")


async def test_a_redis_that_is_away_or_unfit_is_told_beside_the_accounts(world: World, stack: AsyncExitStack) -> None:
    forgetful = await stack.enter_async_context(
        server(world.folder / "forgetful", "--save", "", "--appendonly", "no", "--maxmemory-policy", "allkeys-lru")
    )
    for url, key, words in (
        (f"redis://:{SECRET}@127.0.0.1:{free_port()}", "redis.url", "start Redis there"),
        (f"redis://127.0.0.1:{forgetful}", "redis.persistence", "set `appendonly yes`"),
    ):
        code, found = await online(world.folder, world.settings(redis={"url": url}))
        assert (code, found[key][0]) == (1, "fault")
        assert words in found[key][1]
        assert found["accounts.0.endpoint"][0] == "fine"


async def test_a_source_whose_key_holds_something_else_is_told(world: World) -> None:
    await world.clients.commands.set("gw:jobs:list", "a text")
    code, found = await online(world.folder, world.settings())
    assert (code, found["intake.lists.0"][0]) == (1, "fault")
    assert "gw:jobs:list is a string in Redis, and no list; move that key away" in found["intake.lists.0"][1]


async def test_without_redis_url_it_says_where_the_embedded_server_would_keep_its_data(world: World) -> None:
    code, found = await online(world.folder, world.settings(redis={}))
    assert code == 0
    assert found["redis.url"][0] == "fine"
    assert "embedded server" in found["redis.url"][1]


async def test_wrong_settings_end_with_2_before_anybody_is_asked(tmp_path: Path) -> None:
    plain = await check(tmp_path, {"http": {"prot": 1}}, "--online")
    document = await check(tmp_path, {"http": {"prot": 1}}, "--online", "--json")
    assert (plain.code, plain.out, document.code) == (2, "", 2)
    assert plain.err.startswith("http.prot: unknown setting")
    (fault,) = json.loads(document.out)["findings"]
    assert (fault["level"], fault["key"]) == ("fault", "http.prot")


async def test_live_and_ready_ask_the_gateway_that_the_settings_name(world: World) -> None:
    gateway = await world.process()
    port = gateway.port

    async def asked(*words: str, **environ: str) -> Ended:
        return await command(world.folder, "", "check", *words, **environ)

    everywhere = {"GATEWAY_HTTP__HOST": "0.0.0.0", "GATEWAY_HTTP__PORT": str(port)}
    (world.folder / "port.yaml").write_text(json.dumps({"http": {"port": port}, "acounts": []}))
    (world.folder / "broken.yaml").write_text("http: {")
    plain, file, ready, url, environ, set_, wrong, none, document = await asyncio.gather(
        asked("--live", GATEWAY_CONFIG="port.yaml"),
        asked("--live", "--config", "port.yaml"),
        asked("--ready", "--config", "port.yaml"),
        asked("--live", "--url", gateway.url),
        asked("--live", **everywhere),
        asked("--live", "--set", f"http.port={port}", "--config", "port.yaml"),
        asked("--live", "--config", "broken.yaml"),
        asked("--live", "--set", f"http.port={free_port()}"),
        asked("--ready", "--json", "--url", gateway.url),
    )
    for ended in (plain, file, url, environ, set_):
        assert (ended.code, ended.out, ended.err) == (0, f"the gateway at {gateway.url} lives\n", "")
    assert (ready.code, ready.out) == (0, f"the gateway at {gateway.url} is ready\n")
    assert json.loads(document.out) == {"ok": True, "detail": f"the gateway at {gateway.url} is ready"}
    assert (wrong.code, none.code) == (2, 1)
    assert "broken.yaml: cannot be read" in wrong.err
    assert "no gateway answers at http://127.0.0.1" in none.err

    await world.stop_redis()
    unready = await until(lambda: asked("--ready", "--url", gateway.url), lambda ended: ended.code == 1)
    assert "/healthz/ready answered 503: " in unready.err
    assert "Redis: " in unready.err
    assert (await asked("--live", "--url", gateway.url)).code == 0


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--live", "--url", "gateway:8080"), "write http://host:port"),
        (("--live", "--url", "http://gateway:99999"), "write http://host:port"),
        (("--live", "--set", "http.port=0"), "give --url"),
        (("--live", "--online"), "give one of both"),
    ],
)
def test_what_cannot_be_asked_is_wrong_use(tmp_path: Path, words: tuple[str, ...], told: str) -> None:
    ended = said(tmp_path, "check", *words)
    assert (ended.code, ended.out) == (2, "")
    assert told in ended.err
    assert len(ended.err.splitlines()) == 1


async def test_in_its_plainest_form_it_says_the_same_as_in_others(tmp_path: Path) -> None:
    port = free_port()
    (tmp_path / "config.yaml").write_text(f"http: {{host: '::', port: {port}}}")
    for words in ("--live", "--ready"):
        plain, other = await asyncio.gather(
            command(tmp_path, "", "check", words), command(tmp_path, "", "check", words, "--config", "config.yaml")
        )
        assert plain == other
        assert (plain.code, plain.out) == (1, "")
        assert f"no gateway answers at http://[::1]:{port} (" in plain.err
    missing = await command(tmp_path, "", "check", "--live", GATEWAY_CONFIG="none.yaml")
    assert (missing.code, missing.err.partition(" ")[0]) == (2, "none.yaml:")


async def test_a_server_that_is_no_gateway_or_hangs_does_not_live(tmp_path: Path) -> None:
    with socket.socket() as hanging:
        hanging.bind(("127.0.0.1", 0))
        hanging.listen()
        async with serving("GET", _not_found) as other:
            elsewhere, hangs = await asyncio.gather(
                command(tmp_path, other, "check", "--live"),
                command(tmp_path, f"http://127.0.0.1:{hanging.getsockname()[1]}", "check", "--live"),
            )
    assert (elsewhere.code, hangs.code) == (1, 1)
    assert "answered 404" in elsewhere.err
    assert "timed out" in hangs.err


async def _not_found(_request: web.Request) -> web.Response:
    return web.Response(status=404)


async def test_live_imports_nothing_of_what_it_does_not_use(tmp_path: Path) -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-X", "importtime", "-m", "gateway", "check", "--live"),
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT), "GATEWAY_URL": f"http://127.0.0.1:{free_port()}"},
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    _, err = await process.communicate()
    imported = {
        line.rpartition("|")[2].strip() for line in err.decode().splitlines() if line.startswith("import time:")
    }
    assert "gateway.liveness" in imported
    assert imported & {"aiohttp", "redis", "pydantic", "typer", "rich", "asyncio", "gateway.settings"} == set()
