"""`gateway demo`: a whole world at work."""

import asyncio
from typing import Annotated

import typer
from rich.console import Console

from gateway.cli.usage import refuse
from gateway.model.errors import SettingsInvalid
from gateway.sandbox.demo import run_demo


def demo(
    keep: Annotated[bool, typer.Option("--keep", help="leave everything running and print the addresses")] = False,
) -> None:
    """Show it all at work on this machine: a dozen jobs, a gateway and a stand-in NapCat."""
    try:
        fine = asyncio.run(run_demo(Console(), keep=keep))
    except SettingsInvalid as error:
        refuse(str(error))
    except KeyboardInterrupt:
        raise typer.Exit(0) from None
    raise typer.Exit(0 if fine else 1)
