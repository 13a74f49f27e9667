"""Callbacks in Redis: due when their job has ended, handed to one replica at a time, each receiver for itself."""

import json
from typing import Any

import pytest

from gateway.model.attempt import Outcome
from gateway.model.verdict import Verdict
from gateway.store.keys import Keys
from gateway.store.scripts import Scripts
from gateway.store.scripts.callbacks import Callback, HandedOut
from gateway.store.values import Submission
from tests.store.bench import POLICY, Bench, job
from tests.store.clock import SlowBench
from tests.world import World

LEASE = 10_000


def told(name: str, host: str = "a.example", target: str = "group:1", **fields: Any) -> Submission:
    return job(name, target, callback=f"{host} http://{host}/{name}?secret", **fields)


async def claim(bench: Bench, most: int = 8, lease: int = LEASE, one: int = 2, **under_way: int) -> HandedOut:
    hosts = {host.replace("_", "."): number for host, number in under_way.items()}
    return await bench.scripts.claim_callbacks("main", most, lease, one, hosts)


async def the_one(bench: Bench) -> Callback:
    (callback,) = (await claim(bench)).callbacks
    return callback


async def ended(bench: Bench, *jobs: Submission) -> None:
    """Admit JOBS and let each be delivered."""
    await bench.admit(*jobs)
    for _ in jobs:
        await bench.deliver()


async def leftovers(bench: Bench) -> list[Any]:
    return await bench.keys("gw:{main}:callbacks") + await bench.keys("gw:{main}:receiver*")


async def test_a_callback_is_due_when_its_job_ends_and_not_before(bench: Bench) -> None:
    await bench.admit(told("a"))
    assert await claim(bench) == HandedOut(None, False, [], [])
    await bench.deliver()
    callback = await the_one(bench)
    assert (callback.job_id, callback.host, callback.url) == ("a", "a.example", "http://a.example/a?secret")
    assert (callback.state, callback.failed) == ("delivered", 0)
    assert json.loads(callback.receipt) == await bench.state("a")


async def test_a_job_without_a_callback_leaves_nothing_behind(bench: Bench) -> None:
    await ended(bench, job("a"))
    assert await leftovers(bench) == []


@pytest.mark.parametrize("end", ["rejected", "dead", "cancelled", "collapsed", "expired", "kicked", "unconfirmed"])
async def test_every_end_is_told_of(slow: SlowBench, end: str) -> None:
    await slow.admit(told("a", collapse_key="k", ttl=50))
    if end == "cancelled":
        await slow.scripts.cancel("main", POLICY, "a")
    elif end == "collapsed":
        await slow.admit(job("b", collapse_key="k"))
    elif end == "kicked":
        await slow.scripts.reject("main", POLICY, "group:1", "kicked")
    elif end == "expired":
        await slow.move(100)
        await slow.tick()
    elif end == "unconfirmed":
        await slow.tick(Outcome(await slow.claim(), "unknown", Verdict.UNKNOWN, rule="reset"))
        for _ in range(3):
            await slow.move(POLICY.settle_for)
            await slow.tick()
    else:
        settled: Any = end
        await slow.tick(Outcome(await slow.claim(), settled, Verdict.REJECTED, rule="bad"))
    callback = await the_one(slow)
    receipt = json.loads(callback.receipt)
    assert callback.state == receipt["state"] == {"collapsed": "cancelled", "kicked": "rejected"}.get(end, end)


async def test_who_ends_a_job_with_a_callback_hears_of_it(world: World) -> None:
    heard: list[str] = []
    scripts = Scripts(world.clients.commands, Keys("gw"), heard.append)
    bench = Bench(world.clients, scripts)
    await ended(bench, job("a"))
    assert heard == []
    await ended(bench, told("b"))
    await bench.admit(told("c", collapse_key="k"), job("d", collapse_key="k"))
    await bench.admit(told("e", target="group:2"))
    await scripts.cancel("main", POLICY, "e")
    assert heard == ["main"] * 3


