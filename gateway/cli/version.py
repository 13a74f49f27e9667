"""`gateway version`."""

import typer

from gateway import __version__


def version() -> None:
    """Print the version."""
    typer.echo(__version__)
