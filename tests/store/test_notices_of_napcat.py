"""What NapCat notices of its own accord: groups the account is thrown out of, messages taken back, and mutes."""

from dataclasses import replace

from gateway.model.attempt import Outcome
from gateway.model.verdict import Verdict
from tests.store.bench import DELIVERED, POLICY, Bench, job
from tests.store.clock import SlowBench

PRINT = "0123456789abcdef"  # of the parts that `job` makes


async def kicked(bench: Bench) -> list[tuple[str, str]]:
    ended = await bench.scripts.reject("main", POLICY, "group:1", "kicked")
    return [(one.job_id, one.state) for one in ended]


async def test_what_waits_for_a_group_the_account_is_thrown_out_of_ends_rejected(bench: Bench) -> None:
    await bench.admit(job("a"), job("b"), job("c", priority="high"), job("other", "group:2"))
    assert sorted(await kicked(bench)) == [("a", "rejected"), ("b", "rejected"), ("c", "rejected")]
    assert await kicked(bench) == []
    receipt = await bench.state("a")
    assert (receipt["state"], receipt["code"]) == ("rejected", "kicked")
    tick = await bench.tick()
    assert [claim.job_id for claim in tick.claims] == ["other"]


async def test_what_is_being_sent_to_such_a_group_is_ended_by_its_own_answer(bench: Bench) -> None:
    await bench.admit(job("a"), job("b"))
    claim = await bench.claim()
    assert await kicked(bench) == [("b", "rejected")]
    await bench.tick(Outcome(claim, **DELIVERED))
    assert (await bench.state("a"))["state"] == "delivered"


async def test_what_may_have_been_sent_to_such_a_group_is_settled_as_ever(bench: Bench) -> None:
    await bench.admit(job("a"), job("b"), job("c"))
    await bench.tick(Outcome(await bench.claim(), "unknown", Verdict.UNKNOWN, rule="reset"))
    assert sorted(await kicked(bench)) == [("b", "rejected"), ("c", "rejected")]
    assert (await bench.state("a"))["state"] == "unknown"
    now = await bench.redis_time()
    assert (await bench.scripts.evidence("main", POLICY, "group:1", PRINT, 5, now))[0] == "credited"


async def test_parts_that_were_delivered_keep_a_job_from_being_rejected_as_a_whole(bench: Bench) -> None:
    await bench.admit(job("a", parts=2))
    await bench.tick(Outcome(await bench.claim(), **DELIVERED), policy=replace(POLICY, most_in_flight=0))
    assert await kicked(bench) == []
    assert (await bench.claim()).part_no == 1


async def test_a_long_lane_is_rejected_in_turns(bench: Bench) -> None:
    await bench.admit(*(job(str(number)) for number in range(600)), most=1_000)
    turns = [len(await kicked(bench)) for _ in range(4)]
    assert turns == [256, 256, 88, 0]
    assert not (await bench.tick()).has_work


async def test_a_message_that_is_taken_back_is_noted_in_the_receipt_which_lives_no_longer_for_it(bench: Bench) -> None:
    await bench.admit(job("a"))
    await bench.settle(await bench.claim())
    (record,) = await bench.keys("*:job:a")
    left = await bench.left(record)
    for _ in range(2):
        assert await bench.scripts.recall("main", "group:1", DELIVERED["message_id"]) == "a"
    assert "recalled_at" in await bench.state("a")
    assert 0 < await bench.left(record) <= left


async def test_a_message_that_is_not_ours_is_taken_back_without_a_word(bench: Bench) -> None:
    await bench.admit(job("a"))
    await bench.settle(await bench.claim())
    assert await bench.scripts.recall("main", "group:1", 8) is None
    assert await bench.scripts.recall("main", "group:2", DELIVERED["message_id"]) is None


async def test_a_full_redis_notes_what_is_taken_back(bench: Bench) -> None:
    await bench.admit(job("a"))
    await bench.settle(await bench.claim())
    await bench.fill()
    assert await bench.scripts.recall("main", "group:1", DELIVERED["message_id"]) == "a"


