"""`gateway status`: how a running gateway is, on one screen."""

import asyncio
import json
import sys
from collections.abc import Iterator
from contextlib import nullcontext, suppress
from typing import Annotated, Any, NoReturn

import typer
from rich.console import Group, RenderableType
from rich.live import Live
from rich.text import Text

from gateway.cli.asking import asks
from gateway.cli.showing import columns, console, shown
from gateway.cli.usage import AsJson
from gateway.client import Gateway, NotUnderstood
from gateway.model.duration import format_duration

_COLOURS = {"ok": "green", "degraded": "yellow", "down": "red"}
_STATES = {"unknown": "settling"}  # of what waits: an unknown reason would be none
_SHOWN = 10  # holds of an account
_EVERY_S = 2.0


@asks()
async def status(
    gateway: Gateway,
    watch: Annotated[bool, typer.Option("--watch", help="look again every two seconds, until Ctrl-C")] = False,
    as_json: AsJson = False,
) -> bool:
    """Show accounts, backlog, what is held, why, and what to do; 1 when the gateway is down."""
    if watch:
        with suppress(asyncio.CancelledError):
            await _watch(gateway, as_json=as_json)
        return True
    document = await gateway.status()
    _write(document, as_json=as_json)
    return document.get("status") != "down"


async def _watch(gateway: Gateway, *, as_json: bool) -> NoReturn:
    document = await gateway.status()
    on_screen = sys.stdout.isatty() and not as_json
    with Live(console=console(), auto_refresh=False) if on_screen else nullcontext() as live:
        while True:
            if live is not None:
                live.update(_screen(document), refresh=True)
            else:
                _write(document, as_json=as_json)
            await asyncio.sleep(_EVERY_S)
            document = await gateway.status()


def _write(document: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(document, ensure_ascii=True))
    elif sys.stdout.isatty():
        console().print(_screen(document))
    else:
        typer.echo("\n".join(_lines(document)))
    sys.stdout.flush()


def _screen(document: dict[str, Any]) -> RenderableType:
    """Return the status for a terminal."""
    word, *rest = _head(document)
    parts: list[RenderableType] = [Text.assemble((word, f"bold {_COLOURS.get(word, '')}"), "  ".join(["", *rest]))]
    for reason in _reasons(document):
        parts.append(Text.assemble(("! ", "bold yellow"), reason[0]))
        parts.append(Text(f"  {reason[1]}", style="dim"))
    for name, titles, rows in _TABLES:
        table = columns(name, *titles)
        for cells in rows(document):
            table.add_row(*map(Text, cells))
        if table.row_count:
            parts += [Text(""), table]
    return Group(*parts)


def _lines(document: dict[str, Any]) -> list[str]:
    """Return the status for a pipe: a line for each fact, what it is about first, parted by tabs."""
    lines = ["\t".join(["status", *_head(document)])]
    lines += ["\t".join(["reason", *reason]) for reason in _reasons(document)]
    return lines + ["\t".join([name, *cells]) for name, _, rows in _TABLES for cells in rows(document)]


def _head(document: dict[str, Any]) -> list[str]:
    try:
        redis, backlog, replicas = document["redis"], document["backlog"], document["replicas"]
        return [
            shown(document["status"]),
            f"version {shown(document['version'])}",
            f"up {format_duration(int(document['uptime_s']) * 1000)}",
            *([f"{backlog['queued']} queued"] if backlog else []),
            *(_oldest(backlog)),
            *([f"redis {shown(redis['version'])}"] if redis else []),
            *([f"{len(replicas)} replicas"] if len(replicas) > 1 else []),
        ]
    except (KeyError, TypeError, ValueError) as error:
        raise NotUnderstood(
            f"this is no status that this version knows ({error}); is it the address of a gateway?"
        ) from None


def _oldest(backlog: dict[str, Any]) -> list[str]:
    waits = backlog.get("oldest_waiting_ms")
    return [f"the oldest waits {_seconds(waits)}"] if waits else []


def _seconds(milliseconds: int | None) -> str:
    return format_duration(round((milliseconds or 0) / 1000) * 1000)


def _reasons(document: dict[str, Any]) -> list[tuple[str, str]]:
    return [
        (
            shown(": ".join(reason[name] for name in ("account", "source", "code", "detail") if reason.get(name))),
            shown(reason.get("advice", "")),
        )
        for reason in document.get("reasons", ())
    ]


def _accounts(document: dict[str, Any]) -> list[tuple[str, ...]]:
    return [
        (
            shown(name),
            shown(account.get("self_id") or "-"),
            _contact(account),
            *(str(account.get(field, "-")) for field in ("queued", "in_flight", "scheduled")),
            "/".join(str(number) for number in account.get("sent", {}).values()) or "-",
            "-" if account.get("unknown_share") is None else f"{account['unknown_share']:.1%}",
            ", ".join(f"{rate['used']} of {shown(rate['rate'])}" for rate in account.get("rates", ())) or "-",
            shown(str(account.get("events", {}).get("listening", "-"))),
            " ".join(f"{shown(state)} {number}" for state, number in (account.get("ended") or {}).items()) or "-",
        )
        for name, account in document.get("accounts", {}).items()
    ]


def _contact(account: dict[str, Any]) -> str:
    """Return how the NapCat of an account is, in a word."""
    if account.get("reachable") is False:
        return "unreachable"
    online = {True: "online", False: "offline"}.get(account.get("online"), "not known")  # type: ignore[arg-type]
    return online if account.get("breaker") == "closed" else f"{online}, paused"


def _backlog(document: dict[str, Any]) -> list[tuple[str, ...]]:
    return [
        (
            shown(lane["target"]),
            shown(lane["account"]),
            str(lane["queued"]),
            shown(lane.get("reason") or _STATES.get(lane["state"], lane["state"])),
            _seconds(lane.get("oldest_waiting_ms")),
            _until(lane["eta"]) if lane.get("eta") else "-",
        )
        for lane in document.get("backlog", {}).get("targets") or ()
    ]


def _sources(document: dict[str, Any]) -> list[tuple[str, ...]]:
    return [
        (shown(name), str(source["depth"]), _seconds(source.get("oldest_age_ms")), shown(source["reader"]))
        for name, source in document.get("sources", {}).items()
    ]


def _holds(document: dict[str, Any]) -> Iterator[tuple[str, ...]]:
    accounts = document.get("accounts", {})
    for name, account in accounts.items():
        holds = account.get("holds") or []
        for hold in holds[:_SHOWN]:
            target = shown(hold["target"])
            path = f"accounts/{name}/resume" if target == "account" else f"targets/{target.replace(':', '/')}/release"
            which = f"?account={name}" if len(accounts) > 1 and target != "account" else ""
            yield target, shown(name), shown(hold["reason"]), _until(hold["until"]), shown(f"POST /v1/{path}{which}")
        if len(holds) > _SHOWN:
            yield f"and {len(holds) - _SHOWN} more", shown(name), "", "", ""


def _until(moment: str) -> str:
    """Return when a hold ends; what has no end the gateway writes as the year 2100."""
    return "it is released" if moment >= "2100" else shown(moment)


_TABLES = (
    (
        "account",
        ("QQ", "is", "queued", "sending", "scheduled", "sent 1/5/60m", "unclear", "rates", "events", "ended"),
        _accounts,
    ),
    ("waits", ("account", "jobs", "why", "for", "until"), _backlog),
    ("hold", ("account", "why", "until", "ends it now"), _holds),
    ("source", ("entries", "oldest", "reader"), _sources),
)
"""What there is to tell: the name of each table, its further columns, and what makes its rows of a status."""
