"""Masters fail and slots move while jobs flow; the gateways find their way by themselves, and the order holds."""

import asyncio
import json
import signal
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from gateway.client import Gateway as Client
from gateway.model.errors import StoreUnavailable
from gateway.model.receipt import FINAL_STATES
from gateway.sandbox.process import GatewayProcess
from tests.scenarios.test_limits import most_within
from tests.topologies import DROPPED, Cluster, cluster_world, watched_world
from tests.world import WIDE, World, until

pytestmark = [DROPPED, pytest.mark.timeout(240)]  # six servers and two gateways start, and some wait for an election

ACCOUNTS = 6
GOES_ON = 15.0  # seconds after a failover, with a busy machine; a task that failed looks again after 5 at most
LIMITS = {**WIDE, "group": ["10/500ms"]}


class Flow:
    """Jobs of all accounts, submitted one after the other by turns through the door of one of the gateways."""

    def __init__(self, world: World, names: list[str], url: str) -> None:
        self._world = world
        self.names = names
        self._url = url
        self._stopping = asyncio.Event()
        self.accepted: dict[str, int] = {}  # id → number

    async def run(self) -> None:
        """Submit until told to stop; what was not accepted is submitted again with the same key."""
        async with Client(self._url, patience=60) as client:
            number = 0
            while not self._stopping.is_set():
                at = number % len(self.names)
                written = {"group_id": str(10 + at), "message": str(number), "account": self.names[at]}
                submitted = await client.send({**written, "key": f"k{number}"})
                self.accepted[str(submitted.id)] = number
                number += 1
                await asyncio.sleep(0.005)

    def stop(self) -> None:
        self._stopping.set()

    async def ended(self) -> dict[str, str]:
        """Return the final state of each job that has ended, by its id."""
        try:
            receipts = [receipt for name in self.names for receipt in await self._world.receipts(name)]
        except StoreUnavailable:  # the test itself was connected to what is gone
            return {}
        return {receipt.id: receipt.state for receipt in receipts if receipt.state in FINAL_STATES}

    def texts(self) -> list[list[int]]:
        """Return the numbers that arrived, of each account."""
        return [[int(text) for text in self._world.napcat.texts(f"group:{10 + at}")] for at in range(len(self.names))]

    def in_order(self) -> None:
        """Insist that nothing arrived for the first time before what was submitted earlier.

        A master that is lost takes with it what its replica did not have yet, under `durability: local`: then the last
        claims were never made, and their jobs come again. `test_durability.py` is about what keeps that from happening.
        """
        for numbers in self.texts():
            first = list(dict.fromkeys(numbers))
            assert first == sorted(first)

    def in_order_once(self) -> None:
        """Insist that nothing arrived twice or before what was submitted earlier, and that no window was too full."""
        for numbers in self.texts():
            assert numbers == sorted(set(numbers))
        for at in range(len(self.names)):
            times = [call.at for call in self._world.napcat.received if call.target == f"group:{10 + at}"]
            assert most_within(times, 0.5) <= 10


@asynccontextmanager
async def flowing(world: World, names: list[str], **sections: Any) -> AsyncIterator[tuple[Flow, list[GatewayProcess]]]:
    """Let jobs flow through two gateways for the time of a block, which then all have been submitted.

    SECTIONS are more of the gateways' settings.
    """
    accounts = [world.account(name=name) for name in names]
    gateways = [await world.process(accounts=accounts, limits=LIMITS, **sections) for _ in range(2)]
    flow = Flow(world, names, gateways[0].url)
    task = asyncio.create_task(flow.run())
    try:
        await moving(flow, task)
        yield flow, gateways
        flow.stop()
        await asyncio.wait_for(task, 60)
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def moving(flow: Flow, task: "asyncio.Task[None] | None" = None) -> float:
    """Wait until each account has sent five jobs more; return how many seconds it took."""
    began = time.monotonic()
    before = flow.texts()

    def more() -> bool:
        if task is not None and task.done():
            task.result()
        return all(len(now) >= len(then) + 5 for now, then in zip(flow.texts(), before, strict=True))

    await until(more, deadline=60)
    return time.monotonic() - began


