"""A pause of the account ends when NapCat was asked whether the account works, and calls go out again by and by."""

from typing import Any

from gateway.model.attempt import Claim, Outcome
from gateway.model.verdict import Verdict
from gateway.store.values import Probed, Tick
from tests.store.bench import DELIVERED, POLICY, Bench, job
from tests.store.clock import SlowBench

LEASE = 15_000  # a replica has this long to find out whether the account works
NOT_CONNECTED: dict[str, Any] = {
    "settlement": "retry", "verdict": Verdict.RETRY, "rule": "not_connected",
    "effect": "pause", "hold_ms": 1_000, "spends": False,
}  # fmt: skip


async def pause(slow: SlowBench, reason: str = "bot_offline", milliseconds: int = 1_000) -> int | None:
    return await slow.scripts.hold("main", "account", reason, operator=False, milliseconds=milliseconds)


async def probed(bench: Bench, reason: str = "", number: str = "", expected: str = "") -> Probed:
    return await bench.scripts.probed("main", reason, 1_000, number, expected)


async def breaker(bench: Bench) -> str:
    return (await bench.scripts.overview("main")).breaker


async def try_again(slow: SlowBench) -> Tick:
    """Let a pause run out and find out that the account works; return the first tick of the trial."""
    await pause(slow)
    await slow.move(1_000)
    assert (await slow.tick()).probe
    assert (await probed(slow)).state == "trial"
    return await slow.tick()


def lanes(count: int) -> list[Any]:
    return [job(str(number), f"group:{number + 1}") for number in range(count)]


def delivered(*claims: Claim) -> list[Outcome]:
    return [Outcome(claim, **DELIVERED) for claim in claims]


async def test_only_one_replica_is_asked_whether_the_account_works(slow: SlowBench) -> None:
    await slow.admit(job("a"))
    await pause(slow)
    assert (await slow.tick()).next_in == 1_000
    await slow.move(1_000)
    first, second = await slow.tick(), await slow.tick(replica="r2")
    assert (first.probe, second.probe) == (True, False)
    assert (first.claims, second.claims) == ([], [])
    assert (first.next_in, second.next_in) == (LEASE, LEASE)
    assert (await slow.state("a"))["reason"] == "paused"
    assert await breaker(slow) == "open"


async def test_a_replica_that_never_tells_what_it_found_out_is_replaced(slow: SlowBench) -> None:
    await pause(slow)
    await slow.move(1_000)
    assert (await slow.tick()).probe
    await slow.move(LEASE - 1)
    assert not (await slow.tick(replica="r2")).probe
    await slow.move(1)
    assert (await slow.tick(replica="r2")).probe


async def test_a_replica_with_its_hands_full_is_not_asked_and_waits_until_a_call_ends(slow: SlowBench) -> None:
    await slow.admit(job("a"), job("b", "group:2"))
    claim, _ = (await slow.tick()).claims
    await slow.tick(Outcome(claim, **NOT_CONNECTED))
    await slow.move(1_000)
    full = await slow.tick(most_claims=0)
    assert not full.probe
    assert full.next_in == POLICY.lease  # when the lease of the call that is open lapses: 1 s of its own have passed
    assert (await slow.tick(replica="r2")).probe


async def test_a_failed_probe_pauses_for_twice_as_long_up_to_half_a_minute(slow: SlowBench) -> None:
    await pause(slow)
    pauses = []
    for wait in (1_000, 2_000, 4_000, 8_000, 16_000, 30_000):
        await slow.move(wait)
        assert (await slow.tick()).probe
        pauses.append((await probed(slow, "bot_offline")).until - slow.now)
    assert pauses == [2_000, 4_000, 8_000, 16_000, 30_000, 30_000]


async def test_a_trial_lets_twice_as_many_calls_go_with_every_answer_until_all_may(slow: SlowBench) -> None:
    await slow.admit(*lanes(12))
    (first,) = (await try_again(slow)).claims
    assert await breaker(slow) == "half_open"
    assert (await slow.tick()).claims == []
    second, third = (await slow.tick(*delivered(first))).claims
    more = (await slow.tick(*delivered(second))).claims  # 4 at once, one of which is still open
    assert len(more) == 3
    last = await slow.tick(*delivered(third))
    assert [(noted.what, noted.name, noted.reason) for noted in last.noted] == [("resumed", "account", "bot_offline")]
    assert len(last.claims) == POLICY.most_in_flight - len(more)
    assert await breaker(slow) == "closed"


async def test_a_trial_that_went_well_as_far_as_it_went_is_over_after_ten_seconds(slow: SlowBench) -> None:
    await slow.admit(job("0"))
    (first,) = (await try_again(slow)).claims
    await slow.tick(*delivered(first))
    await slow.admit(*lanes(9)[1:])
    await slow.move(9_999)
    assert len((await slow.tick()).claims) == 2
    await slow.move(1)
    tick = await slow.tick()
    assert [noted.what for noted in tick.noted] == ["resumed"]
    assert len(tick.claims) == 3


async def test_a_trial_that_nothing_answers_goes_on_with_one_call_at_a_time(slow: SlowBench) -> None:
    await slow.admit(*lanes(3))
    (first,) = (await try_again(slow)).claims
    await slow.move(20_000)
    lost = Outcome(first, "unknown", Verdict.UNKNOWN, rule="no_answer")
    assert len((await slow.tick(lost)).claims) == 1


