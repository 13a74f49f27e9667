"""How many jobs a second get in, by each way, and what that costs.

The account's rate is one send an hour, so that nearly nothing goes out, and what is measured is the way in: one
`POST /v1/jobs` a job with 64 at once, batches of 100 with 8 at once (both by a client in its own process, which waits
for each answer), and the stream, from the first push until it is read up. Beside them the bare loop posts to the stub,
which is what a client can do at most. Turn by turn in one run.
"""

import argparse
import json
import time

from tests.bench import turns
from tests.bench.jobs import AT_ONCE, job
from tests.bench.program import ours
from tests.bench.report import Report, spread
from tests.bench.turns import Turn
from tests.bench.world import World, world

_BATCH = 100
_BATCHES_AT_ONCE = 8
_BARE = "bare loop (posts to the stub)"
_CLOSED = {"account": ["1/1h"], "group": ["10000/1s"], "user": ["10000/1s"]}


def options(parser: argparse.ArgumentParser) -> None:
    """Add the options of this measurement."""
    parser.add_argument("--jobs", type=int, default=6_000, help="of a turn")
    parser.add_argument("--rounds", type=int, default=3)


async def measure(arguments: argparse.Namespace) -> Report:
    """Measure ROUNDS turns of every way, after one that warms up."""
    report = Report(
        "intake",
        f"{arguments.jobs} jobs a turn, {arguments.rounds} rounds",
        ("way", "÷ bare loop", "jobs/s", "own CPU µs a job", "Redis CPU µs a job"),
    )
    found: dict[str, list[Turn]] = {}
    async with world(limits=_CLOSED) as here:
        (gateway,) = await here.start()
        for number in range(arguments.rounds + 1):
            turns_of = {
                _BARE: await turns.bare(here, arguments.jobs),
                "POST /v1/jobs": await _http(here, gateway.url, arguments.jobs, AT_ONCE, 1),
                "POST /v1/jobs/batch": await _http(here, gateway.url, arguments.jobs, _BATCHES_AT_ONCE, _BATCH),
                "XADD gw:jobs": await _stream(here, arguments.jobs),
            }
            if number:
                for name, turn in turns_of.items():
                    found.setdefault(name, []).append(turn)
    for name, these in found.items():
        columns = [spread([turn[place] for turn in these]) for place in range(3)]
        report.rows.append((name, spread(turns.ratios(these, found[_BARE])), *columns))
    report.notes.append(f"every turn found the jobs of those before still queued, {_BATCH} jobs are in a batch")
    return report


async def _http(here: World, url: str, jobs: int, at_once: int, batch: int) -> Turn:
    own, redis = here.gateway_cpu(), await here.redis_cpu()
    told = json.loads(await ours("submit", url, jobs, at_once, batch, deadline=60))
    return turns.turn(jobs, told["seconds"], here.gateway_cpu() - own, await here.redis_cpu() - redis)


async def _stream(here: World, jobs: int) -> Turn:
    lines = [job(number) for number in range(jobs)]
    queued, own, redis = await here.queued(), here.gateway_cpu(), await here.redis_cpu()
    began = time.perf_counter()
    await here.push(lines)
    await here.read_up(deadline=60)
    took = time.perf_counter() - began
    assert await here.queued() >= queued + jobs - 1, "all but the one an hour are queued"
    return turns.turn(jobs, took, here.gateway_cpu() - own, await here.redis_cpu() - redis)
