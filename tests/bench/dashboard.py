"""What open dashboards cost a gateway that is at work: CPU with five of them and with none, turn by turn.

A client does what the page does: it holds the stream, reads all that comes, and asks for the newest jobs every three
seconds, because they changed. Jobs come at an even pace through the stream in Redis. The first turn of each kind is
left out: it warms up. CPU is that of the gateway's process alone, in user and system mode, per second of the turn.
"""

import argparse
import asyncio
import statistics
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp

from tests.bench.report import Bound, Report, spread
from tests.bench.world import World, world

_MUST = 3.0  # percent of a core
_ACCOUNTS = ("main", "second", "third", "fourth")
_GROUPS = 40
_STEP_S = 0.05
_LIST_S = 3.0


def options(parser: argparse.ArgumentParser) -> None:
    """Add the options of this measurement."""
    parser.add_argument("--rate", type=int, default=200, help="jobs a second")
    parser.add_argument("--clients", type=int, default=5)
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--seconds", type=float, default=10.0, help="of a turn")


async def measure(arguments: argparse.Namespace) -> Report:
    """Measure ROUNDS turns without clients and as many with them, in alternation."""
    report = Report(
        "dashboard",
        f"{arguments.rate} jobs/s, {len(_ACCOUNTS)} accounts, {arguments.clients} clients, {arguments.rounds} rounds",
        ("turns", "gateway CPU %", "Redis CPU %", "jobs/s"),
    )
    turns: dict[int, list[tuple[float, float, float]]] = {0: [], arguments.clients: []}
    async with world(account={"max_in_flight": 64}, others=_ACCOUNTS[1:]) as here:
        await here.start()
        feeding = asyncio.create_task(_feed(here, arguments.rate))
        try:
            for number in range(arguments.rounds + 1):
                for clients, found in turns.items():
                    async with _watching(here, clients):
                        turn = await _turn(here, arguments.seconds)
                    if number:
                        found.append(turn)
        finally:
            feeding.cancel()
            await asyncio.gather(feeding, return_exceptions=True)
    for clients, found in turns.items():
        cells = [spread(list(values)) for values in zip(*found, strict=True)]
        report.rows.append((f"{clients} clients", *cells))
    pairs = zip(turns[0], turns[arguments.clients], strict=True)
    costs = [watched[0] - alone[0] for alone, watched in pairs]
    report.bounds.append(Bound("CPU of the clients, % of a core", statistics.median(costs), _MUST))
    report.notes.append(f"the cost turn by turn, %: {', '.join(f'{cost:.2f}' for cost in costs)}")
    return report


async def _turn(here: World, seconds: float) -> tuple[float, float, float]:
    """Return percent of a core of the gateway and of Redis, and the jobs that were sent in a second."""
    began, own, redis, sent = time.monotonic(), here.gateway_cpu(), await here.redis_cpu(), await here.stub.count()
    await asyncio.sleep(seconds)
    took = time.monotonic() - began
    used = here.gateway_cpu() - own, await here.redis_cpu() - redis
    return used[0] / took * 100, used[1] / took * 100, (await here.stub.count() - sent) / took


async def _feed(here: World, rate: int) -> None:
    number, began = 0, time.monotonic()
    while True:
        due = int((time.monotonic() - began) * rate)
        if due > number:
            await here.producer.add(*(_job(one) for one in range(number, due)))
            number = due
        await asyncio.sleep(_STEP_S)


def _job(number: int) -> str:
    account = _ACCOUNTS[number % len(_ACCOUNTS)]
    return f'{{"group_id":"{100 + number % _GROUPS}","message":"number {number}","account":"{account}"}}'


@asynccontextmanager
async def _watching(here: World, clients: int) -> AsyncIterator[None]:
    """Let so many clients look on, and return once each has seen something."""
    seen = [asyncio.Event() for _ in range(clients)]
    tasks = [asyncio.create_task(_watch(here.gateways[0].url, first)) for first in seen]
    try:
        for first in seen:
            await asyncio.wait_for(first.wait(), 10)
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _watch(url: str, first: asyncio.Event) -> None:
    async with aiohttp.ClientSession() as session, session.get(f"{url}/dashboard/stream") as stream:
        listed = 0.0
        async for _ in stream.content.iter_any():
            first.set()
            if time.monotonic() - listed >= _LIST_S:
                listed = time.monotonic()
                async with session.get(f"{url}/v1/jobs?limit=25") as answer:
                    await answer.read()
