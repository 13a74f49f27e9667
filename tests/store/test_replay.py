"""Replaying what ended undelivered: once, with the parts that are missing, at the end of its lane."""

from typing import Any

import pytest

from gateway.model.attempt import Outcome
from gateway.model.verdict import Verdict
from gateway.store.scripts.readings import Wanted
from gateway.store.scripts.wishes import Replayed
from tests.store.bench import POLICY, Bench, job
from tests.store.clock import SlowBench

REFUSED: dict[str, Any] = {"settlement": "dead", "verdict": Verdict.RETRY, "rule": "busy"}


async def replay(bench: Bench, old: str, new: str, *, most: int = 100, max_age: int = 60_000) -> Replayed:
    (outcome,) = await bench.scripts.replay("main", [(old, new)], most, max_age)
    return outcome


async def dies(bench: Bench, name: str = "a", **fields: Any) -> None:
    """Admit a job and let it end undelivered."""
    await bench.admit(job(name, **fields))
    await bench.tick(Outcome(await bench.claim(), **REFUSED), most_claims=0)


async def test_a_replay_is_a_new_job_that_names_the_old_one(bench: Bench) -> None:
    await dies(bench, metadata='{"order": 1}', requester="7", priority="high")
    assert await replay(bench, "a", "again") == ("replayed", "again")
    receipt = await bench.state("again")
    assert (receipt["replay_of"], receipt["metadata"], receipt["target"]) == ("main.a", {"order": 1}, "group:1")
    assert (await bench.claim()).job_id == "again"
    assert (await bench.state("a"))["state"] == "dead"


async def test_a_replay_sends_only_the_parts_that_are_missing(bench: Bench) -> None:
    parts = tuple(part._replace(body=str(number).encode()) for number, part in enumerate(job("a", parts=3).parts))
    await bench.admit(job("a")._replace(parts=parts))
    await bench.settle(await bench.claim())
    await bench.tick(Outcome(await bench.claim(), **REFUSED), most_claims=0)
    await replay(bench, "a", "again")
    bodies = []
    for _ in range(2):
        claim = await bench.claim()
        bodies.append(claim.part.body)
        await bench.settle(claim)
    assert bodies == [b"1", b"2"]
    assert (await bench.state("again"))["parts"] == {"total": 2, "delivered": 2}


async def test_a_replay_goes_to_the_end_of_its_lane(bench: Bench) -> None:
    await dies(bench)
    await bench.admit(job("b"))
    await replay(bench, "a", "again")
    assert [await bench.deliver(), await bench.deliver()] == ["b", "again"]


async def test_a_job_is_replayed_once_however_often_that_is_asked_for(bench: Bench) -> None:
    await dies(bench)
    assert await replay(bench, "a", "again") == ("replayed", "again")
    assert await replay(bench, "a", "once-more") == ("duplicate", "again")
    await bench.deliver()
    assert await replay(bench, "a", "once-more") == ("duplicate", "again")
    assert (await bench.scripts.overview("main")).queued == 0


async def test_a_replay_that_ended_undelivered_is_replayed_in_its_turn(bench: Bench) -> None:
    await dies(bench)
    await replay(bench, "a", "again")
    await bench.tick(Outcome(await bench.claim(), **REFUSED), most_claims=0)
    assert await replay(bench, "a", "third") == ("replayed", "third")
    assert (await bench.state("third"))["replay_of"] == "main.again"


async def test_a_call_whose_answer_was_lost_is_repeated_without_a_second_replay(bench: Bench) -> None:
    await dies(bench)
    for _ in range(2):
        assert await replay(bench, "a", "again") == ("replayed", "again")
    assert (await bench.scripts.overview("main")).queued == 1


async def test_what_is_under_way_or_delivered_or_gone_is_not_replayed(bench: Bench) -> None:
    await bench.admit(job("a"))
    assert await replay(bench, "a", "again") == ("not_ended", "a")
    claim = await bench.claim()
    assert await replay(bench, "a", "again") == ("not_ended", "a")
    await bench.settle(claim)
    assert await replay(bench, "a", "again") == ("nothing_left", "a")
    assert await replay(bench, "nobody", "again") == ("gone", "nobody")


