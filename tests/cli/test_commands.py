"""The `gateway` command: what it can do, and what it says to those who ask or mistype."""

from pathlib import Path

import pytest

from gateway import __version__
from tests.cli.commands import command, said

COMMANDS = (
    *("demo", "config", "check", "run", "status", "reload", "send", "jobs", "explain", "hooks", "keys", "sandbox"),
    *("schema", "openapi", "version"),
)


async def test_help_names_every_command(tmp_path: Path) -> None:
    ended = await command(tmp_path, "", "--help")
    assert ended.code == 0
    firsts = [line.strip("│ ").partition(" ")[0] for line in ended.out.splitlines()]
    assert [first for first in firsts if first in COMMANDS] == list(COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_explains_itself(tmp_path: Path, name: str) -> None:
    ended = said(tmp_path, name, "--help")
    assert (ended.code, ended.err) == (0, "")
    assert f" {name} [OPTIONS]" in ended.out


def test_the_version_is_told(tmp_path: Path) -> None:
    assert said(tmp_path, "version") == (0, f"{__version__}\n", "")


def test_an_unknown_command_is_wrong_use(tmp_path: Path) -> None:
    ended = said(tmp_path, "rnu")
    assert ended.code == 2
    assert "rnu" in ended.err
