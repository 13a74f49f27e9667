"""What answers do to the account beyond their own job: rows of them, the same from many targets, and slower rates."""

from dataclasses import replace
from typing import Any

from gateway.model.attempt import Claim, Outcome
from gateway.model.rate import parse_rate
from gateway.model.verdict import Verdict, Widespread
from gateway.store.values import Tick
from tests.store.bench import DELIVERED, POLICY, WIDE, job
from tests.store.clock import SlowBench

MINUTE = 60_000
PROXY_ERROR: dict[str, Any] = {
    "settlement": "rejected", "verdict": Verdict.REJECTED, "rule": "proxy_error", "http_status": 502,
    "effect": "pause", "hold_ms": 1_000, "after": 5,
}  # fmt: skip
TOO_FAST: dict[str, Any] = {
    "settlement": "retry", "verdict": Verdict.RETRY, "rule": "too_fast", "http_status": 200, "retcode": 200,
    "effect": "slow_target", "hold_ms": 10 * MINUTE,
}  # fmt: skip
WITHHELD: dict[str, Any] = {
    "settlement": "rejected", "verdict": Verdict.REJECTED, "rule": "no_confirmation", "http_status": 200,
    "widespread": Widespread(targets=3, within="5m", effect="slow_account", hold="10m", reason="risk_control"),
}  # fmt: skip
BARE = replace(POLICY, limits=replace(WIDE, group=[]))


async def claims(slow: SlowBench, count: int) -> list[Claim]:
    """Send one message to each of COUNT targets."""
    await slow.admit(*(job(f"{slow.now}-{number}", f"group:{number + 1}") for number in range(count)))
    return (await slow.tick(most_claims=count, policy=replace(POLICY, most_in_flight=count))).claims


async def answer(slow: SlowBench, flying: list[Claim], **fields: Any) -> Tick:
    return await slow.tick(*(Outcome(claim, **fields) for claim in flying), most_claims=0)


async def too_fast(slow: SlowBench, times: int) -> None:
    """Let one target be found too fast so many times, each 10 s after the one before."""
    await slow.admit(job("a"))
    for _ in range(times):
        await answer(slow, [await slow.claim(policy=BARE)], **TOO_FAST)
        await slow.move(10_000)


async def slowed(slow: SlowBench) -> dict[str, int]:
    return {one.name: one.factor for one in (await slow.scripts.overview("main")).slowed}


async def breaker(slow: SlowBench) -> str:
    return (await slow.scripts.overview("main")).breaker


async def test_five_proxy_errors_in_a_row_pause_the_account_and_four_do_not(slow: SlowBench) -> None:
    flying = await claims(slow, 5)
    await answer(slow, flying[:4], **PROXY_ERROR)
    assert await breaker(slow) == "closed"
    tick = await answer(slow, flying[4:], **PROXY_ERROR)
    assert [(noted.what, noted.name) for noted in tick.noted] == [("held", "account")]
    assert await breaker(slow) == "open"


async def test_a_good_answer_in_between_ends_the_row(slow: SlowBench) -> None:
    flying = await claims(slow, 9)
    await answer(slow, flying[:4], **PROXY_ERROR)
    await answer(slow, flying[4:5], **DELIVERED)
    await answer(slow, flying[5:], **PROXY_ERROR)
    assert await breaker(slow) == "closed"


async def test_no_answer_at_all_neither_counts_in_the_row_nor_ends_it(slow: SlowBench) -> None:
    flying = await claims(slow, 6)
    await answer(slow, flying[:4], **PROXY_ERROR)
    await answer(slow, flying[4:5], settlement="unknown", verdict=Verdict.UNKNOWN, rule="no_answer")
    assert await breaker(slow) == "closed"
    await answer(slow, flying[5:], **PROXY_ERROR)
    assert await breaker(slow) == "open"


async def test_what_three_targets_meet_within_the_time_slows_the_account(slow: SlowBench) -> None:
    await answer(slow, await claims(slow, 2), **WITHHELD)
    await slow.move(5 * MINUTE)  # and these are forgotten
    await answer(slow, await claims(slow, 2), **WITHHELD)
    assert await slowed(slow) == {}
    await slow.move(1)
    tick = await answer(slow, await claims(slow, 3), **WITHHELD)
    assert [(noted.what, noted.name, noted.reason) for noted in tick.noted] == [("slowed", "account", "risk_control")]
    assert await slowed(slow) == {"account": 2}


async def test_one_target_that_meets_it_three_times_slows_nothing(slow: SlowBench) -> None:
    for _ in range(3):
        await answer(slow, await claims(slow, 1), **WITHHELD)
        await slow.move(1)
    assert await slowed(slow) == {}


async def test_an_account_that_is_slowed_already_is_paused_but_not_by_what_was_under_way(slow: SlowBench) -> None:
    flying = await claims(slow, 6)
    await slow.move(1)
    await answer(slow, flying, **WITHHELD)
    assert (await slowed(slow), await breaker(slow)) == ({"account": 2}, "closed")
    await slow.admit(*(job(f"later-{number}", f"group:{number + 1}") for number in range(3)))
    for _ in range(3):
        await slow.move(1)
        await answer(slow, [await slow.claim(policy=replace(POLICY, most_in_flight=1))], **WITHHELD)
    assert (await slowed(slow), await breaker(slow)) == ({"account": 4}, "open")
    [hold] = (await slow.scripts.overview("main")).holds
    assert (hold.name, hold.reason, hold.until - slow.now) == ("account", "risk_control", 10 * MINUTE)


