"""The one reader of a source: how often it asks whether it still is, and that it hears when it is not."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from gateway.clock import Clock
from gateway.intake.admission import Admission
from gateway.intake.reader import SourceReader
from gateway.settings import Settings
from gateway.store.bell import Bell
from gateway.store.keys import Keys
from gateway.store.pressure import Pressure
from gateway.store.scripts import Scripts
from gateway.store.scripts.processes import Role
from gateway.store.sources import Sources
from tests.world import World, until

KEYS = Keys("gw")
STREAM = "gw:jobs"
JOB = json.dumps({"group_id": "1", "message": "hello"})


class Counting(Scripts):
    """Counts what was asked for the lease, and how often in vain."""

    asked = refused = 0

    async def lease(self, role: Role, of: str, holder: str, milliseconds: int) -> bool:
        held = await super().lease(role, of, holder, milliseconds)
        self.asked += 1
        self.refused += not held
        return held


@asynccontextmanager
async def reading(world: World, settings: Settings | None = None) -> AsyncIterator[Counting]:
    """Yield the scripts of a reader that runs meanwhile, by SETTINGS."""
    clock, scripts = Clock(), Counting(world.clients.commands, KEYS)
    bell, pressure = Bell(world.clients, KEYS, {}), Pressure(world.clients, clock)
    settings = settings or Settings()
    admission = Admission(settings, scripts, bell, pressure, clock)
    names = [account.name for account in settings.accounts]
    reader = SourceReader(STREAM, STREAM, names, admission, Sources(world.clients, KEYS), scripts, clock)
    task = asyncio.create_task(reader.run())
    try:
        yield scripts
    finally:
        task.cancel()
        await asyncio.wait([task])


async def taken(world: World) -> None:
    """Push a job and wait until it was read."""
    await world.producer.add(JOB)
    await until(lambda: world.clients.commands.xlen(STREAM), lambda length: length == 0)


async def test_the_lease_is_renewed_once_a_second_and_not_for_each_entry(world: World) -> None:
    async with reading(world) as scripts:
        began = time.monotonic()
        for _ in range(20):
            await taken(world)
        assert scripts.asked <= time.monotonic() - began + 2


async def test_who_lost_the_lease_reads_on_only_when_it_is_free_again(world: World) -> None:
    async with reading(world) as scripts:
        await taken(world)
        await world.clients.commands.set(KEYS.reader(STREAM), "another one")
        await until(lambda: scripts.refused)
        await world.producer.add(JOB)
        refused = scripts.refused
        await until(lambda: scripts.refused > refused)
        assert await world.clients.commands.xlen(STREAM) == 1
        await world.clients.commands.delete(KEYS.reader(STREAM))
        await until(lambda: world.clients.commands.xlen(STREAM), lambda length: length == 0)


async def test_an_account_whose_data_are_newer_holds_up_no_other(world: World) -> None:
    settings = Settings.model_validate({"accounts": [world.account(name=name) for name in ("main", "second")]})
    await world.clients.commands.hset("gw:{second}:counts", "format", 99)
    for account in ("second", "main", "second", "main"):
        await world.producer.add(json.dumps({"group_id": "1", "message": "hello", "account": account}))
    async with reading(world, settings):
        left = await until(lambda: world.clients.commands.xrange(STREAM), lambda entries: len(entries) == 2)
    assert {json.loads(fields[b"job"])["account"] for _, fields in left} == {"second"}
    assert await world.clients.commands.zcard("gw:{main}:lane:group:1") == 2
