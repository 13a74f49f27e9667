"""`python -m tests.bench NAME`: measure and print; the exit code is 1 when a bound was missed.

`all` is one measurement after the other, and `check` what `.ci/run` holds every change to. A measurement ends by
itself; one that does not is ended, and so is one that gets SIGTERM, with all it has started.
"""

import argparse
import asyncio
import json
import signal
import sys
from pathlib import Path
from typing import Any, Protocol

from tests.bench import (
    check,
    convert,
    dashboard,
    idle,
    intake,
    isolation,
    latency,
    limits,
    memory,
    scaling,
    scheduled,
    status,
    throughput,
)
from tests.bench.report import Report

_LONGEST = 900.0  # seconds a measurement may take


class _Bench(Protocol):
    """A module with one measurement."""

    __doc__: str | None

    def options(self, parser: argparse.ArgumentParser, /) -> None: ...

    async def measure(self, arguments: argparse.Namespace, /) -> Report: ...


_ALL: dict[str, _Bench] = {
    "throughput": throughput,
    "latency": latency,
    "limits": limits,
    "isolation": isolation,
    "memory": memory,
    "scaling": scaling,
    "idle": idle,
    "intake": intake,
    "convert": convert,
    "dashboard": dashboard,
    "scheduled": scheduled,
    "status": status,
}
_BENCHES: dict[str, _Bench] = {"check": check, **_ALL}


async def _bounded(bench: _Bench, arguments: argparse.Namespace) -> Report:
    measuring = asyncio.current_task()
    assert measuring is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, measuring.cancel)
    async with asyncio.timeout(_LONGEST):
        return await bench.measure(arguments)


def _add_options(parser: argparse.ArgumentParser, bench: _Bench | None) -> None:
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the numbers there, too")
    if bench is not None:
        bench.options(parser)


def _arguments_of(bench: _Bench) -> argparse.Namespace:
    """Return the arguments of a measurement that is given none."""
    parser = argparse.ArgumentParser()
    bench.options(parser)
    return parser.parse_args([])


def _told(bench: _Bench, arguments: argparse.Namespace) -> Report:
    """Measure and print."""
    report = asyncio.run(_bounded(bench, arguments))
    print(report, flush=True)  # noqa: T201
    return report


def main() -> None:
    """Run the measurement that is named, or all."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench")
    names = parser.add_subparsers(dest="name", required=True)
    _add_options(names.add_parser("all", description="One measurement after the other, each as it is by itself."), None)
    for name, bench in _BENCHES.items():
        one = names.add_parser(name, description=bench.__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
        _add_options(one, bench)
    arguments = parser.parse_args()
    try:
        if arguments.name == "all":
            reports = []
            for bench in _ALL.values():
                reports.append(_told(bench, _arguments_of(bench)))
                print()  # noqa: T201
                _write(arguments.json, [report.document() for report in reports])
        else:
            reports = [_told(_BENCHES[arguments.name], arguments)]
            _write(arguments.json, reports[0].document())
    except (asyncio.CancelledError, KeyboardInterrupt):
        sys.exit("ended before it was done; all it had started has ended, too")
    sys.exit(not all(report.met for report in reports))


def _write(file: Path | None, document: Any) -> None:
    if file is not None:
        file.write_text(json.dumps(document, ensure_ascii=False, indent=2) + "\n")


main()
