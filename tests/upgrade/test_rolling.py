"""A rolling upgrade under load, and the way back: two gateways, one server, one NapCat, as compose has them.

Old is the last landed version; where this repository does not have its commit, as a shallow clone may not, this version
stands in for it, and the name of the test says so.
"""

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from gateway.sandbox.process import GatewayProcess
from gateway.store.keys import Keys
from gateway.store.presence import replicas
from tests.chaos.plan import PlannedJob
from tests.chaos.promises import PROMISES, broken, each_part_is_received_exactly_once
from tests.chaos.traffic import all_ended, evidence_of, queued
from tests.upgrade.trees import ROOT, has_landed, landed, running
from tests.world import Tail, World, until

OLD = "the_last_landed_version" if has_landed() else "this_version_for_want_of_that_commit"
NEW = "this_version"

RATES = {"account": (42, 1.0), "group": (6, 1.0), "user": (6, 1.0)}
"""So low that a slow machine meets them, too."""
SETTINGS: dict[str, Any] = {
    "limits": {scope: [f"{number}/{period}s"] for scope, (number, period) in RATES.items()},
    "delivery": {"timeout": "15s"},
    "results": {"stream": 1_000_000},
}
BY_STREAM, BY_LIST, BY_HTTP = range(1, 5), range(11, 13), range(21, 23)
BURST = 5  # jobs at once to each target of a stream or list
WAITING = 60  # jobs that wait at least, as far as producers can bring that about: so that rates always hold some up


@dataclass
class Load:
    """Producers of all three kinds, who write until they are told to end.

    addresses   of the gateways, as a load balancer knows them
    jobs        what was written, in order
    turned_away how often a gateway did not take what the next one then took
    """

    world: World
    addresses: list[str]
    jobs: list[PlannedJob] = field(default_factory=list)
    turned_away: int = 0
    over: asyncio.Event = field(default_factory=asyncio.Event)

    async def run(self) -> None:
        """Write until it is over."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._push())
            for person in BY_HTTP:
                group.create_task(self._post_all(f"private:{person}"))

    def _next(self, target: str, way: str) -> PlannedJob:
        job = PlannedJob(len(self.jobs), target, way, 1)  # type: ignore[arg-type]
        self.jobs.append(job)
        return job

    async def _push(self) -> None:
        while not self.over.is_set():
            streamed = [self._next(f"group:{one}", "stream") for one in BY_STREAM for _ in range(BURST)]
            listed = [self._next(f"group:{one}", "list") for one in BY_LIST for _ in range(BURST)]
            await self.world.add(*(job.document for job in streamed))
            await self.world.producer.push(*(json.dumps(job.document) for job in listed))
            await until(lambda: waiting(self.world), lambda number: number < WAITING or self.over.is_set())

    async def _post_all(self, target: str) -> None:
        async with aiohttp.ClientSession() as session:
            while not self.over.is_set():
                job = self._next(target, "http")
                # One after the other, beginning with another one each time.
                turn = job.number % len(self.addresses)
                addresses = self.addresses[turn:] + self.addresses[:turn]
                assert await self._post(session, addresses, job), f"job {job.number} was taken nowhere"
                await asyncio.sleep(0.15)

    async def _post(self, session: aiohttp.ClientSession, addresses: Sequence[str], job: PlannedJob) -> bool:
        for address in addresses:
            try:
                async with session.post(f"{address}/v1/jobs", json=job.document) as answer:
                    if answer.status == 202:
                        return True
                    assert answer.status == 503, await answer.text()
            except aiohttp.ClientError:
                pass  # nobody is there, or no longer: a key tells whether it was taken all the same
            self.turned_away += 1
        return False


async def waiting(world: World) -> int:
    """Return how many jobs wait, those that nobody has read yet among them."""
    redis = world.clients.commands
    unread = await redis.xlen("gw:jobs") + await redis.llen("gw:jobs:list")
    return unread + await redis.xlen(Keys("gw").list_stream("gw:jobs:list")) + await queued(world)


async def sends(gateway: GatewayProcess) -> None:
    """Wait until GATEWAY has sent something."""
    await until(lambda: gateway.events("job.attempted"))


async def formats(world: World) -> list[int]:
    return [replica.format for replica in await replicas(world.clients, Keys("gw"))]


@pytest.mark.timeout(240)
@pytest.mark.parametrize(
    ("before", "after"), [(OLD, NEW), (NEW, OLD)], ids=[f"from_{OLD}_to_{NEW}", f"back_from_{NEW}_to_{OLD}"]
)
async def test_one_replica_after_the_other_is_exchanged_under_load_and_nobody_notices(
    world: World, tmp_path: Path, before: str, after: str
) -> None:
    trees = {NEW: ROOT, OLD: landed(tmp_path / "old") or ROOT}

    async def start(version: str) -> GatewayProcess:
        return await world.process_in(running(trees[version]), **SETTINGS)

    world.napcat.behave("*", "delay", ms=8)
    gateways = list(await asyncio.gather(start(before), start(before)))
    load = Load(world, [gateway.url for gateway in gateways])
    async with asyncio.TaskGroup() as group:
        group.create_task(load.run())
        for place in range(len(gateways)):
            await asyncio.gather(*map(sends, gateways))  # old ones, or an old one and a new one side by side
            assert await gateways[place].stop() == 0
            gateways[place] = await start(after)
            load.addresses[place] = gateways[place].url
        await asyncio.gather(*map(sends, gateways))
        load.over.set()
    tail = Tail(world.clients)
    await all_ended(tail, load.jobs, 90.0)
    assert [await gateway.stop() for gateway in gateways] == [0, 0]
    evidence = await evidence_of(world, load.jobs, tail, RATES)
    assert not broken(evidence, (*PROMISES, each_part_is_received_exactly_once))
    assert {receipt.state for job in load.jobs for receipt in evidence.finals(job)} == {"delivered"}
    assert load.turned_away
    for gateway in gateways:
        assert not gateway.events("task.failed")


async def test_the_last_landed_version_is_the_one_that_runs(world: World, tmp_path: Path) -> None:
    """It does not say which format it knows, nor does it know of versions of settings."""
    tree = landed(tmp_path / "old")
    if tree is None:
        pytest.skip("this repository does not have its commit")
    old = await world.process_in(running(tree))
    told = await until(lambda: world.clients.commands.hgetall("gw:replicas"))
    assert len(told) == 1
    assert b'"format"' not in next(iter(told.values()))
    assert await formats(world) == [1]
    await old.stop()
    with pytest.raises(RuntimeError, match="version: unknown setting"):
        await world.process_in(running(tree), version=1)