async def all_ended(flow: Flow) -> dict[str, str]:
    """Wait until every job that was accepted has ended, and return how."""
    states: dict[str, str] = await until(flow.ended, lambda states: states.keys() >= flow.accepted.keys(), deadline=60)
    return states


async def leads(cluster: Cluster, port: int) -> bool:
    """Return whether the server at PORT is a master."""
    return port in await cluster.masters()


async def test_a_planned_change_of_a_master_loses_doubles_and_reorders_nothing(tmp_path: Path) -> None:
    async with cluster_world(tmp_path, replicas=1) as (world, cluster):
        async with flowing(world, cluster.accounts(ACCOUNTS)) as (flow, _):
            for replica in cluster.servers[3:]:
                await replica.redis.execute_command("CLUSTER", "FAILOVER")  # type: ignore[no-untyped-call]
                await until(partial(leads, cluster, replica.port))
                await moving(flow)
        assert set((await all_ended(flow)).values()) == {"delivered"}
        flow.in_order_once()
        assert [len(numbers) for numbers in flow.texts()] == list(
            Counter(number % ACCOUNTS for number in sorted(flow.accepted.values())).values()
        )


async def test_a_master_that_dies_is_replaced_and_its_accounts_go_on_by_themselves(tmp_path: Path) -> None:
    async with cluster_world(tmp_path, replicas=1) as (world, cluster):
        async with flowing(world, cluster.accounts(ACCOUNTS)) as (flow, gateways):
            pids = [gateway.pid for gateway in gateways]
            dead = await cluster.owner(flow.names[0])
            await cluster.fail(dead)
            assert await moving(flow) < GOES_ON
            later = max(flow.accepted.values())
            await moving(flow)
        # What a master had not told its replica when it died is gone: `durability: replicated` is for that.
        survived = {job for job, number in flow.accepted.items() if number > later or number % ACCOUNTS != 0}
        states = await until(flow.ended, lambda states: states.keys() >= survived, deadline=60)
        assert {states[job] for job in survived} <= {"delivered", "unconfirmed"}
        flow.in_order()
        assert [gateway.pid for gateway in gateways] == pids
        await told_well(gateways[1])
        await dead.start()  # as a replica of its heir
        await until(cluster.masters, lambda masters: dead.port not in masters and len(masters) == 3)
        await told_well(gateways[1])


async def test_a_master_that_hangs_is_left_and_does_no_harm_when_it_wakes(tmp_path: Path) -> None:
    async with cluster_world(tmp_path, replicas=1) as (world, cluster):
        async with flowing(world, cluster.accounts(ACCOUNTS)) as (flow, gateways):
            frozen = await cluster.owner(flow.names[1])
            frozen.signal(signal.SIGSTOP)
            # Commands that it was asked before wait five seconds for their answers.
            assert await moving(flow) < 2 * GOES_ON
            frozen.signal(signal.SIGCONT)
            await until(lambda: frozen.redis.info("replication"), lambda told: told["role"] == "slave")
            await moving(flow)
            await told_well(gateways[1])
        flow.in_order()


async def test_slots_that_move_while_jobs_flow_lose_double_and_reorder_nothing(tmp_path: Path) -> None:
    async with cluster_world(tmp_path) as (world, cluster):
        names = cluster.accounts(ACCOUNTS)
        async with flowing(world, names) as (flow, gateways):
            pushed = asyncio.create_task(push(world, names[0], "99", 60))
            for key in (names[0], names[1], "gw:jobs", "gw:replicas", names[0]):
                await slowly_moved(cluster, key)
                await moving(flow)
            await pushed
            await told_well(gateways[1])
        assert set((await all_ended(flow)).values()) == {"delivered"}
        flow.in_order_once()
        assert sum(map(len, flow.texts())) == len(flow.accepted)
        texts = await until(lambda: world.napcat.texts("group:99"), lambda texts: len(texts) >= 60)
        assert texts == [str(number) for number in range(60)]


