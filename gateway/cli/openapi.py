"""`gateway openapi`: the HTTP paths, for programs."""

import json

import typer

from gateway.openapi import openapi_document


def openapi() -> None:
    """Print the OpenAPI 3.1 document of the HTTP paths: what /openapi.json serves."""
    typer.echo(json.dumps(openapi_document(), ensure_ascii=False, indent=2))