async def test_what_was_handed_out_is_nobody_elses_until_its_lease_lapses(slow: SlowBench) -> None:
    await ended(slow, told("a"))
    first = await the_one(slow)
    assert await claim(slow) == HandedOut(LEASE, False, [], [])
    await slow.move(LEASE)
    again = await the_one(slow)
    assert (again.job_id, again.failed) == ("a", 0)
    assert again.lease > first.lease


async def test_a_callback_that_was_posted_is_over_and_leaves_nothing_behind(bench: Bench) -> None:
    await ended(bench, told("a"))
    callback = await the_one(bench)
    assert await bench.scripts.settle_callback("main", callback, "posted")
    assert not await bench.scripts.settle_callback("main", callback, "posted")
    assert await claim(bench) == HandedOut(None, False, [], [])
    assert await leftovers(bench) == []
    assert (await bench.scripts.overview("main")).callbacks == (0, 0, 0, 0)


async def test_a_callback_that_failed_waits_and_knows_how_often_it_did(slow: SlowBench) -> None:
    await ended(slow, told("a"))
    for failed in range(3):
        callback = await the_one(slow)
        assert callback.failed == failed
        assert await slow.scripts.settle_callback("main", callback, "again", 5_000)
        assert not await slow.scripts.settle_callback("main", callback, "again", 5_000)
        assert await claim(slow) == HandedOut(5_000, False, [], [])
        await slow.move(5_000)


async def test_counting_failures_changes_neither_the_receipt_nor_how_long_it_is_kept(slow: SlowBench) -> None:
    await ended(slow, told("a"))
    before, (record,) = await slow.state("a"), await slow.keys("gw:{main}:job:a")
    left = await slow.left(record)
    await slow.move(1_000)
    assert await slow.scripts.settle_callback("main", await the_one(slow), "again", 5_000)
    assert await slow.state("a") == before
    assert left - 5_000 < await slow.left(record) <= left


async def test_a_callback_that_is_given_back_may_be_posted_at_once_and_lost_no_try(bench: Bench) -> None:
    await ended(bench, told("a"))
    assert await bench.scripts.settle_callback("main", await the_one(bench), "back")
    assert (await the_one(bench)).failed == 0


async def test_who_lost_its_lease_settles_nothing(slow: SlowBench) -> None:
    await ended(slow, told("a"))
    late = await the_one(slow)
    await slow.move(LEASE)
    await the_one(slow)
    for settlement in ("posted", "again", "given_up", "back"):
        assert not await slow.scripts.settle_callback("main", late, settlement)
    assert await claim(slow) == HandedOut(LEASE, False, [], [])


async def test_a_correction_is_told_of_too_whatever_became_of_the_first_post(slow: SlowBench) -> None:
    for fate in ("posted", "again", "under way"):
        await slow.admit(told(fate))
        await slow.tick(Outcome(await slow.claim(), "unknown", Verdict.UNKNOWN, rule="reset"))
        for _ in range(3):
            await slow.move(POLICY.settle_for)
            await slow.tick()
        first = await the_one(slow)
        assert first.state == "unconfirmed"
        if fate != "under way":
            assert await slow.scripts.settle_callback("main", first, fate, 60_000)  # type: ignore[arg-type]
        sent_at = slow.now // 1_000
        credited, _ = await slow.scripts.evidence("main", POLICY, "group:1", "0123456789abcdef", sent_at, sent_at)
        assert credited == "credited"
        second = await the_one(slow)
        assert (second.state, second.failed) == ("delivered", 0)
        assert json.loads(second.receipt)["corrected"] is True
        assert not await slow.scripts.settle_callback("main", first, "posted")
        assert await slow.scripts.settle_callback("main", second, "posted")
        assert await leftovers(slow) == []


