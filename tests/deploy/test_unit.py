"""The systemd unit is taken by systemd, is well hardened, and what it says starts a gateway that says so."""

import asyncio
import configparser
import json
import os
import re
import shlex
import socket
import sys
from pathlib import Path

import pytest

from gateway.model.duration import parse_duration
from gateway.settings.sections import Delivery
from tests.debian import program_of, run
from tests.deploy.composition import DEPLOY
from tests.readme.programs import Programs
from tests.world import World, until

UNIT = DEPLOY / "gateway.service"
EXPOSED = 1.6
"""The exposure level, 0 to 10, that `systemd-analyze security` may find at most: 1.4 with systemd 252."""


def service() -> dict[str, list[str]]:
    """Return the settings of [Service], each with all its values."""
    found: dict[str, list[str]] = {}
    section = UNIT.read_text("utf-8").partition("[Service]\n")[2].partition("[Install]")[0]
    for line in section.splitlines():
        if line and not line.startswith("#"):
            name, _, value = line.partition("=")
            found.setdefault(name, []).append(value)
    return found


@pytest.fixture(name="analyze")
def _analyze(tmp_path: Path) -> str:
    return str(program_of("systemd", "systemd-analyze", tmp_path))


@pytest.fixture(name="unit")
def _unit(tmp_path: Path) -> Path:
    """The unit with a program that is here: systemd asks whether there is one."""
    file = tmp_path / UNIT.name
    text, count = re.subn(r"^(ExecStart=)\S+", rf"\1{sys.executable}", UNIT.read_text("utf-8"), flags=re.MULTILINE)
    assert count == 1
    file.write_text(text)
    return file


@pytest.mark.deploy
def test_systemd_takes_the_unit(analyze: str, unit: Path, tmp_path: Path) -> None:
    done = run([analyze, "verify", "--man=no", str(unit)], tmp_path)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")
    unit.write_text(unit.read_text().replace("WatchdogSec=30", "WatchdogSec=never mind"))
    assert "Failed to parse" in run([analyze, "verify", "--man=no", str(unit)], tmp_path).stderr, "it finds no fault"


@pytest.mark.deploy
def test_little_is_exposed_to_it(analyze: str, unit: Path, tmp_path: Path) -> None:
    done = run([analyze, "security", "--offline=true", "--no-pager", str(unit)], tmp_path)
    found = re.search(r"Overall exposure level for gateway\.service: ([\d.]+)", done.stdout)
    assert found, done.stdout + done.stderr
    assert float(found[1]) <= EXPOSED, done.stdout


def test_it_is_tried_again_for_ten_minutes_and_has_the_time_to_end() -> None:
    told = service()
    assert told["Type"] == ["notify"]
    assert told["ExecReload"] == ["kill -HUP $MAINPID"]
    delivery = Delivery()
    assert parse_duration(f"{told['TimeoutStopSec'][0]}s") >= delivery.timeout + delivery.slack + 10_000
    assert told["KillMode"] == ["mixed"], "the embedded server would end before what it is needed for"
    assert told["Restart"] == ["on-failure"]
    assert not {"RestartPreventExitStatus", "SuccessExitStatus", "ExecStartPre"} & set(told), "a start that waits"
    parser = configparser.ConfigParser(strict=False, interpolation=None)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read(UNIT)
    assert parser["Install"]["WantedBy"] == "multi-user.target"
    pause, starts = int(told["RestartSec"][0]), int(parser["Unit"]["StartLimitBurst"])
    assert starts * pause >= 480, "a Redis that reads its data takes its time"
    assert starts * (pause + 3) < int(parser["Unit"]["StartLimitIntervalSec"]), "wrong settings would be tried for ever"


async def test_without_redis_it_ends_soon_with_a_code_after_which_it_is_tried_again(
    world: World, tmp_path: Path
) -> None:
    await world.stop_redis()
    config = tmp_path / "config.yaml"
    config.write_text(json.dumps(world.settings(log={"format": "json", "level": "info"})))
    programs = Programs(tmp_path, {**os.environ, "PYTHONPATH": str(DEPLOY.parent)}, _nothing)
    (words,) = service()["ExecStart"]
    _, *rest = shlex.split(words.replace("/etc/napcat-gateway/config.yaml", str(config)))
    ended = await programs.run(sys.executable, "-m", "gateway", *rest)
    assert (ended.code, "redis.url" in ended.complaints) == (2, True), ended
    await world.start_redis()
    async with programs.started(sys.executable, "-m", "gateway", *rest) as gateway:
        await until(lambda: "gateway.started" in gateway.out + gateway.complaints)


async def test_a_redis_that_is_nearly_full_keeps_no_gateway_from_starting(world: World, tmp_path: Path) -> None:
    commands = world.clients.commands
    used = (await commands.info("memory"))["used_memory"]
    await commands.config_set("maxmemory", int(used / 0.87))
    config = tmp_path / "config.yaml"
    config.write_text(json.dumps(world.settings()))
    programs = Programs(tmp_path, {**os.environ, "PYTHONPATH": str(DEPLOY.parent)}, _nothing)
    words = ("run", "--config", str(config), "--set", "log.level=info")
    async with programs.started(sys.executable, "-m", "gateway", *words) as gateway:
        await until(lambda: "gateway.started" in gateway.out + gateway.complaints)


async def test_what_the_unit_says_starts_a_gateway_that_tells_systemd(world: World, tmp_path: Path) -> None:
    told = service()
    credentials = tmp_path / "credentials"
    credentials.mkdir(mode=0o700)
    values = {"redis__url": world.redis_url, "accounts__0__token": "a-token"}
    world.napcat.token = "a-token"
    for one in told["LoadCredential"]:
        name, _, source = one.partition(":")
        assert source == f"/etc/napcat-gateway/secrets/{name}"
        (credentials / name).write_text(values.pop(name))
        (credentials / name).chmod(0o400)
    assert not values
    specifiers = {"%d": str(credentials), "%S": str(tmp_path / "state")}
    variables = " ".join(told["Environment"])
    for specifier, value in specifiers.items():
        variables = variables.replace(specifier, value)
    program, *words = shlex.split(told["ExecStart"][0])
    assert program == "/opt/napcat-gateway/bin/gateway"
    config = tmp_path / "config.yaml"
    config.write_text(f"accounts: [{{name: main, endpoint: '{world.napcat.url}'}}]\nhttp: {{port: 0}}\n")
    words[words.index("/etc/napcat-gateway/config.yaml")] = str(config)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
        notify.bind(str(tmp_path / "notify"))
        notify.settimeout(20)
        environ = {
            "PATH": "/usr/bin:/bin", "PYTHONPATH": str(DEPLOY.parent), "NOTIFY_SOCKET": str(tmp_path / "notify"),
            "WATCHDOG_USEC": "1000000", **dict(pair.split("=", 1) for pair in shlex.split(variables)),
        }  # fmt: skip
        programs = Programs(tmp_path, environ, _nothing)
        async with programs.started(sys.executable, "-m", "gateway", *words) as gateway:
            heard = ""
            for wanted in ("READY=1", "WATCHDOG=1", "STOPPING=1"):
                if wanted == "STOPPING=1":
                    os.kill(gateway.process.pid, 15)
                while wanted not in heard:
                    heard += (await asyncio.to_thread(notify.recv, 4096)).decode() + "\n"
            assert await gateway.ends_within(20)
            assert gateway.process.returncode == 0, gateway.complaints
    assert not (tmp_path / "state").exists(), "with redis.url nothing is kept here"


async def _nothing() -> None:
    """Nothing has to happen meanwhile."""
