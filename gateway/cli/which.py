"""Which jobs a command is about: the options by which they are found."""

from contextlib import suppress
from datetime import timedelta
from typing import Annotated, Any

import typer

from gateway.cli.showing import shown
from gateway.cli.usage import refuse
from gateway.model.duration import parse_duration
from gateway.model.instant import parse_instant

States = Annotated[str | None, typer.Option("--state", help="one, or several with commas between: dead,rejected")]
ToTarget = Annotated[str | None, typer.Option("--target", help="group:123 or private:456")]
Since = Annotated[str | None, typer.Option("--since", help="changed since: a time (RFC 3339), or how long ago: 2h")]
Until = Annotated[str | None, typer.Option("--until", help="changed until: a time, or how long ago")]


def wanted(
    state: str | None, target: str | None, account: str | None, since: str | None, until: str | None
) -> dict[str, Any]:
    """Return the options as the client takes them; ends the command where one is none."""
    return {
        "state": None if state is None else [one.strip() for one in state.split(",") if one.strip()],
        "target": target,
        "account": account,
        "since": _moment(since, "--since"),
        "until": _moment(until, "--until"),
    }


def _moment(text: str | None, option: str) -> timedelta | str | None:
    """Return how long ago is meant, or the text of a time."""
    if text is None:
        return None
    with suppress(ValueError):
        return timedelta(milliseconds=parse_duration(text))
    try:
        parse_instant(text)
    except ValueError as error:
        refuse(f"{option} {shown(text)}: write how long ago (2h), or a time: {error}")
    return text
