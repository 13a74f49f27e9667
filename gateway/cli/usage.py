"""What the commands share: which settings they take, what they read, and how they refuse."""

import os
import sys
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from gateway.model.errors import SettingsInvalid
from gateway.settings import Settings, load_settings

Config = Annotated[
    Path | None, typer.Option("--config", "-c", envvar="GATEWAY_CONFIG", help="YAML file; default ./config.yaml")
]
Set = Annotated[
    list[str] | None, typer.Option("--set", help="one setting, such as http.port=9000; stands above all others")
]


def read_file(path: Path | None) -> bytes:
    """Return what is in the file at PATH, or (`-`) comes in; ends the command when it cannot be read."""
    try:
        if path is None or str(path) == "-":
            return sys.stdin.buffer.read() if sys.stdin else b""
        return path.read_bytes()
    except OSError as error:
        refuse(f"{path}: cannot be read ({error.strerror}); name a file with one job as JSON, or - for standard input")


def settings_of(config: Path | None, set_: list[str] | None) -> Settings:
    """Return the settings; ends the command with one line for each fault."""
    try:
        return read_settings(file_of(config), set_)
    except SettingsInvalid as error:
        refuse(str(error))


def file_of(config: Path | None) -> Path | None:
    """Return the file that the settings are read from, if there is one; it stays the same, whatever becomes of it."""
    default = Path("config.yaml")
    return config or (default if default.exists() else None)


def read_settings(file: Path | None, set_: list[str] | None) -> Settings:
    """Return the settings in FILE, overlaid by the environment and the command line; raises SettingsInvalid."""
    return load_settings(file, os.environ, _overrides(set_ or []))


def _overrides(pairs: list[str]) -> dict[str, str]:
    overrides = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals:
            refuse(f"--set {pair}: write section.key=value")
        overrides[name] = value
    return overrides


def refuse(message: str) -> NoReturn:
    """End the command: it was used wrongly, or the settings are wrong."""
    typer.echo(message, err=True)
    raise typer.Exit(2)
