"""What a measurement found: its bounds first, then its numbers, then the machine they come from."""

import math
import os
import platform
import statistics
import subprocess
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from gateway.store.embedded import find_server


class Spread(NamedTuple):
    """The same thing measured several times."""

    median: float
    least: float
    most: float

    def __str__(self) -> str:
        return f"{_short(self.median)} ({_short(self.least)}–{_short(self.most)})"


def spread(values: Sequence[float]) -> Spread:
    """Return median, least and most of VALUES."""
    return Spread(statistics.median(values), min(values), max(values))


def percentile(values: Sequence[float], percent: float) -> float:
    """Return the smallest of VALUES that PERCENT of them do not exceed."""
    return sorted(values)[max(0, math.ceil(len(values) * percent / 100) - 1)]


Cell = str | int | float | Spread


@dataclass(frozen=True)
class Bound:
    """A number that has to stay on one side of another."""

    what: str
    measured: float
    must: float
    at_least: bool = False

    @property
    def met(self) -> bool:
        """Whether it does."""
        return self.measured >= self.must if self.at_least else self.measured <= self.must

    def __str__(self) -> str:
        sign = "≥" if self.at_least else "≤"
        return (
            f"{'met   ' if self.met else 'MISSED'}  {self.what}: {_short(self.measured)} (must be {sign} {self.must})"
        )


class _Usage(NamedTuple):
    """Seconds of CPU: of all programs, and of this one with its children that have ended, up to a moment."""

    at: float
    everybody: float
    ours: float


def _usage() -> _Usage:
    user, nice, system, _idle, _iowait, *interrupts_and_stolen = map(
        int, Path("/proc/stat").read_text().splitlines()[0].split()[1:9]
    )
    busy = (user + nice + system + sum(interrupts_and_stolen)) / os.sysconf("SC_CLK_TCK")
    times = os.times()
    return _Usage(time.monotonic(), busy, sum(times[:4]))


@dataclass
class Report:
    """One measurement: `subject` in a line, bounds, a table, and notes on what else was seen."""

    name: str
    subject: str
    columns: tuple[str, ...]
    rows: list[tuple[Cell, ...]] = field(default_factory=list)
    bounds: list[Bound] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    began: _Usage = field(default_factory=_usage)

    @property
    def met(self) -> bool:
        """Whether every bound was met."""
        return all(bound.met for bound in self.bounds)

    def __str__(self) -> str:
        table = [self.columns, *(tuple(map(_shown, row)) for row in self.rows)]
        widths = [max(map(len, column)) for column in zip(*table, strict=True)]
        lines = [f"{self.name}: {self.subject}", *(f"  {bound}" for bound in self.bounds), ""]
        for first, *others in table:
            cells = [first.ljust(widths[0])]
            cells += [cell.rjust(width) for cell, width in zip(others, widths[1:], strict=True)]
            lines.append("  " + "   ".join(cells))
        return "\n".join([*lines, "", *(f"  {note}" for note in self.notes), self.machine()])

    def document(self) -> dict[str, Any]:
        """Return the same for programs; a spread is `{median, least, most}`."""

        def plain(cell: Cell) -> Any:
            return cell._asdict() if isinstance(cell, Spread) else cell

        return {
            "name": self.name,
            "subject": self.subject,
            "bounds": [{**asdict(bound), "met": bound.met} for bound in self.bounds],
            "rows": [dict(zip(self.columns, map(plain, row), strict=True)) for row in self.rows],
            "notes": self.notes,
            "machine": self.machine(),
        }

    def machine(self) -> str:
        """Name cores, what else they did since the measurement began, Python and the server program."""
        words = subprocess.run([find_server(), "--version"], capture_output=True, text=True, check=True).stdout.split()
        version = next(word.removeprefix("v=") for word in words if word.startswith("v="))
        now = _usage()
        others = (now.everybody - now.ours - self.began.everybody + self.began.ours) / (now.at - self.began.at)
        return (
            f"machine: {os.cpu_count()} cores, of which other programs used {max(0.0, others):.2f} meanwhile; "
            f"Python {platform.python_version()}, {words[0]} server {version}"
        )


def _shown(cell: Cell) -> str:
    return _short(cell) if isinstance(cell, float) else str(cell)


def _short(value: float) -> str:
    """Spell VALUE with as many digits as mean something here."""
    return f"{value:.0f}" if abs(value) >= 1000 or value == int(value) else f"{value:.3g}"
