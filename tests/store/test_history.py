"""Looks at the history: when they are due, what a listed message proves, and what it does not."""

from dataclasses import replace
from typing import Any

from gateway.model.attempt import Claim, Outcome
from gateway.model.verdict import Verdict
from gateway.store.values import Row, TickPolicy
from tests.store.bench import DELIVERED, POLICY, job
from tests.store.clock import SlowBench

PRINT = "0123456789abcdef"  # of the parts that `job` makes
QUICK = replace(POLICY, settle_for=4_000)
IDLE: dict[str, Any] = {"most_claims": 0}


async def lose(slow: SlowBench, claim: Claim, policy: TickPolicy = POLICY) -> int | None:
    """Let the answer of a call get lost; return when something is due next."""
    lost = Outcome(claim, "unknown", Verdict.UNKNOWN, rule="no_answer")
    return (await slow.tick(lost, policy=policy)).next_in


async def doubt(slow: SlowBench, name: str, policy: TickPolicy = POLICY, **fields: Any) -> int | None:
    """Send a job and let its answer get lost."""
    await slow.admit(job(name, **fields))
    return await lose(slow, await slow.claim(policy=policy), policy)


async def lists(slow: SlowBench, name: str, *messages: int, ago: int = 0, trusted: bool = False) -> str:
    """Let NapCat list messages like those of the job, so many seconds old."""
    rows = [Row(message, await slow.redis_time() - ago, PRINT) for message in messages]
    return (await slow.scripts.history("main", POLICY, name, rows, trusted=trusted))[0]


async def report(slow: SlowBench, message: int) -> str:
    return (await slow.scripts.evidence("main", POLICY, "group:1", PRINT, message, await slow.redis_time()))[0]


async def test_the_history_is_asked_soon_after_a_doubt_and_shortly_before_it_is_given_up(slow: SlowBench) -> None:
    assert await doubt(slow, "a") == 1_000
    waits = []
    for wait in (1_000, 56_000):
        await slow.move(wait)
        tick = await slow.tick()
        assert [(look.job_id, str(look.target)) for look in tick.looks] == [("a", "group:1")]
        waits.append(tick.next_in)
    assert waits == [56_000, 3_000]


async def test_a_look_and_the_end_of_settling_need_no_room_for_a_call(slow: SlowBench) -> None:
    await doubt(slow, "a")
    await slow.move(1_000)
    assert len((await slow.tick(**IDLE)).looks) == 1
    assert (await slow.tick(replica="r2")).looks == []


async def test_what_the_history_lists_is_not_sent_again_though_its_producer_chose_that(slow: SlowBench) -> None:
    await doubt(slow, "a", QUICK, on_unknown="resend")
    assert await lists(slow, "a", 5) == "listed"
    await slow.move(4_000)
    tick = await slow.tick(policy=QUICK)
    assert (tick.claims, [ended.state for ended in tick.ended]) == ([], ["unconfirmed"])
    assert (await slow.state("a"))["evidence"] == "history"


async def test_a_history_that_is_trusted_delivers(slow: SlowBench) -> None:
    await doubt(slow, "a")
    assert await lists(slow, "a", 5, trusted=True) == "delivered"
    receipt = await slow.state("a")
    assert (receipt["state"], receipt["evidence"], receipt["message_ids"]) == ("delivered", "history", [5])
    assert await report(slow, 5) == "known"


async def test_of_two_jobs_that_read_alike_one_listed_message_keeps_one_from_being_sent_again(slow: SlowBench) -> None:
    await doubt(slow, "a", QUICK, on_unknown="resend")
    assert await lists(slow, "a", 5) == "listed"
    await slow.move(4_000)
    await slow.admit(job("b", on_unknown="resend"))
    await lose(slow, await slow.claim(policy=QUICK), QUICK)
    assert await lists(slow, "b", 5) == "absent"
    await slow.move(4_000)
    assert (await slow.claim(policy=QUICK)).job_id == "b"
    assert (await slow.state("a"))["state"] == "unconfirmed"


async def test_a_listed_message_that_was_answered_for_is_no_evidence_of_another_job(slow: SlowBench) -> None:
    await slow.admit(job("a"))
    await slow.tick(Outcome(await slow.claim(), **DELIVERED))
    await doubt(slow, "b")
    assert await lists(slow, "b", DELIVERED["message_id"]) == "absent"


