"""`gateway send --file`: every job of a file, each once, however often it is begun anew."""

import asyncio
import json
import os
import stat
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import typer
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TaskProgressColumn,
    TextColumn,
    TimeRemainingColumn,
)

from gateway.cli.asking import error_lines
from gateway.cli.lines import Line, Lines
from gateway.cli.showing import shown
from gateway.cli.usage import refuse
from gateway.client import Gateway, NotUnderstood, Refused, Submitted, Unavailable

_TOLD = 100  # refused lines told on the terminal
_UNREACHABLE_S = 60.0  # so long nobody may answer before it is given up
_FIRST_PAUSE_S = 0.5
_LONGEST_PAUSE_S = 5.0


@dataclass
class Tally:
    """What became of the lines so far."""

    taken: int = 0
    duplicates: int = 0
    refused: int = 0
    derived: int = 0  # duplicates whose key was made here


def send_file(path: Path, url: str, key: str | None, refused: Path | None, run: str, *, as_json: bool) -> int:
    """Send the job on each line of PATH and return the exit code: 0 when all were taken, now or before.

    What is wrong with a line is told on standard error, and the line goes to the file REFUSED. While the gateway says
    that it takes nothing, it is waited for; when it cannot be reached for a minute, or on Ctrl-C, it is told how many
    lines are left. Begun anew with the same file, nothing is sent twice.
    """
    with ExitStack() as stack:
        lines = Lines(_opened(path, stack), run)
        rejects = _writable(refused, path, stack) if refused is not None else None
        sending = _Sending(lines, rejects)
        trouble: str | None = None
        try:
            asyncio.run(sending.run(url, key))
        except KeyboardInterrupt:
            trouble = "stopped"
        except (Refused, Unavailable, NotUnderstood) as error:
            trouble = "\n".join(error_lines(error))
        except OSError as error:
            trouble = f"a file cannot be read or written: {error.strerror}"
        left = _left(path, sending) if trouble else 0
        _summarise(sending.tally, left, trouble, as_json=as_json, run=run, again=str(path) != "-")
        return 0 if trouble is None and not sending.tally.refused else 1


