"""The indexes of jobs: how much one look may cost, and that what is gone leaves them."""

import time
from dataclasses import replace
from typing import Any

import pytest

from gateway.model.attempt import Outcome
from gateway.model.verdict import Verdict
from gateway.store.scripts.readings import Wanted
from tests.store.bench import DELIVERED, POLICY, Bench, job
from tests.store.clock import SlowBench

ALL = Wanted()


async def found(bench: Bench, wanted: Wanted = ALL, most: int = 500, **options: Any) -> list[str]:
    """Return the jobs of one look after the other, to the end of the index."""
    names: list[str] = []
    begin, letters = "+", options.get("letters", False)
    while begin:
        stopped, hits = await bench.scripts.search("main", wanted, begin, most, letters=letters)
        names += [hit.job_id for hit in hits]
        begin = f"({stopped}" if stopped else ""
    return names


async def test_one_look_goes_through_a_bounded_number_of_records(bench: Bench) -> None:
    await bench.admit(*(job(str(number)) for number in range(300)), most=1_000)
    stopped, hits = await bench.scripts.search("main", Wanted(target="group:2"), "+", 50, letters=False)
    assert (bool(stopped), hits) == (True, [])
    assert await found(bench) == [str(number) for number in reversed(range(300))]


async def test_one_look_at_heavy_records_takes_few_of_them(bench: Bench) -> None:
    heavy = job("a")
    heavy = heavy._replace(parts=(heavy.parts[0]._replace(body=b"x" * 700_000),))
    await bench.admit(*(heavy._replace(id=name, fingerprint=name) for name in "abc"))
    _, hits = await bench.scripts.search("main", ALL, "+", 50, letters=False)
    assert len(hits) == 1
    assert await found(bench) == ["c", "b", "a"]


async def test_what_ended_undelivered_has_an_index_of_its_own(bench: Bench) -> None:
    await bench.admit(job("a"), job("b", "group:2"), job("c", "group:3"))
    claims = {claim.job_id: claim for claim in (await bench.tick()).claims}
    await bench.tick(Outcome(claims["c"], "rejected", Verdict.REJECTED, rule="kicked"))
    await bench.tick(Outcome(claims["a"], "dead", Verdict.RETRY, rule="busy"))
    await bench.tick(Outcome(claims["b"], **DELIVERED))
    assert await found(bench, letters=True) == ["a", "c"]


@pytest.fixture
async def late(slow: SlowBench) -> SlowBench:
    """Much later than anything is kept that comes in now: the index goes by Redis' own clock."""
    await slow.move(int(time.time() * 1000) + 2 * POLICY.keep - slow.now)
    return slow


async def test_records_that_were_dropped_leave_the_index(late: SlowBench) -> None:
    for number in range(64):
        await late.admit(job(f"old-{number}"))
        await late.deliver()
    for key in await late.keys("*:job:old-*"):
        await late.drop(key)
    for number in range(64):
        await late.admit(job(f"new-{number}"))
        await late.deliver()
    assert await late.entries("index") == 64


async def test_records_that_are_dropped_after_they_were_looked_at_leave_the_index_the_next_time_round(
    late: SlowBench,
) -> None:
    for number in range(256):
        await late.admit(job(f"old-{number}"))
        await late.deliver()
    for key in await late.keys("*:job:old-*"):
        await late.drop(key)
    for number in range(192):
        await late.admit(job(f"new-{number}"))
        await late.deliver()
    assert await late.entries("index") == 192


async def test_a_job_that_waits_for_long_keeps_no_dropped_ones_in_the_index(late: SlowBench) -> None:
    await late.admit(job("waits", delay=10**9))
    for number in range(640):
        await late.admit(job(str(number)))
        await late.deliver()
        for key in await late.keys(f"*:job:{number}"):
            await late.drop(key)
    assert await late.entries("index") < 3 * 64
    assert "waits" in await found(late)


async def test_the_index_of_what_ended_undelivered_forgets_with_the_records(bench: Bench) -> None:
    short = replace(POLICY, keep=1)
    for number in range(300):
        await bench.admit(job(str(number)))
        await bench.scripts.cancel("main", short, str(number))
    assert await bench.entries("letters") < 300
