"""What the admit and tick scripts promise by themselves: repeats, fences, leases, holds and windows."""

from dataclasses import replace

from gateway.model.attempt import Outcome
from gateway.model.rate import parse_rate
from gateway.model.verdict import Verdict
from tests.store.bench import DELIVERED, POLICY, WIDE, Bench, job
from tests.world import until


async def test_admitting_the_same_job_again_changes_nothing(bench: Bench) -> None:
    assert await bench.admit(job("a")) == ["admitted"]
    assert await bench.admit(job("a")) == ["admitted"]
    assert (await bench.scripts.overview("main")).queued == 1


async def test_an_entry_that_is_not_newer_than_its_sources_mark_is_skipped(bench: Bench) -> None:
    assert await bench.admit(job("a", entry="5-1"), job("b", entry="10-0"), source="s") == ["admitted", "admitted"]
    assert await bench.admit(job("c", entry="5-2"), job("d", entry="10-1"), source="s") == ["seen", "admitted"]
    assert await bench.admit(job("e", entry="5-2"), source="other") == ["admitted"]


async def test_a_full_account_takes_nothing_more_and_nothing_out_of_order(bench: Bench) -> None:
    jobs = [job(name, entry=f"{number}-0") for number, name in enumerate("abc", 1)]
    assert await bench.admit(*jobs, source="s", most=2) == ["admitted", "admitted", "full"]
    await bench.tick(Outcome(await bench.claim(), **DELIVERED))
    assert await bench.admit(jobs[2], source="s", most=2) == ["admitted"]


async def test_a_repeated_tick_returns_the_same_claims_and_ends_and_settles_once(bench: Bench) -> None:
    await bench.admit(job("a"), job("b"))
    first = await bench.tick(sequence=41)
    repeat = await bench.tick(sequence=41)
    assert repeat.claims == first.claims
    settle = Outcome(first.claims[0], **DELIVERED)
    assert [ended.state for ended in (await bench.tick(settle, sequence=42)).ended] == ["delivered"]
    again = (await bench.tick(settle, sequence=42)).ended
    assert [ended.state for ended in again] == ["delivered"], "told again, since the first reply was lost"
    assert (await bench.state("a"))["message_ids"] == [7]


async def test_a_lane_in_flight_is_claimed_by_no_other_replica(bench: Bench) -> None:
    await bench.admit(job("a"), job("b"))
    assert (await bench.claim()).job_id == "a"
    assert (await bench.tick(replica="r2")).claims == []


async def test_a_lapsed_lease_makes_the_attempt_unknown_and_its_late_answer_still_settles_it(bench: Bench) -> None:
    await bench.admit(job("a"))
    claim = await bench.claim(policy=replace(POLICY, lease=-990))
    await until(lambda: bench.tick(replica="r2"), lambda tick: tick.next_in > 10_000)
    assert (await bench.state("a"))["state"] == "unknown"
    await bench.tick(Outcome(claim, **DELIVERED))
    receipt = await bench.state("a")
    assert (receipt["state"], receipt["evidence"]) == ("delivered", "response")


async def test_a_claim_that_never_started_is_handed_back_even_after_its_lease_lapsed(bench: Bench) -> None:
    await bench.admit(job("a"))
    claim = await bench.claim(policy=replace(POLICY, lease=-990))
    await until(lambda: bench.tick(replica="r2"), lambda tick: tick.next_in > 10_000)
    again = (await bench.tick(Outcome(claim, "unstarted"))).claims
    assert [claim.job_id for claim in again] == ["a"]


async def test_an_answer_to_an_attempt_that_is_not_the_last_changes_nothing(bench: Bench) -> None:
    await bench.admit(job("a"))
    first = await bench.claim()
    retried = Outcome(first, "retry", Verdict.RETRY, rule="busy")
    (second,) = (await bench.tick(retried)).claims
    await bench.tick(Outcome(first, "rejected", Verdict.REJECTED, rule="late"))
    assert (await bench.state("a"))["state"] == "sending"
    await bench.tick(Outcome(second, **DELIVERED))
    assert (await bench.state("a"))["state"] == "delivered"


