"""`python -m tests.bench NAME`: measure and print; the exit code is 1 when a bound was missed.

A measurement ends by itself; one that does not is ended, and so is one that gets SIGTERM, with all it has started.
"""

import argparse
import asyncio
import json
import signal
import sys
from pathlib import Path
from typing import Protocol

from tests.bench import convert, dashboard, isolation, limits, scheduled, status, targets, throughput
from tests.bench.report import Report

_LONGEST = 240.0  # seconds


class _Bench(Protocol):
    """A module with one measurement."""

    __doc__: str | None

    def options(self, parser: argparse.ArgumentParser, /) -> None: ...

    async def measure(self, arguments: argparse.Namespace, /) -> Report: ...


_BENCHES: dict[str, _Bench] = {
    "convert": convert,
    "dashboard": dashboard,
    "isolation": isolation,
    "limits": limits,
    "scheduled": scheduled,
    "status": status,
    "targets": targets,
    "throughput": throughput,
}


async def _bounded(bench: _Bench, arguments: argparse.Namespace) -> Report:
    measuring = asyncio.current_task()
    assert measuring is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, measuring.cancel)
    async with asyncio.timeout(_LONGEST):
        return await bench.measure(arguments)


def main() -> None:
    """Run the measurement that is named."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench")
    names = parser.add_subparsers(dest="name", required=True)
    for name, bench in _BENCHES.items():
        one = names.add_parser(name, description=bench.__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
        one.add_argument("--json", type=Path, metavar="FILE", help="write the numbers there, too")
        bench.options(one)
    arguments = parser.parse_args()
    try:
        report = asyncio.run(_bounded(_BENCHES[arguments.name], arguments))
    except (asyncio.CancelledError, KeyboardInterrupt):
        sys.exit("ended before it was done; all it had started has ended, too")
    print(report)  # noqa: T201
    if arguments.json:
        arguments.json.write_text(json.dumps(report.document(), ensure_ascii=False, indent=2) + "\n")
    sys.exit(not report.met)


main()
