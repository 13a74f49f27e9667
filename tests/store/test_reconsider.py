"""Other limits count: what waits for an instant that the former ones set is looked at again, and nothing else goes."""

from dataclasses import replace

from gateway.model.attempt import Outcome
from gateway.model.rate import parse_rate
from gateway.model.verdict import Verdict
from gateway.store.values import TickPolicy
from tests.store.bench import POLICY, WIDE, Bench, job
from tests.world import World

HOURLY = [parse_rate("1/1h")]
SLOW = replace(POLICY, limits=replace(WIDE, group=HOURLY))
WIDER = replace(POLICY, limits=replace(WIDE, group=[parse_rate("5/1ms")]))


async def claimed(bench: Bench, policy: TickPolicy) -> list[str]:
    """Return the jobs that two ticks claim: one may only put off what it meets."""
    return [claim.job_id for _ in range(2) for claim in (await bench.tick(policy=policy)).claims]


async def test_a_lane_that_waits_for_a_narrow_rate_goes_by_a_wider_one(bench: Bench) -> None:
    await bench.admit(job("first"), job("second"))
    assert await bench.deliver(SLOW) == "first"
    assert await claimed(bench, SLOW) == []
    assert await claimed(bench, WIDER) == []
    await bench.scripts.reconsider("main", WIDER.limits)
    assert await claimed(bench, WIDER) == ["second"]


async def test_a_lane_that_still_has_to_wait_waits_on(bench: Bench) -> None:
    await bench.admit(job("first"), job("second"))
    await bench.deliver(SLOW)
    await bench.tick(policy=SLOW)
    await bench.scripts.reconsider("main", SLOW.limits)
    tick = await bench.tick(policy=SLOW)
    assert tick.claims == []
    assert (await bench.tick(policy=SLOW)).next_in in range(3_590_000, 3_600_001)


async def test_what_waits_for_a_retry_a_hold_or_its_schedule_waits_on(bench: Bench) -> None:
    await bench.admit(job("again", "group:1"), job("held", "group:2"), job("later", "group:3", delay=3_600_000))
    await bench.scripts.hold("main", "group:2", "quarrel", operator=True, milliseconds=3_600_000)
    claim = await bench.claim()
    await bench.tick(Outcome(claim, "retry", Verdict.RETRY, rule="busy", wait_ms=3_600_000))
    await bench.scripts.reconsider("main", WIDE)
    assert await claimed(bench, POLICY) == []


async def test_who_steps_aside_for_a_requesters_rate_is_called_back_by_a_wider_one(bench: Bench) -> None:
    paced = replace(POLICY, limits=replace(WIDE, requester=HOURLY))
    freer = replace(POLICY, limits=replace(WIDE, requester=[parse_rate("5/1ms")]))
    await bench.admit(*(job(name, requester="7") for name in ("first", "second", "third")))
    assert await bench.deliver(paced) == "first"
    assert await claimed(bench, paced) == []
    await bench.scripts.reconsider("main", freer.limits)
    assert await bench.deliver(freer) == "second"
    assert await bench.deliver(freer) == "third"


async def test_of_thousands_of_lanes_none_is_missed(world: World, bench: Bench) -> None:
    due = "gw:{main}:due"
    await world.clients.commands.zadd(due, {f"group:{number}": 4_102_444_800_000 for number in range(1, 5_001)})
    await world.clients.commands.zadd(due, {"group:earlier": 1})
    await bench.scripts.reconsider("main", WIDE)
    soon = (await bench.redis_time() + 1) * 1000
    assert await world.clients.commands.zcount(due, "-inf", soon) == 5_001
    assert await world.clients.commands.zscore(due, "group:earlier") == 1


async def test_where_the_limits_are_as_they_were_nothing_is_looked_at(world: World, bench: Bench) -> None:
    due, late = "gw:{main}:due", 4_102_444_800_000
    await bench.scripts.reconsider("main", WIDE)
    await world.clients.commands.zadd(due, {"group:1": late})
    await bench.scripts.reconsider("main", WIDE)
    assert await world.clients.commands.zscore(due, "group:1") == late
    # Another replica, which knows other limits, may have put it off by these.
    await bench.tick(policy=SLOW)
    await bench.tick(policy=POLICY)
    await world.clients.commands.zadd(due, {"group:1": late})
    await bench.scripts.reconsider("main", WIDE)
    assert await world.clients.commands.zcount(due, "-inf", f"({late}") == 1
