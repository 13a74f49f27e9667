"""What the commands share: which settings they take, what they read, and how they refuse."""

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from gateway.model.errors import SettingsInvalid

if TYPE_CHECKING:
    from gateway.settings import Settings

Config = Annotated[
    Path | None, typer.Option("--config", "-c", envvar="GATEWAY_CONFIG", help="YAML file; default ./config.yaml")
]
Set = Annotated[
    list[str] | None,
    typer.Option("--set", help="one setting, such as http.port=9000; above the file and the environment; repeatable"),
]
AsJson = Annotated[bool, typer.Option("--json", help="JSON, for programs")]


def read_file(path: Path) -> bytes:
    """Return what is in the file at PATH, or (`-`) comes in; ends the command when it cannot be read."""
    try:
        if str(path) == "-":
            return sys.stdin.buffer.read() if sys.stdin else b""
        return path.read_bytes()
    except OSError as error:
        refuse(f"{path}: cannot be read ({error.strerror}); name a file, or - for standard input")


def secret_in(path: Path, option: str) -> str:
    """Return the secret in the file that OPTION names; ends the command when there is none."""
    try:
        secret = path.read_text("utf-8").strip()
    except (OSError, UnicodeError) as error:
        refuse(f"{option} {path}: cannot be read ({getattr(error, 'strerror', None) or error})")
    return secret or refuse(f"{option} {path}: is empty; put the secret into it")


def settings_of(config: Path | None, set_: list[str] | None) -> "Settings":
    """Return the settings; ends the command with one line for each fault."""
    try:
        return read_settings(file_of(config), set_)
    except SettingsInvalid as error:
        refuse(str(error))


def file_of(config: Path | None) -> Path | None:
    """Return the file that the settings are read from, if there is one; it stays the same, whatever becomes of it."""
    default = Path("config.yaml")
    return config or (default if default.exists() else None)


def read_settings(file: Path | None, set_: list[str] | None) -> "Settings":
    """Return the settings in FILE, overlaid by the environment and the command line; raises SettingsInvalid."""
    from gateway.settings import load_settings  # noqa: PLC0415 - there are commands that need none, and want to be fast

    return load_settings(file, os.environ, overrides_of(set_))


def overrides_of(set_: list[str] | None) -> dict[str, str]:
    """Return what `--set` names; ends the command for what names nothing."""
    overrides = {}
    for pair in set_ or []:
        name, equals, value = pair.partition("=")
        if not equals:
            refuse(f"--set {pair}: write section.key=value")
        overrides[name] = value
    return overrides


def refuse(message: str) -> NoReturn:
    """End the command: it was used wrongly, or the settings are wrong."""
    typer.echo(message, err=True)
    raise typer.Exit(2)
