"""Parts of the gateway that the files of deployment are written for, and that this tree may not have yet.

A test that needs one skips with its name until it is there; then nothing here has an effect, and it can go.
"""

import pytest
from typer.testing import CliRunner

from gateway.cli import app
from gateway.model.errors import SettingsInvalid
from gateway.settings import load_settings


def _understands(*words: str) -> bool:
    return CliRunner().invoke(app, [*words, "--help"]).exit_code == 0


def _offers(command: str, option: str) -> bool:
    return option in CliRunner().invoke(app, [command, "--help"], env={"COLUMNS": "200"}).output


def _takes(name: str, value: str) -> bool:
    try:
        load_settings(None, {}, {name: value})
    except SettingsInvalid:
        return False
    return True


REASONS = {"account_absent", "data_newer", "redis_not_replicated"}
"""Reasons of /status that parts give which this tree may not have yet."""
PARTS = {
    "online": lambda: _offers("check", "--online"),
    "live": lambda: _offers("check", "--live"),
    "reload": lambda: _understands("reload"),
    "replicated": lambda: _takes("redis.durability", "replicated"),
    "sentinel": lambda: _takes("redis.url", "redis+sentinel://127.0.0.1:1/gateway"),
}


def awaits(*parts: str) -> None:
    """Skip the test unless all PARTS are there."""
    missing = [part for part in parts if not PARTS[part]()]
    if missing:
        pytest.skip(f"awaits: {', '.join(missing)}")
