"""The `gateway` command, as an operator runs it."""

import hashlib
import json
import sys
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from gateway import __version__
from gateway.sandbox.process import GatewayProcess
from gateway.settings import Settings, load_settings
from tests.cli.commands import command, said
from tests.world import until

ACCOUNT = {"name": "main", "endpoint": "http://127.0.0.1:9"}
LOG = {"format": "json"}
linux = pytest.mark.skipif(sys.platform != "linux", reason="asks the kernel of Linux to end a child with its parent")


@pytest.fixture(name="started")
async def _started(tmp_path: Path) -> AsyncIterator[list[GatewayProcess]]:
    """Collect the gateways a test starts, and end them."""
    gateways: list[GatewayProcess] = []
    yield gateways
    for gateway in gateways:
        await gateway.kill()
    await until(lambda: not servers(tmp_path))


async def embedded(started: list[GatewayProcess], folder: Path) -> GatewayProcess:
    """Start a gateway without a configured Redis, which keeps its data in FOLDER."""
    environ = {"GATEWAY_STATE_DIR": str(folder / "state")}
    gateway = GatewayProcess({"accounts": [ACCOUNT], "log": LOG}, folder, environ)
    started.append(gateway)
    await gateway.start()
    return gateway


def servers(folder: Path) -> list[int]:
    """Return the process ids of all servers whose data lies in FOLDER: a server works in the folder of its data."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if (process / "cwd").readlink() == folder / "state":
                found.append(int(process.name))
    return found


async def test_help_names_every_command(tmp_path: Path) -> None:
    ended = await command(tmp_path, "", "--help")
    assert ended.code == 0
    for name in ("run", "check", "config", "demo", "sandbox", "keys", "version", "send", "jobs", "status", "schema"):
        assert name in ended.out


def test_every_command_explains_itself_and_tells_its_version(tmp_path: Path) -> None:
    run, version = said(tmp_path, "run", "--help"), said(tmp_path, "version")
    assert (run.code, version.code) == (0, 0)
    assert "--config" in run.out
    assert version.out.strip() == __version__


def test_an_unknown_command_is_wrong_use(tmp_path: Path) -> None:
    ended = said(tmp_path, "rnu")
    assert ended.code == 2
    assert "rnu" in ended.err


def test_a_check_of_good_settings_ends_well_and_names_the_accounts(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text("accounts: [{name: second, endpoint: 'http://127.0.0.1:3000'}]")
    ended = said(tmp_path, "check")
    assert (ended.code, ended.err) == (0, "")
    assert "second" in ended.out


def test_a_check_of_bad_settings_prints_each_fault_on_a_line_that_names_its_key(tmp_path: Path) -> None:
    (tmp_path / "bad.yaml").write_text("http: {port: x, prot: 1}\naccounts: [{name: a}]\nlimits: {group: [often]}")
    ended = said(tmp_path, "check", "--config", "bad.yaml")
    assert (ended.code, ended.out) == (2, "")
    lines = ended.err.splitlines()
    keys = ["accounts.0.endpoint", "http.port", "http.prot", "limits.group.0"]
    assert sorted(line.partition(":")[0] for line in lines) == keys


def test_the_config_file_is_found_in_the_environment_too(tmp_path: Path) -> None:
    ended = said(tmp_path, "check", GATEWAY_CONFIG=str(tmp_path / "none.yaml"))
    assert ended.code == 2
    assert "none.yaml: cannot be read" in ended.err


def test_a_setting_on_the_command_line_stands_above_all_others(tmp_path: Path) -> None:
    fine, bad, form = (
        said(tmp_path, "check", "--set", "http.port=9000", GATEWAY_HTTP__PORT="x"),
        said(tmp_path, "check", "--set", "http.port=["),
        said(tmp_path, "check", "--set", "http.port"),
    )
    assert fine.code == 0
    assert (bad.code, bad.err.partition(":")[0]) == (2, "http.port")
    assert (form.code, form.err.strip()) == (2, "--set http.port: write section.key=value")


def test_the_printed_config_is_a_config(tmp_path: Path) -> None:
    ended = said(tmp_path, "config")
    (tmp_path / "printed.yaml").write_text(ended.out)
    assert load_settings(tmp_path / "printed.yaml", {}) == Settings()


def test_a_new_key_is_printed_with_the_line_that_lets_it_in(tmp_path: Path) -> None:
    import yaml

    words = ("--scope", "send", "--scope", "admin", "--target", "group:1*", "--target", "private:2", "--rate", "100/1s")
    short, long, again = (
        said(tmp_path, "keys", "new", "--name", "bot", "--json"),
        said(tmp_path, "keys", "new", "--name", "bot", *words, "--json"),
        said(tmp_path, "keys", "new", "--name", "bot"),
    )
    keys = [json.loads(ended.out) for ended in (short, long)]
    told = again.out.splitlines()
    secrets = [*(key["key"] for key in keys), told[0].rpartition(" ")[2]]
    assert len(set(secrets)) == 3
    for secret, line in zip(secrets, [*(key["line"] for key in keys), told[1].partition("- ")[2]], strict=True):
        assert secret.startswith("gw_")
        assert len(secret) == 46
        assert hashlib.sha256(secret.encode()).hexdigest() in line
        assert secret not in line
    written = "auth:\n  keys:\n" + "".join(f"    {key['line']}\n" for key in keys).replace("name: bot", "name: a", 1)
    (tmp_path / "config.yaml").write_text(written)
    first, second = load_settings(tmp_path / "config.yaml", {}).auth.keys
    assert (set(first.scopes), first.targets, first.rate) == ({"send", "read"}, ("*",), None)
    assert (set(second.scopes), second.targets) == ({"send", "admin"}, ("group:1*", "private:2"))
    assert str(second.rate) == keys[1]["rate"] == "100/1s"
    assert "rate" not in yaml.safe_load(keys[0]["line"])[0]


def test_a_key_that_could_not_be_configured_is_not_made(tmp_path: Path) -> None:
    words = ("--scope", "sen", "--target", "grp:1", "--rate", "often")
    bad, nameless = (said(tmp_path, "keys", "new", "--name", "a b", *words), said(tmp_path, "keys", "new"))
    assert (bad.code, bad.out, nameless.code, nameless.out) == (2, "", 2, "")
    assert [line.partition(":")[0] for line in bad.err.splitlines()] == ["--name", "--scope", "--target", "--rate"]


@linux
async def test_without_a_configured_redis_one_line_says_where_the_data_is(
    tmp_path: Path, started: list[GatewayProcess]
) -> None:
    gateway = await embedded(started, tmp_path)
    (line,) = gateway.events("server.embedded")
    assert line["data"] == str(tmp_path / "state")
    assert line["url"].startswith("redis://127.0.0.1:")
    assert len(servers(tmp_path)) == 1


@linux
async def test_a_queued_job_survives_a_restart_of_a_gateway_with_its_own_server(
    tmp_path: Path, started: list[GatewayProcess]
) -> None:
    first = await embedded(started, tmp_path)
    job = {"group_id": "1", "message": "later", "delay": "1h", "key": "a"}
    async with aiohttp.ClientSession() as session, session.post(f"{first.url}/v1/jobs", json=job) as answer:
        posted: dict[str, Any] = await answer.json()
    assert await first.stop() == 0
    second = await embedded(started, tmp_path)
    async with aiohttp.ClientSession() as session, session.get(f"{second.url}/v1/jobs/key:a") as answer:
        found: dict[str, Any] = await answer.json()
    assert (found["id"], found["state"], found["reason"]) == (posted["id"], "waiting", "scheduled")


@linux
async def test_sigterm_ends_the_gateway_well_and_leaves_no_server_behind(
    tmp_path: Path, started: list[GatewayProcess]
) -> None:
    gateway = await embedded(started, tmp_path)
    assert await gateway.stop() == 0
    assert servers(tmp_path) == []
    assert [gateway.events(name) != [] for name in ("gateway.stopping", "gateway.stopped")] == [True, True]


@linux
async def test_a_gateway_that_is_killed_leaves_no_server_behind(tmp_path: Path, started: list[GatewayProcess]) -> None:
    gateway = await embedded(started, tmp_path)
    assert servers(tmp_path)
    await gateway.kill()
    await until(lambda: not servers(tmp_path))
