"""The `gateway` command.

Exit codes: 0 fine, 1 failed, 2 wrong use or settings.

A command is imported when it is called: `gateway check --live`, which a container calls every few seconds, must not
pay for a web server and a Redis client it does not use.
"""

import gc
from importlib import import_module
from typing import Any

import typer
from typer.core import TyperGroup

__all__ = ["app", "main"]

_COMMANDS = (
    "demo",
    "config",
    "check",
    "run",
    "status",
    "reload",
    "send",
    "jobs",
    "explain",
    "hooks",
    "keys",
    "sandbox",
    "schema",
    "openapi",
    "version",
)
"""The commands, in the order in which they are listed: each is a function or a Typer in the module of its name."""


class _Commands(TyperGroup):
    """Finds a command when it is asked for."""

    def list_commands(self, ctx: Any) -> list[str]:
        """Return the names of all commands."""
        return list(_COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Return the command of a name, imported now."""
        if cmd_name not in _COMMANDS:
            for name in _COMMANDS:  # the nearest of them are told
                self.get_command(ctx, name)
            return None
        if cmd_name not in self.commands:
            found = getattr(_imported(f"gateway.cli.{cmd_name}"), cmd_name)
            around = typer.Typer(add_completion=False, callback=_gateway)
            if isinstance(found, typer.Typer):
                around.add_typer(found, name=cmd_name)
            else:
                around.command(cmd_name)(found)
            group = typer.main.get_group(around)
            self.commands[cmd_name] = group.commands[cmd_name]
        return super().get_command(ctx, cmd_name)


def _imported(name: str) -> Any:
    """Import a module and all it needs without looking for garbage among that: it took a fifth of a start."""
    gc.disable()
    try:
        return import_module(name)
    finally:
        gc.freeze()
        gc.enable()


def _gateway() -> None:
    """Do nothing before a command: what makes Typer take even one of them for one of several."""


app = typer.Typer(
    cls=_Commands,
    callback=_gateway,
    help="A message gateway in front of NapCat: queued, ordered, paced, retried by what an answer proves, tracked.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


def main() -> None:
    """Run the command line."""
    app()