class _Sending:
    """One pass over the lines."""

    def __init__(self, lines: Lines, rejects: BinaryIO | None) -> None:
        self.tally = Tally()
        self.unsure = 0
        """Lines that are being tried: when it ends now, nobody knows of them."""
        self._lines = lines
        self._rejects = rejects
        self._progress: Progress | None = None
        self._bar: TaskID | None = None
        self._waiting = ""
        self._done = 0  # bytes of the lines that were dealt with

    async def run(self, url: str, key: str | None) -> None:
        """Send line after line, a few hundred in one call."""
        terminal = Console(stderr=True, markup=False, highlight=False)
        size = self._lines.size
        columns = (
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            TaskProgressColumn(),
            MofNCompleteColumn() if size is None else TimeRemainingColumn(),
        )
        with Progress(*columns, console=terminal, disable=not terminal.is_terminal, transient=True) as progress:
            self._progress, self._bar = progress, progress.add_task("", total=size)
            # Repeating is done here, line by line, where it can be shown.
            async with Gateway(base_url=url, key=key, patience=0) as gateway:
                async for bundle in self._lines.bundles():
                    await self._send(gateway, bundle)

    async def _send(self, gateway: Gateway, lines: Sequence[Line]) -> None:
        refusals = [(line, line.job) for line in lines if isinstance(line.job, Refused)]
        pending = [(line, line.job) for line in lines if not isinstance(line.job, Refused)]
        self.unsure, pause, silent, lost = len(pending), _FIRST_PAUSE_S, 0.0, False
        while True:
            outcomes = await gateway.batch([job for _, job in pending])
            later: list[tuple[Line, dict[str, Any]]] = []
            why: Unavailable | None = None
            for (line, job), outcome in zip(pending, outcomes, strict=True):
                if isinstance(outcome, Unavailable):
                    later.append((line, job))
                    why = why or outcome
                elif isinstance(outcome, Submitted):
                    self._take(line, outcome, lost=lost)
                else:
                    refusals.append((line, outcome))
            for line, refusal in sorted(refusals, key=lambda one: one[0].number):
                self._refuse(line, refusal)
            refusals = []
            pause = _FIRST_PAUSE_S if len(later) < len(pending) else pause
            pending, self.unsure = later, len(later)
            self._show(why)
            if why is None:
                break
            lost = lost or why.code == "unreachable"
            silent = silent + pause if why.code == "unreachable" else 0.0
            if silent > _UNREACHABLE_S:
                raise why
            await asyncio.sleep(max(pause, why.retry_after or 0.0))
            pause = min(pause * 2, _LONGEST_PAUSE_S)
        self._done += sum(len(line.raw) + 1 for line in lines)
        self._show(None)

    def _take(self, line: Line, submitted: Submitted, *, lost: bool) -> None:
        """Count a line; one that had been taken when an answer was LOST is most likely taken by that very try."""
        if lost or not submitted.duplicate:
            self.tally.taken += 1
            return
        self.tally.duplicates += 1
        self.tally.derived += not line.has_key

    def _refuse(self, line: Line, refusal: Refused) -> None:
        self.tally.refused += 1
        if self._rejects is not None and line.raw:
            self._rejects.write(line.raw + b"\n")
        if self.tally.refused > _TOLD:
            return
        faults = [f"{shown(fault.loc)}: {shown(fault.msg)}" for fault in refusal.errors] or [shown(refusal.detail)]
        self._tell(f"line {line.number}: refused ({shown(refusal.code)})")
        for fault in faults:
            self._tell(f"  {fault}")
        if self.tally.refused == _TOLD:
            self._tell(
                "  more refused lines are only counted" + ("" if self._rejects else "; --refused FILE keeps them")
            )

    def _show(self, why: Unavailable | None) -> None:
        tally = self.tally
        waiting = "" if why is None else f"waiting: {shown(why.detail)}"
        if self._progress is not None and self._bar is not None:
            words = [f"{tally.taken} taken", f"{tally.duplicates} duplicates", f"{tally.refused} refused"]
            shown_now = ", ".join(words) + (f"  {waiting[:60]}" if waiting else "")
            self._progress.update(self._bar, description=shown_now, completed=self._done)
            if self._progress.disable and waiting and waiting != self._waiting:
                self._tell(waiting)
        self._waiting = waiting

    def _tell(self, line: str) -> None:
        """Write LINE to standard error, above the bar where there is one."""
        if self._progress is not None and not self._progress.disable:
            self._progress.console.print(line, soft_wrap=True)
        else:
            typer.echo(line, err=True)


def _summarise(tally: Tally, left: int, trouble: str | None, *, as_json: bool, run: str, again: bool) -> None:
    counts = {"taken": tally.taken, "duplicates": tally.duplicates, "refused": tally.refused, "not_tried": left}
    if as_json:
        typer.echo(json.dumps(counts))
    else:
        typer.echo(", ".join(f"{number} {name.replace('_', ' ')}" for name, number in counts.items()))
    if trouble is not None:
        typer.echo(trouble, err=True)
        if again:
            typer.echo("to go on, give the same command again: what was taken is not sent twice", err=True)
        else:
            typer.echo("to go on, send the same lines again: what was taken is not sent twice", err=True)
    if tally.derived:
        other = "another name" if run else "a name"
        typer.echo(
            f"{tally.derived} lines were sent before and are not sent twice; --run with {other} sends them once more",
            err=True,
        )


def _left(path: Path, sending: _Sending) -> int:
    """Return how many lines were not tried, or nobody knows of; of a pipe only the latter."""
    told = sending.tally.taken + sending.tally.duplicates + sending.tally.refused
    try:
        with path.open("rb") as file:
            if stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                return max(sum(1 for line in file if line.strip()) - told, 0)
    except OSError:
        pass
    return sending.unsure


def _opened(path: Path, stack: ExitStack) -> int:
    """Return the descriptor of the file to read."""
    if str(path) == "-":
        return sys.stdin.fileno()
    try:
        return stack.enter_context(path.open("rb", buffering=0)).fileno()
    except OSError as error:
        refuse(f"--file {path}: cannot be read ({error.strerror}); name a file with a job on each line, or -")


def _writable(path: Path, source: Path, stack: ExitStack) -> BinaryIO:
    try:
        if path.exists() and source.exists() and path.samefile(source):
            refuse(f"--refused {path}: is the file that is being sent; name another")
        return stack.enter_context(path.open("wb"))
    except OSError as error:
        refuse(f"--refused {path}: cannot be written ({error.strerror})")
