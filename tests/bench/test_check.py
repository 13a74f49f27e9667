"""The check of every change fails where a floor is missed, and has the last word only after a second try."""

import pytest

from tests.bench import check, floors
from tests.bench.report import Bound, Report, percentile

_PERFECT, _HOPELESS = Bound("ratio", 2.0, 1.0, at_least=True), Bound("ratio", 0.5, 1.0, at_least=True)


@pytest.mark.timeout(120)
async def test_every_floor_is_measured() -> None:
    report = await check.once(jobs=200, rounds=1)
    assert {bound.what for bound in report.bounds} == floors.REACHED_AT_LEAST.keys() | floors.REACHED_AT_MOST.keys()
    assert all(bound.measured > 0 for bound in report.bounds)


@pytest.mark.parametrize(
    ("tries", "met", "told"),
    [
        ([_PERFECT], True, []),
        ([_HOPELESS, _PERFECT], True, ["measured again", str(_HOPELESS)]),
        ([_HOPELESS, _HOPELESS], False, ["measured again", str(_HOPELESS)]),
    ],
)
async def test_a_floor_that_is_missed_is_measured_once_more_and_that_counts(
    tries: list[Bound], met: bool, told: list[str]
) -> None:
    left = list(tries)

    async def measured() -> Report:
        return Report("check", "a few jobs", ("ratio",), bounds=[left.pop(0)])

    report = await check.settled(measured)
    assert report.met is met
    assert left == []
    assert [note.partition(",")[0] for note in report.notes] == told


def test_a_report_is_met_when_every_bound_is() -> None:
    report = Report("it", "a thing", ("what",))
    report.bounds += [Bound("low", 1.0, 1.0), Bound("high", 2.0, 2.0, at_least=True)]
    assert report.met
    report.bounds.append(Bound("low", 1.01, 1.0))
    assert not report.met


def test_a_percentile_is_the_least_value_that_so_many_do_not_exceed() -> None:
    values = [float(number) for number in range(100, 0, -1)]
    assert [percentile(values, percent) for percent in (1, 50, 99, 100)] == [1, 50, 99, 100]
