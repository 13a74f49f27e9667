"""The check of every change fails where a floor is missed, and has the last word only after a second try."""

import argparse

import pytest

from tests.bench import check, floors
from tests.bench.report import Bound, Report, percentile

_SMALL = argparse.Namespace(jobs=200, rounds=1)


@pytest.mark.timeout(120)
async def test_a_gateway_that_is_slower_than_its_floor_is_measured_twice_and_fails(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(floors.REACHED_AT_LEAST, "jobs/s ÷ bare loop", 1_000.0)
    report = await check.measure(_SMALL)
    assert not report.met
    assert report.notes[0].startswith("measured again")


@pytest.mark.timeout(120)
async def test_a_gateway_that_is_far_better_than_its_floors_is_measured_once_and_passes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in floors.REACHED_AT_LEAST:
        monkeypatch.setitem(floors.REACHED_AT_LEAST, name, 0.0)
    for name in floors.REACHED_AT_MOST:
        monkeypatch.setitem(floors.REACHED_AT_MOST, name, 1e6)
    report = await check.measure(_SMALL)
    assert report.met, str(report)
    assert not report.notes
    assert {bound.what for bound in report.bounds} == floors.REACHED_AT_LEAST.keys() | floors.REACHED_AT_MOST.keys()


def test_a_report_is_met_when_every_bound_is() -> None:
    report = Report("it", "a thing", ("what",))
    report.bounds += [Bound("low", 1.0, 1.0), Bound("high", 2.0, 2.0, at_least=True)]
    assert report.met
    report.bounds.append(Bound("low", 1.01, 1.0))
    assert not report.met


def test_a_percentile_is_the_least_value_that_so_many_do_not_exceed() -> None:
    values = [float(number) for number in range(100, 0, -1)]
    assert [percentile(values, percent) for percent in (1, 50, 99, 100)] == [1, 50, 99, 100]
