"""A hundred thousand scheduled jobs, each alone on its target, are sent when they are due.

They are admitted beforehand by the gateway's own code, due at instants spread evenly over a minute; then one gateway is
started, as after a restart. Lateness runs from the due time to the moment the stub had the whole request, so claiming,
the wait for one of 64 calls, the POST and the stub's own work count in it. Due times are wall clock, arrivals
monotonic: the distance of the two clocks is taken before and after, and how far it moved is printed.
"""

import argparse
import asyncio
import time
from collections.abc import Iterator
from typing import Any

from gateway.model.instant import format_instant
from tests.bench.report import Bound, Report, percentile
from tests.bench.world import world

_MUST_MS = 20.0
_SLICES = 6
_BOOT_S = 6.0  # from the last admission to a gateway that is ready, with some to spare


def options(parser: argparse.ArgumentParser) -> None:
    """Add the options of this measurement."""
    parser.add_argument("--jobs", type=int, default=100_000)
    parser.add_argument("--seconds", type=float, default=60.0, help="over which they are due")
    parser.add_argument("--admitted", type=int, default=5_000, metavar="N", help="jobs a second admitted at the least")


async def measure(arguments: argparse.Namespace) -> Report:
    """Measure one schedule."""
    count, seconds = arguments.jobs, arguments.seconds
    report = Report(
        "scheduled",
        f"{count} jobs on as many targets, due over {seconds:.0f} s ({count / seconds:.0f}/s)",
        ("lateness", "p50 ms", "p99 ms", "worst ms", "earliest ms"),
    )
    async with world(account={"max_in_flight": 64}) as here:
        first_ms = round((time.time() + count / arguments.admitted + _BOOT_S) * 1000)
        dues = [first_ms + round(number * seconds * 1000 / count) for number in range(count)]
        began, offset = time.monotonic(), _wall_clock_ahead()
        await here.admit(_jobs(dues))
        admitted = time.monotonic() - began
        await here.start()
        early = first_ms / 1000 - time.time()
        if early < 0:
            raise RuntimeError(f"the first job was due {-early:.1f} s before a gateway ran; give a lower --admitted")
        await asyncio.sleep(early + seconds)
        await here.stub.has(count, deadline=60)
        moved = _wall_clock_ahead() - offset
        seen = await here.stub.seen()
    assert len({one.group for one in seen}) == len(seen) == count, "each was sent, and sent once"
    lateness = [((one.at + offset) * 1000 - int(one.text), int(one.text) - first_ms) for one in seen]
    every = [late for late, _ in lateness]
    report.rows.append(_row("all", every))
    length = seconds * 1000 / _SLICES
    for slice_ in range(_SLICES):
        begin, end = slice_ * length, (slice_ + 1) * length
        late = [late for late, due in lateness if begin <= due < end]
        report.rows.append(_row(f"due in seconds {begin / 1000:.0f} to {end / 1000:.0f}", late))
    report.bounds += [
        Bound("p99 of the lateness, ms", percentile(every, 99), _MUST_MS),
        Bound("the earliest against its due time, ms", min(every), 0, at_least=True),
    ]
    report.notes += [
        f"admitted in {admitted:.1f} s ({count / admitted:.0f}/s)",
        f"the two clocks moved by {moved * 1000:.3f} ms against each other",
    ]
    return report


def _jobs(dues: list[int]) -> Iterator[dict[str, Any]]:
    """Yield a job for each due time (epoch milliseconds), which is also its text."""
    for number, due in enumerate(dues, 1):
        yield {"group_id": str(number), "message": str(due), "not_before": format_instant(due)}


def _row(name: str, late: list[float]) -> tuple[str, float, float, float, float]:
    return name, percentile(late, 50), percentile(late, 99), max(late), min(late)


def _wall_clock_ahead() -> float:
    """Return by how many seconds the wall clock is ahead of the monotonic one."""
    before, wall, after = time.monotonic(), time.time(), time.monotonic()
    return wall - (before + after) / 2