async def test_a_record_that_is_no_longer_kept_takes_its_callback_along(bench: Bench, world: World) -> None:
    await ended(bench, told("a"), told("b"))
    await world.clients.commands.delete("gw:{main}:job:a")
    claimed = await claim(bench)
    assert claimed.dropped == [("a", "a.example")]
    assert [callback.job_id for callback in claimed.callbacks] == ["b"]
    assert (await bench.scripts.overview("main")).callbacks.given_up == 1


async def test_a_record_that_goes_while_it_is_posted_takes_its_callback_along(bench: Bench, world: World) -> None:
    await ended(bench, told("a"))
    callback = await the_one(bench)
    await world.clients.commands.delete("gw:{main}:job:a")
    assert await bench.scripts.settle_callback("main", callback, "again", 5_000)
    assert await leftovers(bench) == []


async def test_one_receiver_gets_so_many_at_once_and_the_next_ones_are_looked_for_elsewhere(bench: Bench) -> None:
    await ended(bench, *(told(f"a{n}") for n in range(30)), *(told(f"b{n}", "b.example") for n in range(3)))
    first = await claim(bench)
    assert [callback.job_id for callback in first.callbacks] == ["a0", "a1", "b0", "b1"]
    assert first.crowded
    second = await claim(bench, a_example=2, b_example=1)
    assert [callback.job_id for callback in second.callbacks] == ["b2"]
    assert second.crowded
    third = await claim(bench, a_example=1, b_example=2)
    assert [callback.job_id for callback in third.callbacks] == ["a2"]


async def test_many_receivers_that_are_busy_hide_no_free_one(bench: Bench) -> None:
    await ended(bench, *(told(f"a{n}", f"{n}.busy") for n in range(8)), told("b"))
    under_way = {f"{n}.busy": 2 for n in range(8)}
    claimed = await bench.scripts.claim_callbacks("main", 1, LEASE, 2, under_way)
    assert [callback.job_id for callback in claimed.callbacks] == ["b"]


async def test_no_more_are_handed_out_than_were_asked_for_and_the_rest_is_due_at_once(bench: Bench) -> None:
    await ended(bench, *(told(f"a{n}", f"{n}.example") for n in range(5)))
    claimed = await claim(bench, most=3)
    assert [callback.job_id for callback in claimed.callbacks] == ["a0", "a1", "a2"]
    assert claimed.next_in == 0


async def test_a_look_at_all_accounts_says_when_the_first_callback_of_each_is_due(slow: SlowBench) -> None:
    await ended(slow, told("a"))
    assert await slow.scripts.settle_callback("main", await the_one(slow), "again", 1_000_000_000)
    due = await slow.scripts.callbacks_due(["other", "main"])
    assert list(due) == ["main"]  # by Redis' own clock, which that of this test is not


async def test_what_waits_is_counted_with_the_age_of_the_oldest(slow: SlowBench) -> None:
    await ended(slow, told("a"))
    await slow.move(5_000)
    await ended(slow, told("b"))
    await slow.move(1_000)
    assert (await slow.scripts.overview("main")).callbacks == (2, 6_000, 0, 0)


async def test_those_given_up_are_counted_until_an_hour_passes_without_one(slow: SlowBench) -> None:
    for counted, pause in ((1, 0), (2, 3_000_000), (3, 3_000_000), (1, 3_700_000)):
        await slow.move(pause)
        await ended(slow, told(str(slow.now)))
        assert await slow.scripts.settle_callback("main", await the_one(slow), "given_up")
        assert (await slow.scripts.overview("main")).callbacks == (0, 0, counted, slow.now)


async def test_callbacks_go_on_when_redis_is_full(bench: Bench) -> None:
    await ended(bench, told("a"), told("b"))
    await bench.fill()
    first, second = (await claim(bench)).callbacks
    assert await bench.scripts.settle_callback("main", first, "posted")
    assert await bench.scripts.settle_callback("main", second, "again", 5_000)