async def test_calls_that_find_an_account_restrained_at_once_slow_it_once(slow: SlowBench) -> None:
    flying = await claims(slow, 30)
    await slow.move(1)
    withheld = {**WITHHELD, "rule": "risk_control", "effect": "slow_account", "hold_ms": 10 * MINUTE}
    await answer(slow, flying, **{**withheld, "widespread": None})
    assert (await slowed(slow), await breaker(slow)) == ({"account": 2}, "closed")


async def test_a_slowed_account_has_half_as_many_calls_in_flight(slow: SlowBench) -> None:
    await answer(slow, await claims(slow, 3), **WITHHELD)
    await slow.admit(*(job(f"later-{number}", f"group:{number + 1}") for number in range(5)))
    assert len((await slow.tick(policy=replace(POLICY, most_in_flight=4))).claims) == 2


async def test_a_slowed_target_is_given_twice_the_time_and_again_twice_up_to_eight_times(slow: SlowBench) -> None:
    policy = replace(POLICY, limits=replace(WIDE, group=[parse_rate("1/10s")]))
    await slow.admit(job("a", ttl=60 * MINUTE))
    claim = await slow.claim(policy=policy)
    waits = []
    for _ in range(4):
        wait = (await slow.tick(Outcome(claim, **TOO_FAST), policy=policy)).next_in
        assert wait is not None
        waits.append(wait)
        await slow.move(wait - 1)
        assert (await slow.tick(policy=policy)).claims == []
        await slow.move(1)
        claim = await slow.claim(policy=policy)
    assert waits == [20_001, 40_001, 80_001, 80_001]


async def test_a_slowed_target_without_rates_of_its_own_leaves_some_time_nevertheless(slow: SlowBench) -> None:
    await slow.admit(job("a"), job("b"))
    (again,) = (await slow.tick(Outcome(await slow.claim(policy=BARE), **TOO_FAST), policy=BARE)).claims
    assert again.job_id == "a"
    tick = await slow.tick(Outcome(again, **DELIVERED), policy=BARE)
    assert (tick.claims, tick.next_in) == ([], 2 * 1_100 + 1)
    await slow.move(2 * 1_100 + 1)
    assert (await slow.claim(policy=BARE)).job_id == "b"


async def test_rates_that_are_only_observed_slow_nothing_but_the_floor_does(slow: SlowBench) -> None:
    limits = replace(WIDE, group=[parse_rate("1/1h")], observe=["group"])
    policy = replace(POLICY, limits=limits)
    await slow.admit(job("a"))
    tick = await slow.tick(Outcome(await slow.claim(policy=policy), **TOO_FAST), policy=policy)
    assert tick.next_in == 2 * 1_100 + 1


async def test_what_was_slowed_gets_faster_step_by_step(slow: SlowBench) -> None:
    await too_fast(slow, 3)
    factors = [await slowed(slow)]
    notes = []
    for step in (10 * MINUTE - 10_000, 10 * MINUTE, 10 * MINUTE):
        await slow.move(step)
        notes += [(noted.what, noted.name) for noted in (await slow.tick(most_claims=0)).noted]
        factors.append(await slowed(slow))
    assert factors == [{"group:1": 8}, {"group:1": 4}, {"group:1": 2}, {}]
    assert notes == [("recovered", "group:1")]


async def test_after_a_long_time_what_was_slowed_is_as_fast_as_ever_at_once(slow: SlowBench) -> None:
    await too_fast(slow, 3)
    await slow.move(60 * MINUTE)
    await slow.tick()
    assert await slowed(slow) == {}


async def test_only_so_many_wordings_that_no_rule_knows_are_kept(slow: SlowBench) -> None:
    odd: dict[str, Any] = {"settlement": "rejected", "verdict": Verdict.UNKNOWN, "rule": "unmatched", "retcode": 999}
    flying = await claims(slow, 52)
    first, last = flying[0], flying[-1]
    await slow.tick(*(Outcome(claim, **odd, unmatched=claim.job_id) for claim in flying[:-1]), most_claims=0)
    await slow.tick(Outcome(last, **odd, unmatched=first.job_id), most_claims=0)
    kept = {one.fingerprint: one for one in (await slow.scripts.overview("main")).unmatched}
    assert len(kept) == 50
    assert flying[50].job_id not in kept
    known = kept[first.job_id]
    assert (known.times, known.retcode, known.job_id) == (2, 999, last.job_id)


async def test_that_the_account_is_slowed_is_told_however_many_targets_are(slow: SlowBench) -> None:
    policy = replace(BARE, most_in_flight=1_100)
    await slow.admit(*(job(f"s{number}", f"group:{number + 1}") for number in range(1_100)), most=2_000)
    flying: list[Claim] = []
    while claimed := (await slow.tick(most_claims=1_100 - len(flying), policy=policy)).claims:
        flying += claimed
    await slow.tick(*(Outcome(claim, **TOO_FAST) for claim in flying), most_claims=0, policy=policy)
    await answer(slow, await claims(slow, 3), **WITHHELD)
    numbers = await slow.scripts.overview("main")
    assert len(numbers.slowed) == 64
    assert next(one for one in numbers.slowed if one.name == "account").reason == "risk_control"
