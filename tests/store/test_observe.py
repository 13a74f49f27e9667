"""Observed rates count what they would have delayed, and delay nothing."""

from dataclasses import replace
from typing import Any

import pytest

from gateway.model.rate import parse_rate
from tests.store.bench import POLICY, WIDE, Bench, job

HARD = [parse_rate("1/1h")]


@pytest.mark.parametrize("scope", ["account", "group", "requester"])
async def test_an_observed_rate_delays_nothing_and_counts_what_it_would_have(bench: Bench, scope: str) -> None:
    hard: dict[str, Any] = {scope: HARD}
    limits = replace(WIDE, observe=[scope], **hard)
    await bench.admit(*(job(str(number), requester="7") for number in range(3)))
    delivered = [await bench.deliver(policy=replace(POLICY, limits=limits)) for _ in range(3)]
    assert delivered == ["0", "1", "2"]
    assert (await bench.scripts.overview("main")).observed == {scope: 2}


async def test_an_override_is_observed_by_itself(bench: Bench) -> None:
    limits = replace(WIDE, overrides=[("group:1", HARD, True)])
    await bench.admit(job("a"), job("b"))
    assert [await bench.deliver(policy=replace(POLICY, limits=limits)) for _ in range(2)] == ["a", "b"]
    assert (await bench.scripts.overview("main")).observed == {"group": 1}


async def test_other_scopes_hold_as_before(bench: Bench) -> None:
    limits = replace(WIDE, observe=["group"], group=HARD, account=HARD)
    await bench.admit(job("a"), job("b"))
    policy = replace(POLICY, limits=limits)
    assert await bench.deliver(policy=policy) == "a"
    assert (await bench.tick(policy=policy)).claims == []
