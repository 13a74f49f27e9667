"""`gateway status`: how a running gateway is, on one screen."""

import asyncio
import json
import sys
from typing import Annotated, Any

import typer
from rich.console import Group, RenderableType
from rich.live import Live
from rich.text import Text

from gateway.cli.asking import URL, ApiKey, AsJson, KeyFile, Url, ask
from gateway.cli.showing import columns, console, shown
from gateway.client import Gateway, NotUnderstood
from gateway.model.duration import format_duration

_COLOURS = {"ok": "green", "degraded": "yellow", "down": "red"}
_ACCOUNT = ("QQ", "is", "queued", "sending", "later", "sent 1/5/60m", "unclear", "rates", "events", "ended")
_WAITS = ("account", "jobs", "why", "for", "until")
_HELD = ("account", "why", "until")
_SOURCE = ("entries", "oldest", "reader")
_SHOWN = 10  # holds of an account
_EVERY_S = 2.0


def status(
    watch: Annotated[bool, typer.Option("--watch", help="look again every two seconds, until Ctrl-C")] = False,
    as_json: AsJson = False,
    url: Url = URL,
    key_file: KeyFile = None,
    api_key: ApiKey = None,
) -> None:
    """Show how the gateway is: accounts, backlog, what is held and why, and what to do; 1 when it is down."""

    async def talk(gateway: Gateway) -> bool:
        document = await gateway.status()
        if watch and sys.stdout.isatty() and not as_json:
            with Live(_screen(document), console=console(), screen=False, auto_refresh=False) as live:
                while True:
                    await asyncio.sleep(_EVERY_S)
                    live.update(_screen(await gateway.status()), refresh=True)
        _write(document, as_json=as_json)
        while watch:
            await asyncio.sleep(_EVERY_S)
            document = await gateway.status()
            _write(document, as_json=as_json)
        return document.get("status") != "down"

    ask(url, key_file, talk, endless=watch)


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
    for title, names, rows in (
        ("account", _ACCOUNT, _accounts(document)),
        ("waits", _WAITS, _backlog(document)),
        ("held", _HELD, _holds(document)),
        ("source", _SOURCE, _sources(document)),
    ):
        table = columns(title, *names)
        for cells in rows:
            table.add_row(*map(Text, cells))
        if table.row_count:
            parts += [Text(""), table]
    return Group(*parts)


def _lines(document: dict[str, Any]) -> list[str]:
    """Return the status for a pipe: a line for each fact, what it is about first, parted by tabs."""
    lines = ["\t".join(["status", *_head(document)])]
    lines += ["\t".join(["reason", *reason]) for reason in _reasons(document)]
    lines += ["\t".join(["account", *cells]) for cells in _accounts(document)]
    lines += ["\t".join(["waits", *cells]) for cells in _backlog(document)]
    lines += ["\t".join(["hold", *cells]) for cells in _holds(document)]
    return lines + ["\t".join(["source", *cells]) for cells in _sources(document)]


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
            " ".join(f"{rate['used']}/{shown(rate['rate'])}" for rate in account.get("rates", ())) or "-",
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
            shown(lane.get("reason") or lane["state"]),
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


def _holds(document: dict[str, Any]) -> list[tuple[str, ...]]:
    found: list[tuple[str, ...]] = []
    for name, account in document.get("accounts", {}).items():
        holds = account.get("holds") or []
        found += [
            (shown(hold["target"]), shown(name), shown(hold["reason"]), _until(hold["until"]))
            for hold in holds[:_SHOWN]
        ]
        if len(holds) > _SHOWN:
            found.append((f"and {len(holds) - _SHOWN} more", shown(name), "", ""))
    return found


def _until(moment: str) -> str:
    """Return when a hold ends; what has no end the gateway writes as the year 2100."""
    return "it is released" if moment >= "2100" else shown(moment)
