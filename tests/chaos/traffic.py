"""Jobs going in by every way, and receipts coming out, whatever fails meanwhile."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from itertools import cycle
from random import Random

import aiohttp

from gateway.model.errors import StoreUnavailable
from gateway.model.receipt import FINAL_STATES
from gateway.sandbox.process import GatewayProcess
from gateway.store.keys import Keys
from tests.chaos.evidence import Evidence, arrivals_of, by_job, shown_by
from tests.chaos.plan import Encounter, PlannedJob
from tests.world import Tail, World, until

_KEYS = Keys("gw")
_AGAIN = 0.05  # seconds before a producer tries again


async def push_all(world: World, jobs: Sequence[PlannedJob], bursts: Sequence[tuple[int, float]]) -> None:
    """Push what comes through Redis, in BURSTS of so many jobs with so many seconds' rest between, over and over.

    A burst that failed is pushed again, as a producer has to: the jobs' keys tell which went in the first time.
    """
    left = [job for job in jobs if job.way != "http"]
    for size, rest in cycle(bursts):
        burst, left = left[:size], left[size:]
        stream = [job.document for job in burst if job.way == "stream"]
        listed = [json.dumps(job.document) for job in burst if job.way == "list"]
        if stream:
            await _insist(partial(world.add, *stream))
        if listed:
            await _insist(partial(world.producer.push, *listed))
        if not left:
            return
        await asyncio.sleep(rest)


async def _insist(push: Callable[[], Awaitable[object]]) -> None:
    while True:
        try:
            await push()
            return
        except StoreUnavailable:
            await asyncio.sleep(_AGAIN)


async def post_all(urls: Sequence[str], jobs: Sequence[PlannedJob], chance: Random) -> None:
    """Post what comes over HTTP, one after the other for each target, until one of the gateways at URLS took it."""
    posted = [job for job in jobs if job.way == "http"]
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=1)) as session, asyncio.TaskGroup() as group:
        for target in sorted({job.target for job in posted}):
            group.create_task(_post(session, urls, [job for job in posted if job.target == target], chance))


async def _post(
    session: aiohttp.ClientSession, urls: Sequence[str], jobs: Sequence[PlannedJob], chance: Random
) -> None:
    for job in jobs:
        while not await _taken(session, f"{chance.choice(urls)}/v1/jobs", job):
            await asyncio.sleep(_AGAIN)


async def _taken(session: aiohttp.ClientSession, url: str, job: PlannedJob) -> bool:
    """Return whether the gateway took JOB; one that cannot now says 503, or nothing."""
    try:
        async with session.post(url, json=job.document) as answer:
            assert answer.status in {202, 503}, f"job {job.number}: {answer.status} {await answer.text()}"
            return answer.status == 202
    except (aiohttp.ClientError, TimeoutError):
        return False


async def all_ended(tail: Tail, jobs: Sequence[PlannedJob], deadline: float) -> None:
    """Wait until all JOBS have ended, but no longer than DEADLINE seconds: a promise names what is missing."""

    async def ended() -> int:
        with suppress(StoreUnavailable):
            return len({receipt.id for receipt in await tail.read() if receipt.state in FINAL_STATES})
        return 0

    with suppress(AssertionError):
        await until(ended, lambda number: number >= len(jobs), deadline)


async def evidence_of(
    world: World,
    jobs: Sequence[PlannedJob],
    tail: Tail,
    rates: Mapping[str, tuple[int, float]],
    encounters: Mapping[str, Sequence[Encounter]] | None = None,
) -> Evidence:
    """Gather what is left behind when all has ended."""
    return Evidence(
        jobs,
        arrivals_of(world.napcat.received, encounters or {}),
        shown_by(world.napcat.delivered),
        by_job(await tail.read()),
        rates,
        await _left_over(world),
    )


class Flow:
    """Jobs on their way through gateways, in at one end and out at the other."""

    def __init__(
        self,
        world: World,
        through: Sequence[GatewayProcess],
        jobs: Sequence[PlannedJob],
        bursts: Sequence[tuple[int, float]],
        chance: Random,
    ) -> None:
        """Begin to push JOBS, in BURSTS as `push_all` does, and to post those that come over HTTP."""
        self._world = world
        self._jobs = jobs
        self._producers = (
            asyncio.create_task(push_all(world, jobs, bursts)),
            asyncio.create_task(post_all([gateway.url for gateway in through], jobs, chance)),
        )

    async def is_at(self, sends: int) -> None:
        """Wait until NapCat has received so many."""
        await until(lambda: len(self._world.napcat.received) >= sends)

    async def evidence(self, rates: Mapping[str, tuple[int, float]]) -> Evidence:
        """Wait until all jobs are in and have ended, and return what is left behind, as the last master knows it."""
        await asyncio.wait_for(asyncio.gather(*self._producers), 60)
        await all_ended(Tail(self._world.clients), self._jobs, 60)
        return await evidence_of(self._world, self._jobs, Tail(self._world.clients), rates)


async def queued(world: World) -> int:
    """Return how many jobs were admitted and have not ended."""
    return int(await world.clients.commands.hget(_account_key("counts"), "queued") or 0)


async def _left_over(world: World) -> dict[str, int]:
    redis = world.clients.commands
    return {
        "entries of the stream": await redis.xlen("gw:jobs"),
        "elements of the list": await redis.llen("gw:jobs:list"),
        "entries of the list's stream": await redis.xlen(_KEYS.list_stream("gw:jobs:list")),
        "entries refused": await redis.xlen(_KEYS.invalid),
        "jobs counted as queued": await queued(world),
        "lanes with a turn": await redis.zcard(_account_key("due")),
        "calls in flight": await redis.hlen(_account_key("flights")),
    }


def _account_key(name: str) -> str:
    return _KEYS.of("main", name)
