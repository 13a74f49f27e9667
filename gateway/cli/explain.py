"""`gateway explain`: what becomes of a job, or what an answer proves, without sending anything."""

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from gateway.cli.showing import shown
from gateway.cli.usage import AsJson, Config, Set, read_file, refuse, settings_of
from gateway.explain import explain_job, explain_reply
from gateway.model.errors import Refused
from gateway.model.verdict import Implementation
from gateway.settings import Settings

_SHOWN = 2_000  # characters of a long body on a terminal


def explain(
    job: Annotated[
        Path | None, typer.Argument(metavar="JOB", help="file with one job as JSON; - reads standard input")
    ] = None,
    reply: Annotated[str | None, typer.Option("--reply", help="an answer of NapCat instead; - reads it")] = None,
    http_status: Annotated[
        int | None, typer.Option("--http-status", min=100, max=599, help="with --reply: the answer's status, else 200")
    ] = None,
    over_ws: Annotated[bool, typer.Option("--ws", help="with --reply: it came over WebSocket")] = False,
    implementation: Annotated[
        Implementation | None, typer.Option("--from", help="with --reply: the program that answered, where it matters")
    ] = None,
    nodes: Annotated[bool, typer.Option("--nodes", help="with --reply: the call was a merged forward")] = False,
    as_json: AsJson = False,
    config: Config = None,
    set_: Set = None,
) -> None:
    """Show what becomes of a job, or what an answer of NapCat proves; sends nothing.

    A job is shown as its calls, byte for byte, or as its refusal.
    """
    if (job is None) == (reply is None):
        refuse("name a file with a job (- for standard input), or give --reply with an answer of NapCat")
    if job is not None and (http_status is not None or nodes or over_ws or implementation is not None):
        refuse("--http-status, --ws, --from and --nodes go with --reply")
    if over_ws and http_status is not None:
        refuse("an answer over WebSocket has no HTTP status: give --ws or --http-status")
    settings = settings_of(config, set_)
    if job is not None:
        told = _explained(read_file(job), settings, as_json=as_json)
        lines = _job_lines(told, cut=sys.stdout.isatty())
    else:
        body = read_file(Path("-")) if reply == "-" else (reply or "").encode("utf-8", "surrogateescape")
        status = None if over_ws else http_status or 200
        told = explain_reply(body, status, settings, nodes=nodes, implementation=implementation)
        lines = _reply_lines(told)
    typer.echo(json.dumps(told, ensure_ascii=False, indent=2) if as_json else "\n".join(map(shown, lines)))


def _explained(raw: bytes, settings: Settings, *, as_json: bool) -> dict[str, Any]:
    """Return the job in RAW explained; ends the command with its refusal."""
    try:
        return explain_job(raw, settings)
    except Refused as refusal:
        if as_json:
            typer.echo(json.dumps(asdict(refusal), ensure_ascii=False, indent=2))
        typer.echo(f"refused ({refusal.code})" + ("" if refusal.errors else f": {refusal.detail}"), err=True)
        for fault in refusal.errors:
            typer.echo(f"  {fault.loc}: {fault.msg}", err=True)
        raise typer.Exit(1) from None


def _job_lines(told: dict[str, Any], *, cut: bool) -> list[str]:
    """Return an explained job for a person; each body stands alone on its line, whole unless CUT."""
    parts = told["parts"]
    rates = "; ".join(f"{scope} {', '.join(rates) or 'none'}" for scope, rates in told["rates"].items())
    lines = [
        f"account    {told['account']}",
        f"lane       {told['lane']}, priority {told['priority']}",
        f"goes       {told['goes']}",
        f"rates      {rates}",
        *(f"{name:<10} {told[name]}" for name in ("key", "requester") if told[name]),
    ]
    for number, part in enumerate(parts, 1):
        lines += [
            "",
            f"part {number} of {len(parts)}: {part['by']} {part['url']}, {len(part['body'])} bytes; NapCat waits "
            f"{part['napcat_waits']}, the gateway {part['gateway_waits']}",
            *(f"  | {line}" for line in _shortened(part["reads"], cut).split("\n")),
            _shortened(part["body"], cut),
        ]
    return lines


def _reply_lines(told: dict[str, Any]) -> list[str]:
    """Return an explained answer for a person."""
    conditions = ", ".join(f"{name} {value}" for name, value in told["matched"].items())
    read = ", ".join(f"{name} {told[name]}" for name in ("http_status", "retcode", "result") if told[name] is not None)
    lines = [
        f"verdict  {told['verdict']}: {told['proves']}",
        f"rule     {told['rule']} ({told['from']})" + (f": {conditions}" if conditions else ""),
        f"waits    {told['waits']}",
        f"read     {read}" + (f": {told['text']}" if told["text"] else ""),
    ]
    return lines + [f"{name:<8} {told[name]}" for name in ("effect", "advice") if told[name]]


def _shortened(text: str, cut: bool) -> str:
    if not cut or len(text) <= _SHOWN:
        return text
    return f"{text[:_SHOWN]}… ({len(text) - _SHOWN} more; a pipe or --json shows all)"
