"""Holds by an operator or an event, beside those of answers."""

from dataclasses import replace

import pytest

from gateway.model.attempt import Outcome
from gateway.model.rate import parse_rate
from gateway.model.verdict import Verdict
from tests.store.bench import DELIVERED, POLICY, WIDE, Bench, job
from tests.world import until


async def test_a_parked_target_waits_until_it_is_released_and_others_go_on(bench: Bench) -> None:
    assert await bench.scripts.hold("main", "group:1", "quarrel", operator=True)
    await bench.admit(job("a"), job("b", "group:2"))
    tick = await bench.tick()
    assert [claim.job_id for claim in tick.claims] == ["b"]
    assert (await bench.state("a"))["reason"] == "parked"
    assert await bench.scripts.release("main", "group:1", operator=True)
    assert (await bench.claim()).job_id == "a"


async def test_a_target_that_is_parked_while_it_waits_stays(bench: Bench) -> None:
    await bench.admit(job("a"))
    await bench.scripts.hold("main", "group:1", "quarrel", operator=True, milliseconds=60_000)
    tick = await bench.tick()
    assert tick.claims == []
    assert 59_000 < (tick.next_in or 0) <= 60_000


async def test_a_hold_ends_by_itself_when_its_time_is_over(bench: Bench) -> None:
    await bench.admit(job("a"), job("b", "group:2"))
    await bench.scripts.hold("main", "group:1", "quarrel", operator=True, milliseconds=60)
    await bench.scripts.hold("main", "account", "maintenance", operator=True, milliseconds=60)
    assert (await bench.tick()).claims == []
    await until(bench.tick, lambda tick: tick.probe)
    await bench.scripts.probed("main", "", 1_000, "10001", "")
    first = (await bench.tick()).claims
    tick = await bench.tick(*(Outcome(claim, **DELIVERED) for claim in first))
    tick.claims.extend(first)
    assert {claim.job_id for claim in tick.claims} == {"a", "b"}
    assert (await bench.scripts.overview("main")).holds == []


async def test_a_paused_account_sends_nothing_until_it_is_resumed(bench: Bench) -> None:
    await bench.admit(job("a"), job("b", "group:2"))
    await bench.scripts.hold("main", "account", "maintenance", operator=True)
    assert (await bench.tick()).claims == []
    assert (await bench.state("a"))["reason"] == "paused"
    await bench.scripts.release("main", "account", operator=True)
    assert (await bench.tick()).probe
    await bench.scripts.probed("main", "", 1_000, "10001", "")
    assert len((await bench.tick()).claims) == 1


async def test_what_an_operator_holds_no_answer_and_no_event_lets_go(bench: Bench) -> None:
    await bench.admit(job("a"), job("b"))
    claim = await bench.claim()
    await bench.scripts.hold("main", "group:1", "quarrel", operator=True)
    await bench.tick(Outcome(claim, **DELIVERED))
    assert not await bench.scripts.release("main", "group:1", operator=False)
    assert None is await bench.scripts.hold("main", "group:1", "muted", operator=False, milliseconds=1)
    assert (await bench.tick()).claims == []
    [hold] = (await bench.scripts.overview("main")).holds
    assert (hold.name, hold.reason) == ("group:1", "quarrel")


async def test_what_an_answer_held_an_operator_lets_go(bench: Bench) -> None:
    await bench.admit(job("a"))
    muted = Outcome(
        await bench.claim(), "retry", Verdict.RETRY, rule="muted", effect="park", hold_ms=600_000, spends=False
    )
    await bench.tick(muted)
    assert await bench.scripts.release("main", "group:1", operator=True)
    assert (await bench.claim()).job_id == "a"


async def test_an_event_holds_and_lets_go(bench: Bench) -> None:
    await bench.admit(job("a"))
    assert await bench.scripts.hold("main", "group:1", "muted", operator=False, milliseconds=600_000)
    assert (await bench.tick()).claims == []
    assert await bench.scripts.release("main", "group:1", operator=False)
    assert (await bench.claim()).job_id == "a"


async def test_releasing_what_is_not_held_changes_nothing(bench: Bench) -> None:
    assert not await bench.scripts.release("main", "group:1", operator=True)


async def test_a_release_does_not_cut_short_what_a_lane_waits_for_besides(bench: Bench) -> None:
    await bench.admit(job("a"), job("b", "group:2"))
    first, second = (await bench.tick()).claims
    retry = Outcome(first, "retry", Verdict.RETRY, rule="busy", wait_ms=60_000)
    await bench.tick(retry, Outcome(second, "unknown", Verdict.UNKNOWN, rule="reset"))
    for target in ("group:1", "group:2"):
        await bench.scripts.hold("main", target, "quarrel", operator=True)
        await bench.scripts.release("main", target, operator=True)
    assert (await bench.tick()).claims == []
    assert (await bench.state("a"))["reason"] == "retry"
    assert (await bench.state("b"))["state"] == "unknown"


async def test_a_released_lane_drains_at_its_rates(bench: Bench) -> None:
    policy = replace(POLICY, limits=replace(WIDE, group=[parse_rate("1/200ms")]))
    await bench.scripts.hold("main", "group:1", "quarrel", operator=True)
    await bench.admit(*(job(str(number)) for number in range(3)))
    await bench.scripts.release("main", "group:1", operator=True)
    claim = await bench.claim(policy=policy)
    tick = await bench.tick(Outcome(claim, **DELIVERED), policy=policy)
    assert tick.claims == []
    assert 150 < (tick.next_in or 0) <= 201


@pytest.mark.parametrize("name", ["group:1", "account"])
async def test_holding_again_keeps_since_and_moves_the_end(bench: Bench, name: str) -> None:
    await bench.scripts.hold("main", name, "first", operator=True, milliseconds=60_000)
    [before] = (await bench.scripts.overview("main")).holds
    await bench.scripts.hold("main", name, "second", operator=True, milliseconds=90_000)
    [after] = (await bench.scripts.overview("main")).holds
    assert (after.since, after.reason) == (before.since, "second")
    assert after.until > before.until