async def slowly_moved(cluster: Cluster, key: str) -> None:
    """Move the slot of KEY to another master, a few keys at a time."""
    owner = await cluster.owner(key)
    to = next(server for server in cluster.servers if server is not owner)
    await cluster.begin_move(key, to)
    for _ in range(20):
        await cluster.move_keys(key, owner, to, most=3)
        await asyncio.sleep(0.02)
    await cluster.end_move(key, owner, to)


async def push(world: World, account: str, group: str, number: int) -> None:
    """Push jobs into the stream, wherever that is."""
    for text in range(number):
        await world.add({"group_id": group, "message": str(text), "account": account})
        await asyncio.sleep(0.05)


async def test_an_account_whose_master_is_away_for_good_holds_up_no_other(tmp_path: Path) -> None:
    async with cluster_world(tmp_path) as (world, cluster):
        for server in cluster.servers:
            await server.redis.config_set("cluster-require-full-coverage", "no")
        names = cluster.accounts(3)
        owners = {name: await cluster.owner(name) for name in names}
        source = await cluster.owner("gw:jobs")
        away = next(name for name in names if owners[name] is not source)
        await world.process(accounts=[world.account(name=name) for name in names], limits=WIDE)
        owners[away].kill()
        for number in range(20):
            for at, name in enumerate(names):
                job = json.dumps({"account": name, "group_id": str(10 + at), "message": str(number)})
                await world.clients.commands.xadd("gw:jobs", {"job": job})

        def arrived() -> dict[str, list[str]]:
            return {name: world.napcat.texts(f"group:{10 + at}") for at, name in enumerate(names)}

        expected = {name: [str(number) for number in range(20)] for name in names}
        await until(arrived, lambda found: found == {**expected, away: []}, deadline=60)
        await owners[away].start()
        await until(arrived, lambda found: found == expected, deadline=60)


async def told_well(gateway: GatewayProcess) -> None:
    """Wait until the status of a gateway says that all is well."""
    async with Client(gateway.url) as client:
        await until(client.status, lambda status: status["status"] == "ok", deadline=60)


async def test_a_master_that_sentinels_replace_is_followed(tmp_path: Path) -> None:
    async with watched_world(tmp_path) as (world, watched):
        async with flowing(world, ["main", "other"]) as (flow, gateways):
            dead = await watched.master()
            dead.kill()
            heir = await watched.heir(dead)
            assert await moving(flow) < GOES_ON
            later = max(flow.accepted.values())
            await moving(flow)
        survived = {job for job, number in flow.accepted.items() if number > later}
        await until(flow.ended, lambda states: states.keys() >= survived, deadline=60)
        flow.in_order()
        async with Client(gateways[1].url) as client:
            status: dict[str, Any] = await until(client.status, lambda status: status["status"] == "ok", deadline=60)
        assert [node["address"] for node in status["redis"]["nodes"]] == [f"127.0.0.1:{heir.port}"]


async def test_a_program_that_pushes_follows_the_master(tmp_path: Path) -> None:
    async with AsyncExitStack() as stack:
        world, watched = await stack.enter_async_context(watched_world(tmp_path))
        await world.process()
        client = await stack.enter_async_context(Client(watched.url, patience=60))
        first = await client.send(group_id="1", message="before")
        assert (await client.receipt(first, wait=30)).state == "delivered"
        before = await watched.master()
        before.kill()
        second = await client.send(group_id="1", message="after")
        assert (await client.receipt(second, wait=60)).state == "delivered"
        # What the replica had not heard of yet may come again: see `Flow.in_order`.
        assert list(dict.fromkeys(world.napcat.texts("group:1"))) == ["before", "after"]
