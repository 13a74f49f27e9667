"""The commands that start no gateway and ask none: explain, config, openapi, demo, sandbox, version, keys."""

import asyncio
import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from pydantic import ValidationError
from rich.console import Console

from gateway import __version__
from gateway.cli.showing import shown
from gateway.cli.usage import Config, Set, read_file, refuse, settings_of
from gateway.explain import explain_job, explain_reply, job_lines, reply_lines
from gateway.model.errors import Refused, SettingsInvalid
from gateway.model.verdict import Implementation
from gateway.openapi import openapi_document
from gateway.sandbox.demo import run_demo
from gateway.sandbox.napcat import StandIn
from gateway.settings import LOOPBACK, Key
from gateway.settings.reference import example_yaml, key_line, settings_table
from gateway.web import new_secret, sha256_of

keys = typer.Typer(help="Make API keys.", no_args_is_help=True)


def explain(
    job: Annotated[Path | None, typer.Argument(help="file with one job as JSON; - reads standard input")] = None,
    reply: Annotated[str | None, typer.Option("--reply", help="an answer of NapCat instead; - reads it")] = None,
    http_status: Annotated[
        int | None, typer.Option("--http-status", min=100, max=599, help="with --reply: the answer's status, else 200")
    ] = None,
    over_ws: Annotated[bool, typer.Option("--ws", help="with --reply: it came over WebSocket")] = False,
    implementation: Annotated[
        Implementation | None, typer.Option("--from", help="with --reply: the program that answered, where it matters")
    ] = None,
    nodes: Annotated[bool, typer.Option("--nodes", help="with --reply: the call was a merged forward")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="for programs")] = False,
    config: Config = None,
    set_: Set = None,
) -> None:
    """Show what becomes of a job (its calls, byte for byte, or its refusal), or what an answer of NapCat proves."""
    if (job is None) == (reply is None):
        refuse("name a file with a job (- for standard input), or give --reply with an answer of NapCat")
    if reply is None and (http_status is not None or nodes or over_ws or implementation is not None):
        refuse(
            "--http-status, --ws, --from and --nodes say more about an answer: name a file with a job, or give --reply"
        )
    if over_ws and http_status is not None:
        refuse("an answer over WebSocket has no HTTP status: give --ws or --http-status")
    settings = settings_of(config, set_)
    try:
        if reply is not None:
            body = read_file(Path("-")) if reply == "-" else reply.encode("utf-8", "surrogateescape")
            status = None if over_ws else http_status or 200
            told = explain_reply(body, status, settings, nodes=nodes, implementation=implementation)
            lines = reply_lines(told)
        else:
            told = explain_job(read_file(job), settings)
            lines = job_lines(told, cut=sys.stdout.isatty())
    except Refused as refusal:
        if as_json:
            typer.echo(json.dumps(asdict(refusal), ensure_ascii=False, indent=2))
        typer.echo(f"refused ({refusal.code})" + ("" if refusal.errors else f": {refusal.detail}"), err=True)
        for fault in refusal.errors:
            typer.echo(f"  {fault.loc}: {fault.msg}", err=True)
        raise typer.Exit(1) from None
    typer.echo(json.dumps(told, ensure_ascii=False, indent=2) if as_json else "\n".join(map(shown, lines)))


def config(table: Annotated[bool, typer.Option("--table", help="as a Markdown table")] = False) -> None:
    """Print every setting with its default and meaning: the content of config.example.yaml."""
    typer.echo(settings_table() if table else example_yaml(), nl=False)


def openapi() -> None:
    """Print the OpenAPI 3.1 document of the HTTP paths: what /openapi.json serves."""
    typer.echo(json.dumps(openapi_document(), ensure_ascii=False, indent=2))


def demo(
    keep: Annotated[bool, typer.Option("--keep", help="leave everything running and print the addresses")] = False,
) -> None:
    """Show a whole world at work: embedded server, stand-in NapCat, gateway, a dozen jobs and their receipts."""
    try:
        fine = asyncio.run(run_demo(Console(), keep=keep))
    except SettingsInvalid as error:
        refuse(str(error))
    except KeyboardInterrupt:
        raise typer.Exit(0) from None
    raise typer.Exit(0 if fine else 1)


def sandbox(
    port: Annotated[int, typer.Option(help="0 takes a free one")] = 3000,
    host: Annotated[str, typer.Option(help="where it listens; beyond loopback only with a token")] = "127.0.0.1",
    token: Annotated[str, typer.Option(help="access token to ask for")] = "",
    token_file: Annotated[Path | None, typer.Option("--token-file", help="file that holds it")] = None,
    events_url: Annotated[str, typer.Option(help="where to post message_sent events")] = "",
    events_secret: Annotated[str, typer.Option(help="secret that signs them")] = "",
    answer_ms: Annotated[int, typer.Option(help="how long a send takes")] = 0,
) -> None:
    """Run the stand-in NapCat; POST /_sandbox/behave, which asks for no token, makes it misbehave."""
    if token_file is not None:
        if token:
            refuse("--token, --token-file: give one of them")
        try:
            token = token_file.read_text("utf-8").strip()
        except (OSError, UnicodeError) as error:
            refuse(f"--token-file {token_file}: cannot be read ({getattr(error, 'strerror', None) or error})")
    if host not in LOOPBACK and not token:
        refuse(f"--host: {host!r} is reachable from other machines; give --token-file, or listen on 127.0.0.1")
    stand_in = StandIn(
        host=host, port=port, token=token, events_url=events_url, events_secret=events_secret, answer_ms=answer_ms
    )
    try:
        asyncio.run(stand_in.run_forever(started=lambda url: typer.echo(f"stand-in NapCat at {url}")))
    except KeyboardInterrupt:
        raise typer.Exit(0) from None
    except OSError as error:
        refuse(f"--port: cannot listen on {host}:{port} ({error.strerror or error}); choose another, or another --host")


def version() -> None:
    """Print the version."""
    typer.echo(__version__)


@keys.command()
def new(
    name: Annotated[str, typer.Option("--name", help="whose it is; one name may have two keys while it changes them")],
    scope: Annotated[list[str] | None, typer.Option("--scope", help="send, read or admin; default: send, read")] = None,
    target: Annotated[list[str] | None, typer.Option("--target", help="group:123, private:*; default: all")] = None,
    rate: Annotated[str | None, typer.Option("--rate", help="requests that send, such as 100/1s")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="for programs")] = False,
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
