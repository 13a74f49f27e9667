"""`gateway keys`: API keys, made here and kept by nobody but their owner."""

import json
from typing import Annotated

import typer
from pydantic import ValidationError

from gateway.cli.usage import AsJson
from gateway.settings import Key
from gateway.settings.reference import key_line
from gateway.web import new_secret, sha256_of

keys = typer.Typer(help="Make API keys.", no_args_is_help=True)


@keys.command()
def new(
    name: Annotated[str, typer.Option("--name", help="whose it is; one name may have two keys while it changes them")],
    scope: Annotated[list[str] | None, typer.Option("--scope", help="send, read or admin; default: send, read")] = None,
    target: Annotated[list[str] | None, typer.Option("--target", help="group:123, private:*; default: all")] = None,
    rate: Annotated[str | None, typer.Option("--rate", help="requests that send, such as 100/1s")] = None,
    as_json: AsJson = False,
) -> None:
    """Make an API key: print it this once, and the line for auth.keys, which holds only its SHA-256."""
    secret = new_secret()
    wish = {
        "name": name,
        "sha256": sha256_of(secret),
        **({"scopes": scope} if scope else {}),
        **({"targets": target} if target else {}),
        **({} if rate is None else {"rate": rate}),
    }
    try:
        key = Key.model_validate(wish)
    except ValidationError as error:
        options = {"scopes": "--scope", "targets": "--target"}
        for fault in error.errors():
            field, reason = str(fault["loc"][0]), fault["msg"].removeprefix("Value error, ")
            typer.echo(f"{options.get(field, f'--{field}')}: {reason}", err=True)
        raise typer.Exit(2) from None
    if as_json:
        document = {"key": secret, **key.model_dump(mode="json"), "scopes": sorted(key.scopes), "line": key_line(key)}
        typer.echo(json.dumps(document, indent=2))
    else:
        typer.echo(f"the key, shown this once: {secret}\nthe line for auth.keys:    {key_line(key)}")