async def test_a_pause_that_ran_out_lets_one_call_through_once_napcat_was_asked(bench: Bench) -> None:
    await bench.admit(job("a"), job("b", "group:2"), job("c", "group:3"))
    claims = (await bench.tick()).claims
    paused = [
        Outcome(claim, "retry", Verdict.RETRY, rule="not_connected", effect="pause", hold_ms=50, spends=False)
        for claim in claims
    ]
    assert (await bench.tick(*paused)).claims == []
    assert (await until(bench.tick, lambda tick: tick.probe)).claims == []
    assert (await bench.tick()).claims == []
    assert (await bench.scripts.probed("main", "", 1_000, "", "")).state == "trial"
    (first,) = (await bench.tick()).claims
    assert len((await bench.tick(Outcome(first, **DELIVERED))).claims) == 2


async def test_calls_that_fail_together_lengthen_a_pause_once(bench: Bench) -> None:
    await bench.admit(*(job(str(number), f"group:{number + 1}") for number in range(5)))
    claims = (await bench.tick()).claims
    paused = [
        Outcome(claim, "retry", Verdict.RETRY, rule="not_connected", effect="pause", hold_ms=1_000, spends=False)
        for claim in claims
    ]
    assert 900 < ((await bench.tick(*paused)).next_in or 0) <= 1_000


async def test_of_attempts_that_cost_nothing_and_end_alike_the_record_keeps_the_last(bench: Bench) -> None:
    await bench.admit(job("a"))
    for _ in range(4):
        claim = (await until(bench.tick, lambda tick: tick.claims)).claims[0]
        free = Outcome(claim, "retry", Verdict.RETRY, rule="not_connected", spends=False)
        await bench.tick(free, policy=replace(POLICY, most_in_flight=0))
    attempts = (await bench.state("a"))["attempts"]
    assert [attempt["n"] for attempt in attempts] == [4]


async def test_the_wait_a_tick_returns_is_when_the_window_opens_and_not_before(bench: Bench) -> None:
    policy = replace(POLICY, limits=replace(WIDE, account=[parse_rate("2/400ms")]))
    await bench.admit(*(job(str(number), f"group:{number + 1}") for number in range(3)))
    first, second = (await bench.tick(policy=policy)).claims
    wait = (await bench.tick(Outcome(first, **DELIVERED), Outcome(second, **DELIVERED), policy=policy)).next_in
    assert wait is not None
    assert 390 < wait <= 401


async def test_a_send_in_flight_counts_in_its_window_as_just_now(bench: Bench) -> None:
    policy = replace(POLICY, limits=replace(WIDE, account=[parse_rate("1/200ms")]))
    await bench.admit(job("a"), job("b", "group:2"))
    assert len((await bench.tick(policy=policy)).claims) == 1
    assert (await bench.tick(policy=policy)).claims == []


async def test_a_send_that_never_left_counts_in_no_window(bench: Bench) -> None:
    policy = replace(POLICY, limits=replace(WIDE, account=[parse_rate("1/1h")]))
    await bench.admit(job("a"), job("b", "group:2"))
    claim = await bench.claim(policy=policy)
    assert len((await bench.tick(Outcome(claim, "unstarted"), policy=policy)).claims) == 1


async def test_one_tick_ends_only_so_many_jobs_and_the_next_goes_on(bench: Bench) -> None:
    await bench.admit(*(job(str(number), ttl=0) for number in range(600)), most=1_000)
    first = await bench.tick()
    assert 0 < len(first.ended) < 600
    assert first.next_in == 0
    await until(bench.tick, lambda tick: not tick.has_work)
    assert (await bench.scripts.overview("main")).ended == {"expired": 600}


async def test_a_message_napcat_reported_as_sent_ends_delivered_though_its_retries_are_spent(bench: Bench) -> None:
    await bench.admit(job("a"))
    claim = await bench.claim()
    now = await bench.redis_time()
    seen = await bench.scripts.evidence("main", POLICY, "group:1", "0123456789abcdef", 77, now)
    assert seen[0] == "remembered"
    await bench.tick(Outcome(claim, "dead", Verdict.RETRY, rule="busy"))
    receipt = await bench.state("a")
    assert (receipt["state"], receipt["evidence"], receipt["message_ids"]) == ("delivered", "event", [77])


async def test_a_tick_that_arrives_after_its_successor_claims_and_settles_nothing(bench: Bench) -> None:
    await bench.tick(sequence=1)
    await bench.tick(sequence=2)
    await bench.admit(job("a"))
    late = await bench.tick(sequence=1)
    assert (late.claims, late.ended) == ([], [])
    assert (await bench.tick(sequence=3)).claims[0].job_id == "a"
