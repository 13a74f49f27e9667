"""Promise 1 where Redis fails over by itself: under `durability: replicated` a dead master takes nothing with it."""

from pathlib import Path

import pytest

from tests.scenarios.test_cluster_moves import ACCOUNTS, Flow, all_ended, flowing, moving, told_well
from tests.topologies import DROPPED, cluster_world, watched_world

pytestmark = [DROPPED, pytest.mark.timeout(240)]  # six servers and two gateways start, and some wait for an election


async def each_arrived_once_and_none_is_lost(flow: Flow) -> None:
    assert set((await all_ended(flow)).values()) == {"delivered"}
    flow.in_order_once()
    assert sorted(number for numbers in flow.texts() for number in numbers) == sorted(flow.accepted.values())


async def test_a_master_of_a_cluster_that_is_killed_while_jobs_flow_loses_and_doubles_nothing(tmp_path: Path) -> None:
    async with cluster_world(tmp_path, replicas=1) as (world, cluster):
        redis = {"url": cluster.url, "durability": "replicated"}
        async with flowing(world, cluster.accounts(ACCOUNTS), redis=redis) as (flow, gateways):
            for name in flow.names[:2]:
                dead = await cluster.owner(name)
                await cluster.fail(dead)
                await dead.start()  # as a replica of its heir, which takes nothing before it has one
                await moving(flow)
        await each_arrived_once_and_none_is_lost(flow)
        assert any(gateway.events("master.changed") for gateway in gateways)
        await told_well(gateways[0])


async def test_a_master_that_sentinels_replace_while_jobs_flow_loses_and_doubles_nothing(tmp_path: Path) -> None:
    async with watched_world(tmp_path) as (world, watched):
        redis = {"url": watched.url, "durability": "replicated"}
        async with flowing(world, ["main", "other"], redis=redis) as (flow, gateways):
            dead = await watched.master()
            dead.kill()
            await watched.heir(dead)
            await dead.start()
            await moving(flow)
        await each_arrived_once_and_none_is_lost(flow)
        assert any(gateway.events("master.changed") for gateway in gateways)
        await told_well(gateways[0])
