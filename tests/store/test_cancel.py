"""Cancelling and collapsing: only while nothing of the job may have been sent."""

from dataclasses import replace
from typing import Any

import pytest

from gateway.model.attempt import Outcome
from gateway.model.rate import parse_rate
from gateway.model.verdict import Verdict
from tests.store.bench import DELIVERED, POLICY, WIDE, Bench, job
from tests.world import until


async def test_a_queued_job_is_cancelled_and_the_one_behind_it_goes(bench: Bench) -> None:
    await bench.admit(job("a"), job("b"))
    cancelled = await bench.scripts.cancel("main", POLICY, "a")
    assert cancelled is not None
    assert (cancelled.done, cancelled.target) == (True, "group:1")
    assert [ended.state for ended in cancelled.ended] == ["cancelled"]
    assert (await bench.claim()).job_id == "b"
    receipt = await bench.state("a")
    assert (receipt["state"], receipt["code"]) == ("cancelled", "cancelled")


async def test_cancelling_again_is_no_error_and_ends_nothing_twice(bench: Bench) -> None:
    await bench.admit(job("a"))
    for ended in (1, 0):
        again = await bench.scripts.cancel("main", POLICY, "a")
        assert again is not None
        assert again.done
        assert len(again.ended) == ended
    assert (await bench.scripts.overview("main")).ended == {"cancelled": 1}


async def test_there_is_nothing_to_cancel_of_a_job_that_does_not_exist(bench: Bench) -> None:
    assert await bench.scripts.cancel("main", POLICY, "nobody") is None


async def test_a_scheduled_job_is_cancelled_and_never_comes_up(bench: Bench) -> None:
    await bench.admit(job("a", delay=50))
    assert (await bench.scripts.cancel("main", POLICY, "a")) is not None
    tick = await bench.tick()
    assert (tick.claims, tick.has_work) == ([], False)


async def test_a_job_that_stands_aside_for_its_requester_is_cancelled(bench: Bench) -> None:
    policy = replace(POLICY, limits=replace(WIDE, requester=[parse_rate("1/300ms")]))
    await bench.admit(*(job(name, f"group:{place}", requester="7") for place, name in enumerate("abc", 1)))
    first = await bench.claim(policy=policy)
    assert first.job_id == "a"
    assert (await bench.state("b"))["reason"] == "rate_limited"
    assert (await bench.scripts.cancel("main", POLICY, "b")) is not None
    await bench.tick(Outcome(first, **DELIVERED), policy=policy)
    nxt = await until(lambda: bench.tick(policy=policy), lambda tick: tick.claims)
    assert [claim.job_id for claim in nxt.claims] == ["c"]


async def test_a_job_that_was_surely_not_sent_may_be_cancelled_between_its_tries(bench: Bench) -> None:
    await bench.admit(job("a"), job("b"))
    await bench.tick(Outcome(await bench.claim(), "retry", Verdict.RETRY, rule="busy", wait_ms=60_000))
    assert (await bench.state("a"))["reason"] == "retry"
    cancelled = await bench.scripts.cancel("main", POLICY, "a")
    assert cancelled is not None
    assert cancelled.done
    assert (await bench.claim()).job_id == "b"


@pytest.mark.parametrize("fate", ["in flight", "unknown", "second part", "delivered"])
async def test_it_is_too_late_once_something_may_have_been_sent(bench: Bench, fate: str) -> None:
    await bench.admit(job("a", parts=2 if fate == "second part" else 1))
    claim = await bench.claim()
    if fate == "unknown":
        await bench.tick(Outcome(claim, "unknown", Verdict.UNKNOWN, rule="reset"))
    elif fate != "in flight":
        await bench.tick(Outcome(claim, **DELIVERED))
    cancelled = await bench.scripts.cancel("main", POLICY, "a")
    assert cancelled is not None
    assert not cancelled.done
    assert cancelled.state == {"unknown": "unknown", "delivered": "delivered"}.get(fate, "sending")


async def test_cancelling_behind_an_unknown_job_does_not_cut_its_settling_short(bench: Bench) -> None:
    await bench.admit(job("a"), job("b"))
    await bench.tick(Outcome(await bench.claim(), "unknown", Verdict.UNKNOWN, rule="reset"))
    await bench.scripts.cancel("main", POLICY, "b")
    assert (await bench.tick()).claims == []
    assert (await bench.state("a"))["state"] == "unknown"


async def test_a_newer_job_takes_the_place_of_the_one_it_collapses(bench: Bench) -> None:
    await bench.admit(job("a"), job("old", collapse_key="k"), job("b"))
    await bench.admit(job("new", collapse_key="k"))
    old = await bench.state("old")
    assert (old["state"], old["reason"], old["code"]) == ("cancelled", "collapsed", "collapsed")
    assert [await bench.deliver() for _ in range(3)] == ["a", "new", "b"]


async def test_only_the_newest_of_many_with_one_key_is_sent(bench: Bench) -> None:
    await bench.admit(*(job(str(number), collapse_key="k") for number in range(20)))
    assert await bench.deliver() == "19"
    assert (await bench.scripts.overview("main")).ended == {"cancelled": 19, "delivered": 1}
    assert (await bench.scripts.overview("main")).queued == 0


@pytest.mark.parametrize("other", [{"target": "group:2"}, {"collapse_key": "other"}])
async def test_other_lanes_and_other_keys_are_left_alone(bench: Bench, other: dict[str, Any]) -> None:
    await bench.admit(job("a", collapse_key="k"), job("b", **{"collapse_key": "k", **other}))
    assert {await bench.deliver(), await bench.deliver()} == {"a", "b"}


async def test_a_job_that_may_have_been_sent_is_not_collapsed(bench: Bench) -> None:
    await bench.admit(job("a", collapse_key="k"))
    claim = await bench.claim()
    await bench.admit(job("b", collapse_key="k"))
    assert (await bench.state("a"))["state"] == "sending"
    await bench.tick(Outcome(claim, **DELIVERED), policy=replace(POLICY, most_in_flight=0))
    assert await bench.deliver() == "b"


async def test_what_takes_the_place_of_a_job_that_waits_for_a_retry_waits_too(bench: Bench) -> None:
    await bench.admit(job("a", collapse_key="k"), job("b"))
    await bench.tick(Outcome(await bench.claim(), "retry", Verdict.RETRY, rule="busy", wait_ms=150))
    await bench.admit(job("c", collapse_key="k"))
    assert (await bench.tick()).claims == []
    tick = await until(bench.tick, lambda tick: tick.claims)
    assert [claim.job_id for claim in tick.claims] == ["c"]


async def test_a_scheduled_job_is_collapsed_by_one_that_may_go_at_once(bench: Bench) -> None:
    await bench.admit(job("a", collapse_key="k", delay=60_000))
    await bench.admit(job("b", collapse_key="k"))
    assert await bench.deliver() == "b"
    assert not (await bench.tick()).has_work


async def test_after_the_end_of_a_job_its_collapse_key_is_free(bench: Bench) -> None:
    await bench.admit(job("a", collapse_key="k"))
    assert await bench.deliver() == "a"
    await bench.admit(job("b", collapse_key="k"))
    assert await bench.deliver() == "b"
    assert await bench.keys("*collapse*") == []
