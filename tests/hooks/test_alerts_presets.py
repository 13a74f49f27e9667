"""What holds for every message about alerts, whatever a payload has and has not."""

import copy
from collections.abc import Iterator
from typing import Any

import pytest

from gateway.intake.hooks.hook import Hook
from gateway.model.errors import Refused
from gateway.settings import Hook as HookSettings
from tests.hooks.samples import NOW, Sample, samples
from tests.hooks.test_presets import hook_of

PRESETS = ("alertmanager", "grafana", "uptime_kuma", "sentry")
ALL = [sample for preset in PRESETS for sample in samples(preset) if sample.refused is None]


def leaves(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """The paths of all values that have no others in them."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, one in inner:
        if isinstance(one, dict | list) and one:
            yield from leaves(one, (*path, key))
        else:
            yield (*path, key)


@pytest.mark.parametrize("sample", ALL, ids=[f"{sample.preset}-{sample.name}" for sample in ALL])
def test_a_value_that_is_null_breaks_no_message(sample: Sample) -> None:
    hook = hook_of(sample)
    refused = set()
    for path in leaves(sample.payload):
        payload = copy.deepcopy(sample.payload)
        parent: Any = payload
        for key in path[:-1]:
            parent = parent[key]
        parent[path[-1]] = None
        try:
            hook.read(sample.delivery, payload or {}, NOW)
        except Refused as refusal:
            refused.add((path, refusal.code))
    # Without these nobody knows what it is.
    assert refused <= {(("status",), "event_unknown"), (("action",), "event_unknown")}


@pytest.mark.parametrize("sample", ALL, ids=[f"{sample.preset}-{sample.name}" for sample in ALL])
def test_nobody_is_mentioned_unless_somebody_is_to_be(sample: Sample) -> None:
    hook = hook_of(sample.model_copy(update={"settings": {**sample.settings, "at": []}}))
    for job in hook.read(sample.delivery, hook.payload(sample.delivery), NOW).jobs:
        assert all(segment["type"] != "at" for segment in job["message"])


def collapse_key(preset: str, name: str, **changes: Any) -> str | None:
    sample = next(sample for sample in samples(preset) if sample.name == name)
    payload = {**(sample.payload or {}), **changes}
    key: str | None = hook_of(sample).read(sample.delivery, payload, NOW).jobs[0].get("collapse_key")
    return key


@pytest.mark.parametrize("preset", ["alertmanager", "grafana"])
def test_that_it_is_over_replaces_that_it_fires_while_that_waits(preset: str) -> None:
    assert collapse_key(preset, "firing") == collapse_key(preset, "resolved") is not None


@pytest.mark.parametrize("preset", ["alertmanager", "grafana"])
def test_groups_whose_long_keys_differ_at_their_ends_do_not_replace_each_other(preset: str) -> None:
    keys = [collapse_key(preset, "firing", groupKey=f'{{}}:{{alertname="{"a" * 200}{end}"}}') for end in "bc"]
    assert len(set(keys)) == 2
    assert all(key is not None and len(key) <= 128 for key in keys)


def test_that_a_monitor_is_up_replaces_that_it_is_down_and_nothing_replaces_a_notice() -> None:
    assert collapse_key("uptime_kuma", "up") == collapse_key("uptime_kuma", "down") is not None
    assert collapse_key("uptime_kuma", "certificate_expires") is None


def test_who_tests_uptime_kuma_twice_sees_it_twice() -> None:
    sample = next(sample for sample in samples("uptime_kuma") if sample.name == "test")
    hook = hook_of(sample)
    told = {hook.read(sample.delivery, sample.payload or {}, NOW + seconds).delivery for seconds in (0, 20)}
    assert len(told) == 2


def test_events_that_are_only_numbers_are_wanted_by_their_names() -> None:
    settings = {"name": "a-hook", "preset": "uptime_kuma", "secret": "s", "targets": "group:1234", "events": "down"}
    hook = Hook(HookSettings.model_validate(settings))
    told = {
        sample.name
        for sample in samples("uptime_kuma")
        if not sample.refused and hook.read(sample.delivery, sample.payload or {}, NOW).jobs
    }
    assert told == {"down", "still_down_of_version_1"}


@pytest.mark.parametrize(("others", "is_known"), [(10, True), (1_000, False)])
def test_of_what_has_no_id_the_last_thousand_are_remembered(others: int, is_known: bool) -> None:
    sample = next(sample for sample in samples("uptime_kuma") if sample.name == "test")
    hook = hook_of(sample)
    stretch_ends = NOW // 10 * 10  # ids without a memory change here: the preset's again_after is 10 s
    first = hook.read(sample.delivery, {"msg": "first"}, stretch_ends - 1).delivery
    for number in range(others):
        hook.read(sample.delivery, {"msg": f"{number}"}, stretch_ends - 1)
    again = hook.read(sample.delivery, {"msg": "first"}, stretch_ends + 1).delivery
    assert (again == first) == is_known
