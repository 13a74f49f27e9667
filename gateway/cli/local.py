"""The commands that need no running gateway: run, check, explain, config, demo, sandbox, keys, version."""

import asyncio
import gc
import json
import os
import signal
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, NoReturn

import typer
from aiohttp import web
from pydantic import ValidationError
from rich.console import Console

from gateway import __version__
from gateway.app import create_app, wind_down
from gateway.explain import explain_job, explain_reply, job_lines, reply_lines
from gateway.intake.hooks.hooks import compiled
from gateway.model.errors import Refused, SettingsInvalid
from gateway.model.veil import Veil
from gateway.model.verdict import Implementation
from gateway.openapi import openapi_document
from gateway.sandbox.demo import run_demo
from gateway.sandbox.napcat import StandIn
from gateway.settings import Key, Settings, load_settings, secrets_of
from gateway.settings.reference import example_yaml, key_line, settings_table
from gateway.telemetry import Event, Log, configure_logging
from gateway.web import new_secret, sha256_of

app = typer.Typer(
    help="A message gateway in front of NapCat: queued, ordered, paced, retried by what an answer proves, tracked.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
keys = typer.Typer(help="Make API keys.", no_args_is_help=True)
app.add_typer(keys, name="keys")
Config = Annotated[
    Path | None, typer.Option("--config", "-c", envvar="GATEWAY_CONFIG", help="YAML file; default ./config.yaml")
]
_BACKLOG = 4096  # connections that may wait to be accepted, where the system allows as many
_YOUNG = 20_000  # objects before a look for cycles among them; by default 700, a batch of jobs: a look in each
Set = Annotated[
    list[str] | None, typer.Option("--set", help="one setting, such as http.port=9000; stands above all others")
]


@app.command()
def run(config: Config = None, set_: Set = None) -> None:
    """Run the gateway until SIGTERM or Ctrl-C."""
    settings = settings_of(config, set_)
    configure_logging(settings.log.level, settings.log.format, Veil(secrets_of(settings)))
    try:
        with asyncio.Runner(loop_factory=_loop_factory()) as runner:
            runner.run(_serve(settings))
    except SettingsInvalid as error:
        refuse(str(error))


@app.command()
def check(config: Config = None, set_: Set = None) -> None:
    """Check settings, rules and the hooks' templates without starting anything; one line for each fault."""
    settings = settings_of(config, set_)
    try:
        faults = [
            fault
            for hook in compiled(settings.hooks).values()
            if (fault := hook.fault(time.time(), settings)) is not None
        ]
    except Refused as refusal:
        faults = [refusal.detail]
    if faults:
        refuse("\n".join(faults))
    told = f"accounts: {', '.join(account.name for account in settings.accounts)}"
    if settings.hooks:
        told += f"; hooks: {', '.join(hook.name for hook in settings.hooks)}"
    typer.echo(f"the settings are fine; {told}")


@app.command()
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
    typer.echo(json.dumps(told, ensure_ascii=False, indent=2) if as_json else "\n".join(lines))


@app.command()
def config(table: Annotated[bool, typer.Option("--table", help="as a Markdown table")] = False) -> None:
    """Print every setting with its default and meaning: the content of config.example.yaml."""
    typer.echo(settings_table() if table else example_yaml(), nl=False)


@app.command()
def openapi() -> None:
    """Print the OpenAPI 3.1 document of the HTTP paths: what /openapi.json serves."""
    typer.echo(json.dumps(openapi_document(), ensure_ascii=False, indent=2))


@app.command()
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


@app.command()
def sandbox(
    port: Annotated[int, typer.Option(help="0 takes a free one")] = 3000,
    token: Annotated[str, typer.Option(help="access token to ask for")] = "",
    events_url: Annotated[str, typer.Option(help="where to post message_sent events")] = "",
    events_secret: Annotated[str, typer.Option(help="secret that signs them")] = "",
    answer_ms: Annotated[int, typer.Option(help="how long a send takes")] = 0,
) -> None:
    """Run the stand-in NapCat on loopback; POST /_sandbox/behave makes it misbehave."""
    stand_in = StandIn(port=port, token=token, events_url=events_url, events_secret=events_secret, answer_ms=answer_ms)
    try:
        asyncio.run(stand_in.run_forever(started=lambda url: typer.echo(f"stand-in NapCat at {url}")))
    except KeyboardInterrupt:
        raise typer.Exit(0) from None
    except OSError as error:
        refuse(f"--port: cannot listen on 127.0.0.1:{port} ({error}); choose another")


@app.command()
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


async def _serve(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT, then stop in order: no new jobs, sources, lanes, HTTP, Redis."""
    gateway = create_app(settings)
    runner = web.AppRunner(gateway, access_log=None, shutdown_timeout=1)
    _allow_many_connections()
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        with suppress(NotImplementedError):  # Windows ends a process its own way
            asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    await runner.setup()
    try:
        await _listen(runner, settings.http.host, settings.http.port)
        port = runner.addresses[0][1]
        names = [account.name for account in settings.accounts]
        Log().info(
            Event.GATEWAY_STARTED, url=f"http://{settings.http.host}:{port}", accounts=names, version=__version__
        )
        # What is here by now stays: later collections need not look at it, which would hold up the loop for 10-20 ms.
        gc.collect()
        gc.freeze()
        gc.set_threshold(_YOUNG, *gc.get_threshold()[1:])
        await stopping.wait()
        await wind_down(gateway)
    finally:
        await runner.cleanup()
    Log().info(Event.GATEWAY_STOPPED)


def _allow_many_connections() -> None:
    """Let this process open as many files as it may: over the soft limit, often 1024, connections would be reset."""
    if sys.platform == "win32":
        return
    import resource  # noqa: PLC0415 - there is none for Windows

    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(ValueError, OSError):  # a system that has a lower one of its own keeps what it has
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


async def _listen(runner: web.AppRunner, host: str, port: int) -> None:
    try:
        await web.TCPSite(runner, host, port, backlog=_BACKLOG).start()
    except OSError as error:
        raise SettingsInvalid(
            f"http: cannot listen on {host}:{port} ({error.strerror or error}); change http.host or http.port"
        ) from None


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
    default = Path("config.yaml")
    try:
        return load_settings(config or (default if default.exists() else None), os.environ, _overrides(set_ or []))
    except SettingsInvalid as error:
        refuse(str(error))


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


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    if sys.platform == "win32":
        return None
    import uvloop  # noqa: PLC0415 - there is none for Windows

    return uvloop.new_event_loop
