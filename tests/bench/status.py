"""/status costs what the accounts cost, not what waits in them.

100,000 jobs wait for as many targets, and some more behind one of them; then the status is asked for again and again:
each time long enough after the last that everything is looked at anew, and once more at once, which is answered from
memory.
"""

import argparse
import asyncio
import time
from itertools import chain

import aiohttp

from tests.bench.report import Bound, Report, percentile, spread
from tests.bench.world import world

_FRESH_S = 1.1
_MUST_MS = 20.0


def options(parser: argparse.ArgumentParser) -> None:
    """Add the options of this measurement."""
    parser.add_argument("--targets", type=int, default=100_000, help="targets with a queued job")
    parser.add_argument("--looks", type=int, default=20, help="how often everything is looked at anew")


async def measure(arguments: argparse.Namespace) -> Report:
    """Ask a gateway with a full Redis how it is."""
    report = Report(
        "status", f"{arguments.targets} targets wait", ("answer", "median ms (least-most)", "95 % within ms", "bytes")
    )
    jobs = ({"group_id": str(1 + number), "message": f"job {number}"} for number in range(arguments.targets))
    behind = ({"group_id": "1", "message": f"behind {number}"} for number in range(1_000))
    async with world(limits={"account": ["1/1h"], "group": ["1/1h"]}) as here, aiohttp.ClientSession() as session:
        await here.admit(chain(jobs, behind))
        (gateway,) = await here.start()
        anew: list[float] = []
        again: list[float] = []
        size = 0
        for _ in range(arguments.looks):
            await asyncio.sleep(_FRESH_S)
            for taken in (anew, again):
                began = time.perf_counter()
                async with session.get(f"{gateway.url}/status") as answer:
                    size = len(await answer.read())
                taken.append((time.perf_counter() - began) * 1000)
    for name, taken in (("looked at anew", anew), ("within the same second", again)):
        report.rows.append((name, spread(taken), percentile(taken, 95), size))
    report.bounds.append(Bound("95 % of looks, ms", percentile(anew, 95), _MUST_MS))
    return report
