"""`gateway hooks`: which products there are presets for, and what a payload would become."""

import json
import time
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from gateway.cli.showing import shown
from gateway.cli.usage import AsJson, Config, Set, read_file, refuse, settings_of
from gateway.convert import render_cq
from gateway.intake.hooks.delivery import FORM, Delivery
from gateway.intake.hooks.hook import Hook, Reading
from gateway.intake.hooks.hooks import hooks_of
from gateway.intake.hooks.preset import presets
from gateway.intake.hooks.template import Segments
from gateway.intake.preparation import prepare
from gateway.model.errors import Refused, SettingsInvalid
from gateway.settings import Settings

hooks = typer.Typer(help="Webhooks of other products.", no_args_is_help=True)


@hooks.command("list")
def list_() -> None:
    """List the presets: name, product, how it proves who it is, and the events it has a message for."""
    width = max(map(len, presets()))
    for preset in presets().values():
        events = "any" if preset.events == ("*",) else ", ".join(preset.events)
        typer.echo(f"{preset.name.ljust(width)}  {preset.title}; {preset.proof.kind}; events: {events}")


@hooks.command("try")
def try_(
    name: Annotated[str, typer.Argument(metavar="NAME", help="of a hook in the settings, or of a preset")],
    payload: Annotated[
        Path | None,
        typer.Argument(metavar="PAYLOAD", help="file with one; - reads standard input; default: the preset's sample"),
    ] = None,
    header: Annotated[
        list[str] | None, typer.Option("--header", "-H", help="of the payload, such as 'X-GitHub-Event: push'")
    ] = None,
    form: Annotated[bool, typer.Option("--form", help="the payload is a form")] = False,
    as_json: AsJson = False,
    config: Config = None,
    set_: Set = None,
) -> None:
    """Show the jobs that a payload becomes, sent by nobody; its signature is not looked at."""
    settings = settings_of(config, set_)
    hook = _hook(name, settings)
    delivery = hook.preset.sample.delivery
    if payload is not None:
        delivery = Delivery("POST", "", {}, {"content-type": FORM if form else "application/json"}, read_file(payload))
    given = dict(_header(line) for line in header or [])
    delivery = replace(delivery, headers={**delivery.headers, **given})
    try:
        reading: Reading = hook.read(delivery, hook.payload(delivery), time.time())
        for job in reading.jobs:
            prepare(json.dumps(job).encode(), settings, "tried")
    except Refused as refusal:
        typer.echo(f"refused ({refusal.code}): {refusal}", err=True)
        if refusal.code == "event_unknown" and not given:
            typer.echo(
                "the event's name may come in a header: give it by -H, as in -H 'X-GitHub-Event: push'", err=True
            )
        raise typer.Exit(1) from None
    if as_json:
        told = {"event": reading.event, "delivery": reading.delivery, "jobs": reading.jobs}
        typer.echo(json.dumps(told, ensure_ascii=False, indent=2))
    else:
        typer.echo("\n".join(_lines(reading)))


def _lines(reading: Reading) -> list[str]:
    """Return what a delivery becomes for a person: as it reads in the chat, then where it goes."""
    lines = [f"event      {reading.event or '(none is named)'}", f"delivery   {reading.delivery}"]
    if not reading.jobs:
        why = "it only asks whether anybody is there" if reading.ping else "there is nothing to say of it"
        return [*lines, f"message    none: {why}"]
    targets = [f"group:{job['group_id']}" if "group_id" in job else f"private:{job['user_id']}" for job in reading.jobs]
    first = reading.jobs[0]
    lines += [f"goes to    {', '.join(targets)}", f"key        {first['key']}"]
    others = {"account": "account", "replaces": "collapse_key"}
    lines += [f"{word:<10} {first[field]}" for word, field in others.items() if field in first]
    return [*lines, "", *(f"  | {shown(line)}" for line in _as_read(first["message"]).split("\n"))]


def _as_read(message: Segments) -> str:
    """Return a message as it reads in a chat: text as it is, what is none as CQ codes."""
    return "".join(one["data"]["text"] if one["type"] == "text" else render_cq([one]) for one in message)


def _hook(name: str, settings: Settings) -> Hook:
    """Return the hook NAME of the settings, else one of the preset NAME."""
    try:
        known = hooks_of(settings)
    except SettingsInvalid as error:
        refuse(str(error))
    if name in known:
        return known[name]
    if name not in presets():
        named = f"hooks: {', '.join(known)}; " if known else ""
        refuse(f"there is no hook and no preset {name!r}; {named}presets: {', '.join(presets())}")
    return Hook.of_preset(name)


def _header(line: str) -> tuple[str, str]:
    name, colon, value = line.partition(":")
    if not colon or not name.strip():
        refuse(f"--header {line}: write 'Name: value'")
    return name.strip().lower(), value.strip()
