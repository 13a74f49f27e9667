"""What is counted of an account stays true when there is much of it, or something large."""

import asyncio

import pytest

from gateway.store.values import Submission
from tests.store.bench import Bench, job


def large(name: str, target: str) -> Submission:
    """Return a job with a medium in it, too large to be read for a look."""
    one = job(name, target)
    return one._replace(parts=tuple(part._replace(body=b'"' + b"x" * 100_000 + b'"') for part in one.parts))


async def test_a_hold_is_told_among_many_that_are_over(bench: Bench) -> None:
    for number in range(600):
        await bench.scripts.hold("main", f"group:{number + 1}", "muted", operator=False, milliseconds=1)
    await bench.scripts.hold("main", "group:77777", "night", operator=True)
    numbers = await bench.scripts.overview("main")
    assert [(hold.name, hold.reason) for hold in numbers.holds] == [("group:77777", "night")]
    assert numbers.parked == 1


@pytest.mark.parametrize("paused", [False, True])
async def test_a_lane_whose_first_job_is_large_says_what_holds_it(bench: Bench, paused: bool) -> None:
    await bench.admit(large("a", "group:1"))
    await bench.scripts.hold("main", "group:1", "muted", operator=False, milliseconds=60_000)
    if paused:
        await bench.scripts.hold("main", "account", "night", operator=True)
    (lane,) = (await bench.scripts.overview("main")).backlog
    assert (lane.target, lane.state, lane.waits) == ("group:1", "waiting", None)
    assert lane.reason == ("paused" if paused else "parked")
    assert lane.eta


async def test_a_large_job_that_is_being_sent_is_told_as_sent(bench: Bench) -> None:
    await bench.admit(large("a", "group:1"), job("b", "group:1"))
    await bench.claim()
    (lane,) = (await bench.scripts.overview("main")).backlog
    assert (lane.queued, lane.state, lane.reason) == (2, "sending", "")


async def test_what_is_scheduled_comes_when_it_is_due(bench: Bench) -> None:
    await bench.admit(job("a", "group:1"), job("b", "group:1")._replace(delay=60_000), job("c")._replace(delay=1))
    assert (await bench.scripts.overview("main")).came(5) == 1
    await asyncio.sleep(0.01)
    await bench.tick()
    assert (await bench.scripts.overview("main")).came(5) == 2
