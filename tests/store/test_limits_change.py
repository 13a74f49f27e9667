"""Settings change while sends are counted: no stamp is lost, and what was forgotten before is not taken for nothing."""

from dataclasses import replace

from gateway.model.attempt import Outcome
from gateway.model.rate import Rate, parse_rate
from gateway.store.values import TickPolicy
from tests.store.bench import DELIVERED, POLICY, WIDE, Bench, job
from tests.store.clock import SlowBench


def limited(*rates: str) -> TickPolicy:
    account = [parse_rate(rate) for rate in rates]
    return replace(POLICY, limits=replace(WIDE, account=account))


async def delivered(bench: Bench, policy: TickPolicy, most: int) -> int:
    """Deliver up to MOST jobs under POLICY as long as it lets any go; return how many."""
    for done in range(most):
        claims = (await bench.tick(policy=replace(policy, most_in_flight=1))).claims
        if not claims:
            return done
        await bench.settle(claims[0], policy)
    return most


async def test_a_longer_period_counts_the_sends_made_under_a_shorter_one(bench: Bench) -> None:
    await bench.admit(*(job(str(number), f"group:{number + 1}") for number in range(9)))
    assert await delivered(bench, limited("5/1ms"), 2) == 2
    assert await delivered(bench, limited("3/1h"), 9) == 1


async def test_a_larger_count_does_not_take_forgotten_sends_for_none(bench: Bench) -> None:
    await bench.admit(*(job(str(number), f"group:{number + 1}") for number in range(9)))
    for _ in range(5):
        while not await delivered(bench, limited("1/1ms"), 1):
            pass
    assert await delivered(bench, limited("4/1h"), 9) == 0


async def test_a_smaller_count_holds_at_once(bench: Bench) -> None:
    await bench.admit(*(job(str(number), f"group:{number + 1}") for number in range(9)))
    assert await delivered(bench, limited("5/1h"), 2) == 2
    assert await delivered(bench, limited("2/1h"), 9) == 0


async def test_a_scope_that_was_never_full_uses_a_larger_count_at_once(bench: Bench) -> None:
    await bench.admit(*(job(str(number), f"group:{number + 1}") for number in range(9)))
    assert await delivered(bench, limited("5/1h"), 2) == 2
    assert await delivered(bench, limited("8/1h"), 9) == 6


async def test_a_requester_whose_rate_comes_back_waits_for_no_send_that_was_answered_meanwhile(slow: SlowBench) -> None:
    paced = replace(POLICY, limits=replace(WIDE, requester=[Rate(1, 1_000)]))
    free = replace(POLICY, limits=replace(WIDE, requester=()))
    await slow.admit(job("first", requester="7"), job("second", "group:2", requester="7"))
    (first,) = (await slow.tick(policy=paced)).claims
    await slow.tick(Outcome(first, **DELIVERED), most_claims=0, policy=free)
    await slow.move(1_001)
    assert [claim.job_id for claim in (await slow.tick(policy=paced)).claims] == ["second"]
