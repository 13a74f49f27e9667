"""Waits, exhausted retries and holds: from a ruling to an outcome."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from gateway.forward.rules import load_rules
from gateway.forward.verdict import decide, judge
from gateway.model.attempt import Claim, Outcome
from gateway.model.part import Part
from gateway.model.target import Target
from gateway.model.verdict import Answer, Rule

SCHEDULE = (2_000, 10_000, 30_000)
PART = Part("send_group_msg", b"{}", 10_000, 0, "", nodes=False)
BUSY = Answer(http_status=503)
MUTED = Answer(http_status=200, status="failed", retcode=120)
MEDIA = Answer(http_status=200, status="failed", retcode=200, text="rich media transfer failed")


def outcome(answer: Answer, retries: int = 0, chance: float = 0.5, own: tuple[Rule, ...] = ()) -> Outcome:
    claim = Claim("job", Target("group", "1"), 1, retries + 1, 0, PART, retries, 0.0)
    return decide(claim, answer, judge(answer, load_rules(own)), SCHEDULE, chance, 12)


def test_a_delivered_message_brings_its_id() -> None:
    got = outcome(Answer(http_status=200, status="ok", retcode=0, message_id=7))
    assert (got.settlement, got.message_id, got.took_ms, got.rule) == ("delivered", 7, 12, "delivered")


def test_retries_wait_as_scheduled_and_end_dead() -> None:
    assert [outcome(BUSY, retries).wait_ms for retries in range(3)] == [2_000, 10_000, 30_000]
    assert [outcome(BUSY, retries).settlement for retries in range(5)] == ["retry"] * 3 + ["dead"] * 2


def test_a_row_with_its_own_waits_ends_as_it_says() -> None:
    assert [outcome(MEDIA, retries).wait_ms for retries in range(4)] == [5_000, 30_000, 120_000, 0]
    assert [outcome(MEDIA, retries).settlement for retries in range(4)] == ["retry"] * 3 + ["rejected"]


def test_after_three_strikes_a_fast_sender_waits_thirty_seconds_at_least() -> None:
    fast = Answer(http_status=200, status="failed", retcode=299)
    waits = [outcome(fast, strikes, chance=0.0).wait_ms for strikes in range(6)]
    assert waits == sorted(waits)
    assert min(waits[2:]) >= 30_000


@given(st.floats(0, 1, exclude_max=True), st.integers(0, 2))
def test_chance_moves_a_wait_by_a_fifth_at_most(chance: float, retries: int) -> None:
    planned = SCHEDULE[retries]
    assert 0.8 * planned <= outcome(BUSY, retries, chance).wait_ms <= 1.2 * planned


@pytest.mark.parametrize(
    ("asked", "waited"), [(0, 2_000), (1_000, 2_000), (45_000, 45_000), (86_400_000, 600_000), (-5, 2_000)]
)
def test_retry_after_is_honoured_within_reason(asked: int, waited: int) -> None:
    assert outcome(Answer(http_status=429, retry_after=asked)).wait_ms == waited


@pytest.mark.parametrize(
    ("answer", "effect", "hold_ms"),
    [
        (MUTED, "park", 600_000),
        (Answer(error="refused"), "pause", 1_000),
        (Answer(http_status=403), "pause", 1_000),
        (Answer(http_status=200, status="failed", retcode=46), "pause", 600_000),
    ],
)
def test_what_is_not_the_message_s_fault_never_costs_it_a_retry(answer: Answer, effect: str, hold_ms: int) -> None:
    got = outcome(answer, retries=99)
    assert (got.settlement, got.spends, got.wait_ms) == ("retry", False, 0)
    assert (got.effect, got.hold_ms) == (effect, hold_ms)


def test_a_message_that_alone_is_refused_again_and_again_holds_up_nobody_in_the_end() -> None:
    refused = Answer(http_status=403)
    claim = Claim("job", Target("group", "1"), 1, 1, 0, PART, 0, 0.0)
    got = [
        decide(claim._replace(pardoned_by=by, pardons=pardons), refused, judge(refused, load_rules()), SCHEDULE, 0.5, 0)
        for by, pardons in [("", 0), ("bad_token", 7), ("not_connected", 99), ("bad_token", 8)]
    ]
    assert [(one.effect, one.spends) for one in got] == [("pause", False)] * 3 + [(None, True)]


@pytest.mark.parametrize("rule", [{"waits": ["0s"]}, {"effect": "slow_account"}, {"effect": "pause", "after": 3}])
def test_a_rule_that_costs_no_retry_leaves_time_between_two_attempts(rule: dict[str, Any]) -> None:
    own = Rule.model_validate({"http": 503, "verdict": "retry", "spends": False, **rule})
    assert outcome(BUSY, own=(own,), chance=0.0).wait_ms >= 800


def test_a_hold_of_no_length_is_refused() -> None:
    with pytest.raises(ValidationError, match="hold"):
        Rule.model_validate({"http": 503, "verdict": "retry", "effect": "park", "hold": "0s"})


def test_a_rule_that_repeats_for_ever_does_not_do_it_in_a_circle() -> None:
    own = Rule.model_validate({"http": 503, "verdict": "retry", "spends": False})
    assert outcome(BUSY, 99, own=(own,)).wait_ms == 2_000
    claim = Claim("job", Target("group", "1"), 1, 1, 0, PART, 0, 0.0)
    assert decide(claim, BUSY, judge(BUSY, (own,)), (), 0.5, 0).wait_ms == 1_000


@pytest.mark.parametrize(
    ("answer", "settlement"),
    [
        (Answer(error="timeout"), "unknown"),
        (Answer(http_status=200, status="ok", retcode=0), "unknown"),
        (Answer(http_status=400, text="Invalid JSON"), "rejected"),
    ],
)
def test_other_verdicts_settle_at_once(answer: Answer, settlement: str) -> None:
    got = outcome(answer)
    assert (got.settlement, got.wait_ms, got.message_id) == (settlement, 0, None)
    assert (got.http_status, got.retcode) == (answer.http_status, answer.retcode)
