"""`gateway config`: every setting, explained."""

from typing import Annotated

import typer

from gateway.settings.reference import example_yaml, settings_table


def config(table: Annotated[bool, typer.Option("--table", help="as a Markdown table")] = False) -> None:
    """Print every setting with its default and meaning, as the content of a config.yaml."""
    typer.echo(settings_table() if table else example_yaml(), nl=False)