async def test_a_message_is_known_to_be_ours_for_a_day_and_not_for_ever(slow: SlowBench) -> None:
    day = 86_400_000
    await slow.admit(job("a"))
    await slow.settle(await slow.claim())
    await slow.move(day)
    assert await slow.scripts.recall("main", "group:1", DELIVERED["message_id"]) == "a"
    await slow.move(day)
    assert await slow.scripts.recall("main", "group:1", DELIVERED["message_id"]) is None


async def test_what_was_under_way_when_a_group_was_muted_and_arrived_does_not_end_the_mute(slow: SlowBench) -> None:
    await slow.admit(job("a"), job("b"))
    claim = await slow.claim()
    await slow.move(1)
    assert await slow.scripts.hold("main", "group:1", "muted", operator=False, milliseconds=5_000)
    tick = await slow.tick(Outcome(claim, **DELIVERED))
    assert (tick.claims, tick.next_in) == ([], 5_000)


async def test_a_target_that_is_muted_again_after_its_mute_is_noted_again(slow: SlowBench) -> None:
    await slow.admit(job("a", ttl=3_600_000))
    notes = []
    for _ in range(2):
        muted = Outcome(
            await slow.claim(), "retry", Verdict.RETRY, rule="muted", effect="park", hold_ms=600_000, spends=False
        )
        notes += [(noted.what, noted.name) for noted in (await slow.tick(muted)).noted]
        await slow.move(600_000)
    assert notes == [("held", "group:1")] * 2


async def muted(slow: SlowBench, milliseconds: int) -> None:
    await slow.scripts.hold("main", "group:1", "muted", operator=False, milliseconds=milliseconds)


async def goes(slow: SlowBench) -> bool:
    """Tell whether a job of the group may go now."""
    await slow.admit(job(f"at {slow.now}"))
    return bool((await slow.tick()).claims)


async def test_a_muted_group_is_asked_about_every_ten_minutes_until_it_may_speak(slow: SlowBench) -> None:
    await muted(slow, 3_600_000)
    for _ in range(3):
        assert (await slow.tick()).next_in == 600_000
        await slow.move(600_000)
        assert [(look.job_id, str(look.target)) for look in (await slow.tick()).looks] == [("", "group:1")]
    await slow.scripts.release("main", "group:1", "muted", operator=False)
    assert await goes(slow)
    await slow.move(600_000)
    assert (await slow.tick()).looks == []


async def test_a_park_lasts_as_long_as_the_mute_that_napcat_tells_of(slow: SlowBench) -> None:
    await muted(slow, 600_000)
    assert await slow.scripts.mute("main", "group:1", slow.now + 3_600_000) == slow.now + 3_600_000
    await slow.move(3_599_999)
    assert not await goes(slow)
    await slow.move(1)
    assert await goes(slow)


async def test_a_long_park_is_short_when_napcat_knows_of_no_mute_and_a_short_one_stays(slow: SlowBench) -> None:
    await muted(slow, 86_400_000)
    assert await slow.scripts.mute("main", "group:1", 0) == slow.now + 600_000
    await slow.move(590_000)
    assert await slow.scripts.mute("main", "group:1", 0) == slow.now + 10_000


async def test_what_was_let_go_while_napcat_was_asked_stays_let_go(slow: SlowBench) -> None:
    await muted(slow, 600_000)
    await slow.scripts.release("main", "group:1", "muted", operator=False)
    assert await slow.scripts.mute("main", "group:1", slow.now + 3_600_000) == 0
    assert await goes(slow)


async def test_a_mute_that_is_lifted_while_an_operator_holds_the_group_is_over_when_that_ends(slow: SlowBench) -> None:
    await muted(slow, 86_400_000)
    await slow.scripts.hold("main", "group:1", "quarrel", operator=True, milliseconds=2_000)
    assert not await slow.scripts.release("main", "group:1", "muted", operator=False)
    await slow.move(1_999)
    assert not await goes(slow)
    await slow.move(1)
    assert await goes(slow)


async def test_a_muted_group_is_asked_about_also_while_an_operator_holds_it(slow: SlowBench) -> None:
    await muted(slow, 86_400_000)
    await slow.scripts.hold("main", "group:1", "quarrel", operator=True, milliseconds=1_200_000)
    await slow.move(600_000)
    assert len((await slow.tick()).looks) == 1
    assert await slow.scripts.mute("main", "group:1", 0) == slow.now + 600_000
    assert not await goes(slow)
    await slow.move(600_000)
    assert await goes(slow)