async def test_a_call_that_fails_in_a_trial_pauses_again_and_for_longer(slow: SlowBench) -> None:
    await slow.admit(*lanes(3))
    (first,) = (await try_again(slow)).claims
    tick = await slow.tick(Outcome(first, **NOT_CONNECTED))
    assert (tick.claims, tick.next_in) == ([], 2_000)
    await slow.move(2_000)
    assert (await slow.tick()).probe


async def test_telling_the_same_finding_twice_changes_nothing(slow: SlowBench) -> None:
    await pause(slow)
    await slow.move(1_000)
    await slow.tick()
    assert [(await probed(slow, "bot_offline")).until - slow.now for _ in range(2)] == [2_000, 2_000]
    await slow.move(2_000)
    assert [(await probed(slow)).state for _ in range(2)] == ["trial", "fine"]


async def test_a_finding_that_comes_when_the_account_is_paused_anew_ends_nothing(slow: SlowBench) -> None:
    await slow.admit(job("a"))
    await pause(slow)
    await slow.move(1_000)
    assert (await slow.tick()).probe
    await pause(slow)
    assert (await probed(slow)).state == "fine"
    assert (await slow.tick()).claims == []


async def test_an_event_that_says_the_account_is_back_has_it_asked_at_once(slow: SlowBench) -> None:
    await pause(slow)
    await slow.move(1_000)
    await slow.tick()
    assert (await probed(slow, "bot_offline")).state == "paused"
    assert not (await slow.tick()).probe
    assert await slow.scripts.release("main", "account", "not_connected bot_offline", operator=False)
    tick = await slow.tick()
    assert (tick.probe, tick.claims) == (True, [])


async def test_what_lets_go_a_short_pause_leaves_a_longer_one_for_another_reason(slow: SlowBench) -> None:
    await slow.admit(job("a"))
    restricted = {**NOT_CONNECTED, "rule": "account_restricted", "hold_ms": 600_000}
    await slow.tick(Outcome(await slow.claim(), **restricted))
    assert await pause(slow, "bot_offline") is None
    assert (await probed(slow, "not_connected")).until - slow.now == 600_000
    assert not await slow.scripts.release("main", "account", "not_connected bot_offline", operator=False)
    [hold] = (await slow.scripts.overview("main")).holds
    assert (hold.reason, hold.until - slow.now) == ("account_restricted", 600_000)


async def test_another_number_than_before_pauses_and_an_operator_who_resumes_accepts_it(slow: SlowBench) -> None:
    assert await probed(slow, number="10001") == ("fine", "10001", 0)
    wrong = await probed(slow, number="10002")
    assert wrong == ("wrong_account", "10001", slow.now + 30_000)
    assert (await slow.scripts.overview("main")).login == "10001"
    await slow.scripts.release("main", "account", operator=True)
    assert (await probed(slow, number="10002")).state == "trial"
    assert (await slow.scripts.overview("main")).login == "10002"


async def test_a_number_that_the_settings_name_is_the_only_right_one(slow: SlowBench) -> None:
    assert (await probed(slow, number="10002", expected="10001")).state == "wrong_account"
    await slow.scripts.release("main", "account", operator=True)
    assert (await probed(slow, number="10002", expected="10001")).state == "wrong_account"


async def test_what_an_operator_paused_for_a_while_is_asked_about_before_it_goes_on(slow: SlowBench) -> None:
    await slow.admit(*lanes(3))
    await slow.scripts.hold("main", "account", "maintenance", operator=True, milliseconds=1_000)
    assert (await probed(slow, "bot_offline")).until == slow.now + 1_000
    await slow.move(1_000)
    tick = await slow.tick()
    assert (len(tick.claims), tick.probe) == (0, True)
    assert (await probed(slow)).state == "trial"
    assert len((await slow.tick()).claims) == 1


async def test_a_short_pause_by_an_operator_does_not_end_the_longer_one_it_lies_upon(slow: SlowBench) -> None:
    await slow.admit(*lanes(3))
    await pause(slow, "account_restricted", 600_000)
    await slow.scripts.hold("main", "account", "a short look", operator=True, milliseconds=500)
    await slow.move(1_000)
    tick = await slow.tick()
    assert (tick.claims, tick.probe) == ([], False)
    held = (await slow.scripts.overview("main")).holds
    assert [(hold.name, hold.reason) for hold in held] == [("account", "account_restricted")]


async def test_a_trial_without_traffic_is_over_after_ten_seconds_and_its_pause_forgotten(slow: SlowBench) -> None:
    assert await pause(slow) == slow.now + 1_000
    await slow.move(1_000)
    await slow.tick()
    await probed(slow)
    await slow.move(10_000)
    assert [noted.what for noted in (await slow.tick()).noted] == ["resumed"]
    assert await pause(slow) == slow.now + 1_000


async def test_a_full_redis_keeps_no_account_paused(slow: SlowBench) -> None:
    await slow.admit(job("a"))
    await pause(slow)
    await slow.fill()
    await slow.scripts.release("main", "account", operator=False)
    assert (await slow.tick()).probe
    assert (await probed(slow, number="10001")).state == "trial"
    assert (await slow.claim()).job_id == "a"
    assert await slow.scripts.hold("main", "account", "quarrel", operator=True)
