"""`gateway send`: one message, or a file of jobs."""

import json
import secrets
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from gateway.cli.asking import URL, ApiKey, KeyFile, Url, api_key, ask, error_lines
from gateway.cli.send_file import send_file
from gateway.cli.showing import how, shown, to_json
from gateway.cli.usage import AsJson, refuse
from gateway.client import Forbidden, Gateway, Submitted, Unavailable
from gateway.model.duration import parse_duration
from gateway.model.errors import Refused
from gateway.model.target import parse_target

_API_KEY = "gw_"


def send(
    where: Annotated[str | None, typer.Argument(metavar="TARGET", help="group:123 or private:456")] = None,
    text: Annotated[str | None, typer.Argument(metavar="TEXT", help="what to say; - reads standard input")] = None,
    segments: Annotated[
        str | None,
        typer.Option("--segments", help="a message of segments: JSON, a file of it, or - for standard input"),
    ] = None,
    file: Annotated[
        Path | None, typer.Option("--file", help="a job on each line, as JSON; - reads standard input")
    ] = None,
    form: Annotated[str | None, typer.Option("--format", help="text (default), or cq: the text has CQ codes")] = None,
    account: Annotated[str | None, typer.Option("--account", help="which NapCat")] = None,
    key: Annotated[
        str | None, typer.Option("--key", help="idempotency key: sent once, however often it is tried")
    ] = None,
    priority: Annotated[str | None, typer.Option("--priority", help="high, normal or low")] = None,
    delay: Annotated[str | None, typer.Option("--delay", help="wait so long first: 90s, 2h")] = None,
    not_before: Annotated[str | None, typer.Option("--not-before", help="wait for this time (RFC 3339)")] = None,
    ttl: Annotated[str | None, typer.Option("--ttl", help="do not send it any more after so long")] = None,
    expires_at: Annotated[
        str | None, typer.Option("--expires-at", help="do not send it any more after this time")
    ] = None,
    requester: Annotated[str | None, typer.Option("--requester", help="the QQ user it is sent for")] = None,
    collapse_key: Annotated[
        str | None, typer.Option("--collapse-key", help="replaces a job of this key that was not sent yet")
    ] = None,
    on_unknown: Annotated[str | None, typer.Option("--on-unknown", help="hold or resend")] = None,
    split: Annotated[str | None, typer.Option("--split", help="auto or refuse")] = None,
    via: Annotated[
        str | None, typer.Option("--via", metavar="GROUP", help="a private message by way of a group you share")
    ] = None,
    metadata: Annotated[str | None, typer.Option("--metadata", help="a JSON object, returned in receipts")] = None,
    wait: Annotated[
        str | None, typer.Option("--wait", help="wait so long for the end (20s); 1 unless it is delivered")
    ] = None,
    refused: Annotated[
        Path | None, typer.Option("--refused", help="with --file: where refused lines go, to be mended and sent")
    ] = None,
    run: Annotated[
        str, typer.Option("--run", help="with --file: a name that makes lines sent before be sent once more")
    ] = "",
    as_json: AsJson = False,
    url: Url = URL,
    key_file: KeyFile = None,
    _api_key: ApiKey = None,
) -> None:
    """Send a message to a group or a person, or every job in a file.

    A line of a file that was sent before is not sent twice.
    """
    options = {
        "format": form,
        "account": account,
        "key": key,
        "priority": priority,
        "delay": delay,
        "not_before": not_before,
        "ttl": ttl,
        "expires_at": expires_at,
        "requester": requester,
        "collapse_key": collapse_key,
        "on_unknown": on_unknown,
        "split": split,
        "metadata": None if metadata is None else _json(metadata, "--metadata"),
    }
    fields = {name: value for name, value in options.items() if value is not None}
    if file is not None:
        if where is not None or segments is not None or wait is not None or via is not None or fields:
            refuse("--file has whole jobs, one a line, with all their fields: give nothing but --run and --refused")
        raise typer.Exit(send_file(file, url, api_key(key_file), refused, run, as_json=as_json))
    if refused is not None or run:
        refuse("--refused and --run go with --file")
    if (key or "").startswith(_API_KEY):
        refuse("--key is the idempotency key of the job; for an API key set GATEWAY_KEY or use --key-file")
    if wait is not None:
        _check_wait(wait)
    message = _message(where, text, segments)
    job = {**_where(where or "", via), "message": message, "key": secrets.token_urlsafe(16), **fields}
    ask(url, key_file, lambda gateway: _send(gateway, job, wait, as_json=as_json), patience=5.0)