async def test_a_full_account_takes_no_replay(bench: Bench) -> None:
    await dies(bench)
    await bench.admit(job("b"))
    assert await replay(bench, "a", "again", most=1) == ("full", "a")


@pytest.mark.parametrize("state", ["expired", "cancelled", "unconfirmed"])
async def test_every_ending_without_delivery_can_be_replayed(slow: SlowBench, state: str) -> None:
    await slow.admit(job("a", ttl=1_000))
    if state == "cancelled":
        await slow.scripts.cancel("main", POLICY, "a")
    elif state == "unconfirmed":
        await slow.tick(Outcome(await slow.claim(), "unknown", Verdict.UNKNOWN, rule="reset"))
    for _ in range(2):  # an unknown one gets time for one more look at the history
        await slow.move(2 * POLICY.settle_for)
        await slow.tick()
    assert (await slow.state("a"))["state"] == state
    assert await replay(slow, "a", "again") == ("replayed", "again")
    assert (await slow.claim()).job_id == "again"


async def test_a_replay_lives_as_long_as_a_new_job(slow: SlowBench) -> None:
    await dies(slow, ttl=10_000)
    await slow.move(20_000)
    await replay(slow, "a", "again", max_age=60_000)
    await slow.move(59_000)
    assert (await slow.claim()).job_id == "again"


async def test_the_record_of_a_replayed_job_is_kept_no_longer(bench: Bench) -> None:
    await dies(bench)
    (record,) = await bench.keys("*:job:a")
    left = await bench.left(record)
    await replay(bench, "a", "again")
    assert 0 < await bench.left(record) <= left


async def test_what_was_replayed_is_not_meant_again(bench: Bench) -> None:
    await dies(bench)
    await dies(bench, "b")
    await replay(bench, "a", "again")
    wanted = Wanted(states=frozenset({"dead"}), unreplayed=True)
    _, found = await bench.scripts.search("main", wanted, "+", 10, letters=True)
    assert [hit.job_id for hit in found] == ["b"]


async def test_a_replay_whose_record_is_gone_is_not_sent_again(bench: Bench) -> None:
    await dies(bench)
    await replay(bench, "a", "again")
    await bench.deliver()
    (record,) = await bench.keys("*:job:again")
    await bench.drop(record)
    assert await replay(bench, "a", "third") == ("gone", "a")


async def test_a_replay_that_has_not_begun_is_called_off_when_the_old_job_arrived_after_all(slow: SlowBench) -> None:
    await slow.admit(job("a"))
    await slow.tick(Outcome(await slow.claim(), "unknown", Verdict.UNKNOWN, rule="reset"))
    for _ in range(2):
        await slow.move(2 * POLICY.settle_for)
        await slow.tick()
    await replay(slow, "a", "again")
    part = job("a").parts[0]
    at = (await slow.redis_time()) - 240
    outcome, _ = await slow.scripts.evidence("main", POLICY, "group:1", part.fingerprint, 7, at)
    assert outcome == "credited"
    assert (await slow.state("a"))["corrected"] is True
    receipt = await slow.state("again")
    assert (receipt["state"], receipt["code"]) == ("cancelled", "corrected")


async def test_one_call_moves_a_bounded_weight_of_jobs(bench: Bench) -> None:
    heavy = job("a")
    heavy = heavy._replace(parts=(heavy.parts[0]._replace(body=b"x" * 700_000),))
    await bench.admit(*(heavy._replace(id=name, fingerprint=name) for name in "abcd"))
    for name in "abcd":
        await bench.scripts.cancel("main", POLICY, name)
    told = await bench.scripts.replay("main", [(name, f"{name}-again") for name in "abcd"], 100, 60_000)
    assert [one.outcome for one in told] == ["replayed", "replayed", "later", "later"]


async def test_the_parts_of_a_job_go_to_its_replay(bench: Bench) -> None:
    heavy = job("a")._replace(parts=(job("a").parts[0]._replace(body=b"x" * 700_000),))
    await bench.admit(heavy)
    await bench.scripts.cancel("main", POLICY, "a")
    await replay(bench, "a", "again")
    (record,) = await bench.keys("*:job:a")
    assert await bench.weight(record) < 10_000
