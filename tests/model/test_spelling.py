"""Durations, rates and targets are read back as they are spelled."""

from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.model.duration import format_duration, parse_duration
from gateway.model.errors import Refused
from gateway.model.rate import Rate, parse_rate
from gateway.model.target import Target, parse_target
from tests.trials import TRIALS

YEAR = 366 * 86_400_000
quick = settings(max_examples=50 * TRIALS, deadline=None, database=None)


@quick
@given(st.integers(0, YEAR))
def test_a_duration_is_read_back_as_it_was_spelled(milliseconds: int) -> None:
    assert parse_duration(format_duration(milliseconds)) == milliseconds


@quick
@given(st.integers(0, YEAR // 1000))
def test_a_whole_number_of_seconds_is_exact(seconds: int) -> None:
    assert parse_duration(seconds) == parse_duration(f"{seconds}s") == seconds * 1000


@quick
@given(st.integers(1, 999_999), st.integers(1, YEAR))
def test_a_rate_is_read_back_as_it_was_spelled(count: int, period: int) -> None:
    rate = Rate(count, period)
    assert parse_rate(str(rate)) == rate


@quick
@given(st.sampled_from(["group", "private"]), st.integers(1, 10**20 - 1))
def test_a_target_is_read_back_as_it_was_spelled(kind: str, number: int) -> None:
    target = parse_target(f"{kind}:{number}")
    assert str(target) == f"{kind}:{number}"
    assert target == Target(target.kind, str(number))


@quick
@given(st.text(max_size=20))
def test_any_text_is_a_duration_or_refused_as_a_wrong_value(text: str) -> None:
    with suppress(ValueError):
        assert 0 <= parse_duration(text) <= YEAR


@pytest.mark.parametrize(
    "text", ["", "group", "group:", "group:0", "group:01", "group:-1", "user:1", "group:１", "group:1\n"]
)
def test_what_is_no_target_is_refused_with_the_form_to_use(text: str) -> None:
    with pytest.raises(Refused, match=r"write group:<digits> or private:<digits>"):
        parse_target(text)