async def _send(gateway: Gateway, job: dict[str, Any], wait: str | None, *, as_json: bool) -> bool:
    try:
        submitted = await gateway.send(job)
    except Unavailable as error:
        error.add_note(f"it may have been taken all the same: to try again, and not twice, give --key {job['key']}")
        raise
    if wait is None:
        _tell(submitted, as_json=as_json)
        return True
    try:
        receipt = await gateway.receipt(submitted, wait=wait)
    except (Forbidden, Unavailable) as error:
        _tell(submitted, as_json=as_json)
        typer.echo(f"it is taken, but its end cannot be told: {error_lines(error)[0]}", err=True)
        return False
    if as_json:
        typer.echo(to_json(receipt))
    else:
        typer.echo("\t".join(word for word in (receipt.id, receipt.state, how(receipt)) if word))
    if receipt.ended_at is None:
        typer.echo(f"it has not ended within {wait}; follow it: gateway jobs watch {receipt.id}", err=True)
    return receipt.state == "delivered"


def _tell(submitted: Submitted, *, as_json: bool) -> None:
    if as_json:
        typer.echo(submitted.model_dump_json(exclude_none=True))
    else:
        again = "\tduplicate: it was taken before" if submitted.duplicate else ""
        typer.echo(f"{submitted.id}\t{submitted.state}{again}")


def _check_wait(wait: str) -> None:
    """End the command when WAIT is no duration, before anything is sent."""
    try:
        parse_duration(wait)
    except ValueError as error:
        refuse(f"--wait {shown(wait)}: {error}")


def _where(target: str, via: str | None) -> dict[str, Any]:
    try:
        kind, number = parse_target(target)
    except Refused as refusal:
        refuse(shown(refusal.detail))
    if via is None:
        return {"group_id" if kind == "group" else "user_id": number}
    if kind == "group":
        refuse("--via is for a person: gateway send private:456 --via 123 …")
    return {"user_id": number, "group_id": via.removeprefix("group:"), "temp_session": True}


def _message(where: str | None, text: str | None, segments: str | None) -> Any:
    if where is None:
        refuse('say where and what: gateway send group:123 "hello", or --file jobs.jsonl')
    if (text is None) == (segments is None):
        refuse("say what to send: a text (- reads it), or --segments")
    if text is not None:
        # The shell's line break at the end is not part of what somebody says.
        return _decoded(sys.stdin.buffer.read(), "standard input").removesuffix("\n") if text == "-" else text
    assert segments is not None  # noqa: S101 - one of them is given
    if segments == "-":
        return _json(_decoded(sys.stdin.buffer.read(), "standard input"), "--segments")
    if segments.lstrip()[:1] in {"[", "{"}:
        return _json(segments, "--segments")
    try:
        raw = Path(segments).read_bytes()
    except OSError as error:
        refuse(f"--segments {segments}: cannot be read ({error.strerror}); give JSON, or a file of it")
    return _json(_decoded(raw, segments), "--segments")


def _decoded(raw: bytes, name: str) -> str:
    try:
        return raw.decode("utf-8")
    except UnicodeError as error:
        refuse(f"{name}: {error}; write it in UTF-8")


def _json(text: str, option: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        refuse(f"{option}: this is no JSON ({error})")
