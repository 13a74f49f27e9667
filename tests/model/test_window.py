"""A window lets through as much as its rate allows, and never more."""

from hypothesis import given
from hypothesis import strategies as st

from gateway.model.rate import Rate
from gateway.model.window import Window

STEPS = st.lists(st.integers(0, 40), min_size=1, max_size=60)
"""Pauses between requests, in units of a 32nd of a second, which floats hold exactly."""


@given(count=st.integers(1, 5), period=st.sampled_from([125, 500, 1000]), steps=STEPS)
def test_one_is_taken_exactly_when_no_window_would_hold_too_many(count: int, period: int, steps: list[int]) -> None:
    window, taken, now = Window(Rate(count, period)), list[float](), 0.0
    for step in steps:
        now += step / 32
        recent = [at for at in taken if now - at < period / 1000]
        assert window.left(now) == count - len(recent)
        assert window.frees_in(now) == (min(recent) + period / 1000 - now if recent else 0)
        if window.take(now):
            taken.append(now)
            assert len(recent) < count
        else:
            assert len(recent) == count


def test_what_was_refused_counts_for_nothing() -> None:
    window = Window(Rate(1, 1000))
    assert window.take(0.0)
    assert not any(window.take(n / 10) for n in range(1, 10))
    assert window.take(1.0)
