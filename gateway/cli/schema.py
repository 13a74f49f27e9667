"""`gateway schema`: what producers in other languages validate their jobs with."""

import json

import typer

from gateway.model.schema import job_schema

schema = typer.Typer(help="Print JSON Schemas.", no_args_is_help=True)


@schema.callback()
def _schemas() -> None:
    """Print JSON Schemas (2020-12)."""


@schema.command()
def job() -> None:
    """Print the JSON Schema of a job as producers write it, the same in Redis and over HTTP."""
    typer.echo(json.dumps(job_schema(), ensure_ascii=False, indent=2))