async def test_a_message_that_is_older_than_the_first_attempt_is_no_evidence(slow: SlowBench) -> None:
    await doubt(slow, "a", QUICK, on_unknown="resend")
    assert await lists(slow, "a", 5, ago=6) == "absent"
    await slow.move(4_000)
    await lose(slow, await slow.claim(policy=QUICK), QUICK)
    await slow.move(3_000)
    assert await lists(slow, "a", 6, ago=13) == "absent"
    assert await lists(slow, "a", 7, ago=12) == "listed"  # of the first attempt, 7 s ago, by a clock that is 5 s behind


async def test_an_event_settles_the_job_its_message_was_listed_for_and_not_its_twin(slow: SlowBench) -> None:
    await doubt(slow, "a", QUICK)
    assert await lists(slow, "a", 5) == "listed"
    await slow.move(4_000)
    await doubt(slow, "b", QUICK)
    assert await report(slow, 6) == "ambiguous"
    assert await report(slow, 5) == "credited"
    first, second = await slow.state("a"), await slow.state("b")
    assert (first["state"], first["evidence"], first["corrected"]) == ("delivered", "event", True)
    assert second["state"] == "unknown"
    assert await report(slow, 6) == "credited"


async def test_looks_that_nobody_answers_delay_giving_up_once_and_not_for_ever(slow: SlowBench) -> None:
    await doubt(slow, "a", QUICK)
    await slow.move(4_000)
    tick = await slow.tick(policy=QUICK)
    assert (tick.ended, tick.next_in) == ([], 0)
    tick = await slow.tick(policy=QUICK)
    assert ([look.job_id for look in tick.looks], tick.next_in) == (["a"], 1_000)
    await slow.move(1_000)
    assert [ended.state for ended in (await slow.tick(policy=QUICK)).ended] == ["unconfirmed"]


async def test_a_look_that_brought_nothing_delays_nothing(slow: SlowBench) -> None:
    await doubt(slow, "a", QUICK)
    assert await lists(slow, "a") == "absent"
    await slow.move(4_000)
    assert [ended.state for ended in (await slow.tick(policy=QUICK)).ended] == ["unconfirmed"]


async def test_a_look_that_is_answered_late_or_twice_changes_nothing(slow: SlowBench) -> None:
    await doubt(slow, "a", QUICK)
    assert [await lists(slow, "a", 5) for _ in range(2)] == ["listed", "listed"]
    await slow.move(4_000)
    await slow.tick(policy=QUICK)
    assert await lists(slow, "a", 5, trusted=True) == "settled"
    assert await lists(slow, "nobody", 5) == "settled"


async def test_a_late_answer_to_one_attempt_does_not_send_again_what_may_be_another_ones_message(
    slow: SlowBench,
) -> None:
    await doubt(slow, "a", QUICK, on_unknown="resend")
    assert await lists(slow, "a") == "absent"
    await slow.move(4_000)
    again = await slow.claim(policy=replace(QUICK, lease=-1_000))
    await slow.tick(policy=QUICK, **IDLE)
    assert await lists(slow, "a", 5) == "listed"
    for late in (Outcome(again, "unstarted"), Outcome(again, "retry", Verdict.RETRY, rule="busy")):
        assert (await slow.tick(late, policy=QUICK)).claims == []
    await slow.move(4_000)
    assert [ended.state for ended in (await slow.tick(policy=QUICK)).ended] == ["unconfirmed"]


async def test_jobs_of_which_no_news_can_come_any_more_are_not_looked_through_for_ever(slow: SlowBench) -> None:
    await doubt(slow, "a", replace(POLICY, settle_for=0))
    await slow.tick(policy=replace(POLICY, settle_for=0))
    assert len(await slow.keys("*:unsettled:*")) == 1
    await slow.move(3_599_000)
    assert await report(slow, 5) == "credited"
    await doubt(slow, "b", replace(POLICY, settle_for=0))
    await slow.tick(policy=replace(POLICY, settle_for=0))
    await slow.move(2 * 3_600_000 + 1)
    assert await report(slow, 6) == "unmatched"
    assert await slow.keys("*:unsettled:*") == []


async def test_a_full_redis_takes_what_the_history_lists(slow: SlowBench) -> None:
    await doubt(slow, "a")
    await slow.fill()
    assert await lists(slow, "a", 5, trusted=True) == "delivered"


async def test_a_message_that_was_listed_for_one_part_says_nothing_of_the_next(slow: SlowBench) -> None:
    await doubt(slow, "a", QUICK, parts=2, on_unknown="resend")
    assert await lists(slow, "a", 5) == "listed"
    assert await report(slow, 5) == "credited"
    await lose(slow, await slow.claim(policy=QUICK), QUICK)
    assert await lists(slow, "a", 5) == "absent"
    await slow.move(4_000)
    assert (await slow.claim(policy=QUICK)).part_no == 1
