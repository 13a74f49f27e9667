"""What each product's events become, sample by sample."""

import json

import pytest

from gateway.intake.hooks.hook import Hook
from gateway.intake.hooks.preset import presets
from gateway.intake.preparation import prepare
from gateway.model.errors import Refused
from gateway.settings import Hook as HookSettings
from gateway.settings import Settings
from tests.hooks.samples import NOW, Sample, samples

ALL = samples()


def hook_of(sample: Sample) -> Hook:
    settings = {"name": "a-hook", "preset": sample.preset, "secret": "whsec_c2VjcmV0", "targets": ["group:123456"]}
    return Hook(HookSettings.model_validate({**settings, **sample.settings}))


@pytest.mark.parametrize("sample", ALL, ids=[f"{sample.preset}-{sample.name}" for sample in ALL])
def test_an_event_becomes_this_message(sample: Sample) -> None:
    hook = hook_of(sample)
    if sample.refused is not None:
        with pytest.raises(Refused) as refused:
            hook.read(sample.delivery, hook.payload(sample.delivery), NOW)
        assert refused.value.code == sample.refused
        return
    reading = hook.read(sample.delivery, hook.payload(sample.delivery), NOW)
    assert [job["message"] for job in reading.jobs] == ([sample.segments] if sample.segments else [])
    assert sample.event in {None, reading.event}
    for job in reading.jobs:  # what a template makes is a message that NapCat gets
        assert prepare(json.dumps(job).encode(), Settings(), "id").parts


@pytest.mark.parametrize("preset", sorted(presets()))
def test_each_preset_has_at_least_three_events_of_its_product(preset: str) -> None:
    told = [sample for sample in samples(preset) if sample.segments and sample.source]
    assert len(told) >= 3, f"put some more of its documentation into tests/hooks/{preset}/"


@pytest.mark.parametrize("preset", sorted(presets()))
def test_each_preset_brings_a_sample_that_becomes_a_message(preset: str) -> None:
    hook = hook_of(Sample(preset=preset, name="own"))
    assert hook.sample(NOW).jobs


@pytest.mark.parametrize("preset", ["bark", "serverchan", "generic"])
def test_what_is_pushed_may_be_of_any_length_and_is_cut(preset: str) -> None:
    long = dict.fromkeys(("title", "subtitle", "body", "text", "desp", "tags", "group"), "word " * 200000)
    delivery = Sample(preset=preset, name="long", path="key", payload=long).delivery
    hook = hook_of(Sample(preset=preset, name="long"))
    [job] = hook.read(delivery, hook.payload(delivery), NOW).jobs
    assert 200 < len(job["message"][0]["data"]["text"]) < 5000
