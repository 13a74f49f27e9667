"""How receipts are shown: as a table to a person, plain and stable to a pipe, and never able to move the cursor."""

import json
import sys
import unicodedata
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from gateway.model.receipt import Receipt

COLUMNS = ("job", "state", "target", "changed", "key", "what")
_WHOLE = frozenset({"job", "state", "target", "changed"})
_WIDE = 110  # characters of a terminal that has room for keys too
_COLOURS = {
    "delivered": "green",
    "rejected": "red",
    "dead": "red",
    "unconfirmed": "yellow",
    "unknown": "yellow",
    "expired": "magenta",
    "cancelled": "dim",
}


def console() -> Console:
    """Return the terminal; what is written there is never read as markup."""
    return Console(markup=False, highlight=False, emoji=False)


def shown(text: str) -> str:
    """Return TEXT, which others wrote, on one line: what a terminal would act on stands there as an escape."""
    return "".join(
        character
        if character.isprintable() or unicodedata.category(character) == "Zs"
        else character.encode("unicode_escape").decode("ascii")
        for character in text
    )


def clock(moment: datetime | None) -> str:
    """Return a time as people here say it, today's without the date; a pipe gets RFC 3339 in UTC."""
    if moment is None:
        return ""
    if not sys.stdout.isatty():
        return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    here = moment.astimezone()
    today = here.date() == datetime.now(UTC).astimezone().date()
    return here.strftime("%H:%M:%S" if today else "%Y-%m-%d %H:%M")


def how(receipt: Receipt) -> str:
    """Return why a job is where it is, or what came of it."""
    words = [word for word in (receipt.reason, receipt.code) if word]
    if receipt.eta is not None:
        words.append(f"until {clock(receipt.eta)}")
    if receipt.message_ids:
        words.append("message " + ", ".join(map(str, receipt.message_ids)))
    if receipt.parts.total > 1:
        words.append(f"{receipt.parts.delivered} of {receipt.parts.total} parts")
    if receipt.corrected:
        words.append("corrected")
    if receipt.recalled_at is not None:
        words.append(f"recalled {clock(receipt.recalled_at)}")
    if receipt.replay_of is not None:
        words.append(f"replay of {receipt.replay_of}")
    return shown("; ".join(words))


def row(receipt: Receipt) -> tuple[str, ...]:
    """Return a receipt as the cells of COLUMNS."""
    moment = clock(receipt.updated_at)
    return (receipt.id, receipt.state, shown(receipt.target), moment, shown(receipt.key or ""), how(receipt))


def coloured(state: str) -> Text:
    """Return a state in its colour."""
    return Text(state, style=_COLOURS.get(state, ""))


def as_line(receipt: Receipt, *, as_json: bool) -> None:
    """Write one receipt on a line: as JSON, or its cells with tabs between them."""
    typer.echo(to_json(receipt) if as_json else "\t".join(row(receipt)))


def as_table(receipts: Iterable[Receipt]) -> None:
    """Write receipts: a table to a terminal; to a pipe a line each, cells parted by tabs, under a line of names."""
    if not sys.stdout.isatty():
        typer.echo("\t".join(COLUMNS))
        for receipt in receipts:
            as_line(receipt, as_json=False)
        return
    screen = console()
    names = [name for name in COLUMNS if name != "key" or screen.width >= _WIDE]
    table = columns(*names)
    for receipt in receipts:
        cells = dict(zip(COLUMNS, map(Text, row(receipt)), strict=True)) | {"state": coloured(receipt.state)}
        table.add_row(*(cells[name] for name in names))
    screen.print(table)


def columns(*names: str) -> Table:
    """Return an empty table without a frame; an id is never broken, so that it can be copied."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in names:
        table.add_column(name, no_wrap=name in _WHOLE, overflow="fold")
    return table


def to_json(receipt: Receipt) -> str:
    """Return a receipt as the gateway writes it, on one line."""
    return json.dumps(receipt.model_dump(mode="json", exclude_none=True), ensure_ascii=True)


def timeline(receipt: Receipt) -> list[str]:
    """Return all that is known of a job, in the order in which it happened."""
    facts: Sequence[tuple[str, Any]] = [
        ("job", receipt.id),
        ("state", f"{receipt.state}{f' ({how(receipt)})' if how(receipt) else ''}"),
        ("target", f"{receipt.target} by {receipt.account}"),
        ("key", receipt.key),
        ("created", clock(receipt.created_at)),
        ("ended", clock(receipt.ended_at)),
        ("evidence", receipt.evidence),
        ("metadata", json.dumps(receipt.metadata, ensure_ascii=False) if receipt.metadata else None),
    ]
    lines = [f"{name:<9} {shown(str(value))}" for name, value in facts if value]
    for attempt in receipt.attempts or ():
        took = "no answer yet" if attempt.took_ms is None else f"{attempt.took_ms} ms"
        part = f" of part {attempt.part + 1}" if receipt.parts.total > 1 else ""
        numbers = " ".join(
            f"{name} {value}"
            for name, value in (("http", attempt.http_status), ("retcode", attempt.retcode), ("result", attempt.result))
            if value is not None
        )
        proved = f"{attempt.verdict} by {attempt.rule}" if attempt.verdict else "open"
        known = ", ".join(word for word in (took, numbers) if word)
        lines.append(shown(f"  {clock(attempt.began_at)}  attempt {attempt.n}{part}: {proved} ({known})"))
        if attempt.text:
            lines.append(f"      {shown(attempt.text)}")
    return lines
