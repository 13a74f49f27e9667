"""With `redis.durability: replicated`: what nobody may rely on yet, and what a change of master changes."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gateway.clock import Clock
from gateway.model.attempt import Claim, Outcome
from gateway.model.errors import NotReplicated
from gateway.model.rate import Rate
from gateway.store.client import connected
from gateway.store.keys import Keys
from gateway.store.replication import Replication
from gateway.store.scripts import Scripts
from gateway.store.scripts.source import source_of
from gateway.store.values import Submission, Tick, TickPolicy
from tests.chaos.pair import Pair, pair
from tests.store.bench import DELIVERED, POLICY, WIDE, Bench, job
from tests.world import until

PERIOD = 1_200  # ms


@pytest.fixture(name="pair")
async def _pair(tmp_path: Path) -> AsyncIterator[Pair]:
    async with pair(tmp_path / "redis") as made:
        yield made


@asynccontextmanager
async def a_gateway(of: Pair, *, replicated: bool = True) -> AsyncIterator[Bench]:
    """Yield the scripts as one process has them: with connections, and knowledge of the replicas, of its own."""
    async with connected(of.proxy.url) as clients:
        replication = Replication(1, Clock()) if replicated else None
        yield Bench(clients, Scripts(clients.commands, Keys("gw"), replication=replication))


@pytest.fixture(name="bench")
async def _bench(pair: Pair) -> AsyncIterator[Bench]:
    async with a_gateway(pair) as made:
        yield made


@pytest.fixture(name="other")
async def _other(pair: Pair) -> AsyncIterator[Bench]:
    async with a_gateway(pair) as made:
        yield made


async def test_a_claim_that_no_replica_has_is_not_to_be_sent_however_often_it_is_asked_for(
    pair: Pair, bench: Bench, other: Bench
) -> None:
    await bench.admit(job("a"))
    pair.replica.freeze()
    claimed = await bench.tick(sequence=1)
    assert (len(claimed.claims), claimed.replicated) == (1, False)
    # Over another connection, on which nothing was written yet.
    again = await other.tick(sequence=1)
    assert (again.claims, again.replicated) == (claimed.claims, False)
    pair.replica.thaw()
    again = await other.tick(sequence=1)
    assert (again.claims, again.replicated) == (claimed.claims, True)


Ask = Callable[[Bench], Awaitable[object]]
PROMISED: dict[str, tuple[Submission, Ask]] = {
    "a job with a key": (job("a", key="k"), lambda bench: bench.admit(job("b", key="k"))),
    "a job": (job("a"), lambda bench: bench.admit(job("a"))),
    "a cancelled job": (job("a"), lambda bench: bench.scripts.cancel("main", POLICY, "a")),
    "a park": (job("a"), lambda bench: bench.scripts.hold("main", "group:1", "quarrel", operator=True)),
    "a release": (job("a"), lambda bench: bench.scripts.release("main", "group:1", operator=True)),
}


@pytest.mark.parametrize("promised", PROMISED)
async def test_what_too_few_replicas_have_is_no_promise_also_when_it_is_asked_for_again(
    pair: Pair, bench: Bench, other: Bench, promised: str
) -> None:
    submission, ask = PROMISED[promised]
    await bench.admit(job("0", "group:2"))
    pair.replica.freeze()
    with pytest.raises(NotReplicated):
        await bench.admit(submission)
    for asker in (other, other):
        with pytest.raises(NotReplicated):
            await ask(asker)
    pair.replica.thaw()
    await until(lambda: _granted(ask, other))


async def _granted(ask: Ask, bench: Bench) -> bool:
    try:
        await ask(bench)
    except NotReplicated:
        return False
    return True


async def test_a_replay_that_no_replica_has_is_no_promise(pair: Pair, bench: Bench, other: Bench) -> None:
    await bench.admit(job("a"))
    await bench.tick(Outcome(await bench.claim(), "rejected"), most_claims=0)
    pair.replica.freeze()
    for asker in (bench, other):
        with pytest.raises(NotReplicated):
            await asker.scripts.replay("main", [("a", "b")], 100, 60_000)


@pytest.mark.parametrize("known", [(), ("cancel",), ("vouch",)])
async def test_a_new_master_is_taught_what_it_does_not_know_and_does_it_once(
    pair: Pair, bench: Bench, known: tuple[str, ...]
) -> None:
    await bench.admit(job("a"))
    async with connected(pair.master.url) as clients:
        await clients.commands.script_flush()
        for name in known:
            await clients.commands.script_load(source_of(name))
    cancelled = await bench.scripts.cancel("main", POLICY, "a")
    assert cancelled is not None
    assert cancelled.done


async def test_while_the_replicas_lag_nothing_more_is_taken_in(pair: Pair, bench: Bench) -> None:
    pair.replica.freeze()
    with pytest.raises(NotReplicated, match="it was done"):
        await bench.admit(job("a"))
    with pytest.raises(NotReplicated, match="nothing was taken"):
        await bench.admit(job("b"))
    assert await bench.scripts.read("main", job_id="b") is None


async def test_of_a_crowd_few_wait_for_replicas_that_lag(pair: Pair, bench: Bench) -> None:
    pair.replica.freeze()
    async with asyncio.timeout(40):  # of which each on its own would take one, two hundred in all
        outcomes = await asyncio.gather(
            *(bench.admit(job(str(number))) for number in range(200)), return_exceptions=True
        )
    assert {type(outcome) for outcome in outcomes} == {NotReplicated}
    assert len(await bench.keys("gw:{main}:job:*")) <= 8


async def test_what_was_read_is_not_admitted_before_the_replicas_have_it(pair: Pair, bench: Bench) -> None:
    assert await bench.scripts.lease("reader", "gw:jobs", "me", 10_000)
    assert await bench.scripts.secured("gw:jobs", "me", 10_000)
    assert not await bench.scripts.secured("gw:jobs", "another", 10_000)
    pair.replica.freeze()
    with pytest.raises(NotReplicated):
        await bench.scripts.secured("gw:jobs", "me", 10_000)


async def test_plain_durability_waits_for_nobody(pair: Pair) -> None:
    async with a_gateway(pair, replicated=False) as bench:
        pair.replica.freeze()
        await bench.admit(job("a"), job("b"))
        assert (await bench.tick()).replicated
        await pair.replica.kill()
        await pair.master.kill()
        await pair.master.start()
        await pair.proxy.lead_to(pair.master.url)
        await bench.reconnect()
        assert (await bench.tick()).noted == []


def paced(**scopes: Rate) -> TickPolicy:
    limits: dict[str, Any] = {scope: [rate] for scope, rate in scopes.items()}
    return replace(POLICY, limits=replace(WIDE, **limits))


SCOPES: dict[str, tuple[str, dict[str, Any]]] = {
    "account": ("group:2", {}),
    "group": ("group:1", {}),
    "private": ("private:1", {}),
    "requester": ("group:2", {"requester": "7"}),
}


@pytest.mark.parametrize("scope", SCOPES)
async def test_after_a_change_of_master_every_window_is_full(pair: Pair, bench: Bench, scope: str) -> None:
    target, fields = SCOPES[scope]
    policy = paced(**{scope: Rate(5, PERIOD)})
    await bench.admit(*(job(name, target, **fields) for name in "ab"))
    await bench.settle(await bench.claim(policy=replace(policy, most_in_flight=1)), policy)
    await pair.fail_over()
    await pair.repair()
    await bench.reconnect()
    began = await bench.redis_ms()
    changed = await bench.tick(policy=policy)
    assert [noted.what for noted in changed.noted] == ["failed_over"]
    assert changed.claims == []
    tick: Tick = await until(lambda: bench.tick(policy=policy), lambda tick: tick.claims)
    assert await bench.redis_ms() - began >= PERIOD
    assert tick.noted == []


async def test_a_full_window_is_shown_as_one(pair: Pair, bench: Bench) -> None:
    policy = paced(account=Rate(5, 60_000), group=Rate(3, 60_000))
    await bench.admit(job("a"))
    await bench.settle(await bench.claim(policy=policy), policy)
    await pair.fail_over()
    await pair.repair()
    await bench.reconnect()
    await bench.tick(policy=policy)
    lane = await bench.scripts.lane("main", "group:1", policy.limits)
    assert [(window.used, window.most) for window in [*lane.windows, *lane.account_windows]] == [(3, 3), (5, 5)]
    now = await bench.redis_ms()
    assert all(window.opens_at > now + 50_000 for window in lane.windows)


async def test_a_master_that_was_started_again_is_another_one(pair: Pair, bench: Bench) -> None:
    await bench.tick()
    await pair.master.kill()
    await pair.master.start()
    await pair.proxy.lead_to(pair.master.url)
    await bench.reconnect()
    noted = (await bench.tick()).noted
    assert [one.what for one in noted] == ["failed_over"]


async def test_where_nobody_may_ask_who_the_master_is_jobs_flow_all_the_same(pair: Pair, bench: Bench) -> None:
    async with connected(pair.master.url) as clients:
        await clients.commands.execute_command("ACL", "SETUSER", "default", "-info")  # type: ignore[no-untyped-call]
    await bench.admit(job("a"))
    assert await bench.deliver() == "a"


@pytest.mark.parametrize("ticks_before", [0, 1])
async def test_a_claim_that_was_lost_with_its_master_is_no_other_ones(
    pair: Pair, bench: Bench, other: Bench, ticks_before: int
) -> None:
    for _ in range(ticks_before):
        await bench.tick()
    await bench.admit(job("a"))
    pair.wire.cut()
    lost = await bench.tick(replica="r1")
    assert not lost.replicated
    await pair.fail_over()
    await pair.repair()
    await asyncio.gather(bench.reconnect(), other.reconnect())
    policy = paced(account=Rate(5, 1))
    (claim,) = (await until(lambda: other.tick(replica="r2", policy=policy), lambda tick: tick.claims)).claims
    assert claim.job_id == "a"
    # Were numbers given out again, this would be about the claim that is being sent.
    gone = Outcome(lost.claims[0], "unstarted")
    assert (await bench.tick(gone, replica="r1", sequence=9, policy=policy)).claims == []
    assert (await other.state("a"))["state"] == "sending"
    await other.tick(Outcome(claim, **DELIVERED), replica="r2", policy=policy)
    assert (await other.state("a"))["state"] == "delivered"


SETTLEMENTS: dict[str, dict[str, Any]] = {
    "delivered": DELIVERED,
    "retried": {"settlement": "retry", "wait_ms": 60_000, "rule": "too_fast"},
    "retried for free": {"settlement": "retry", "wait_ms": 60_000, "rule": "too_fast", "spends": False},
    "unknown": {"settlement": "unknown", "rule": "no_answer"},
    "rejected": {"settlement": "rejected", "rule": "no_such_group"},
    "dead": {"settlement": "dead", "rule": "too_fast"},
    "unstarted": {"settlement": "unstarted"},
}


@pytest.mark.parametrize("settled", SETTLEMENTS)
async def test_an_outcome_may_be_told_again_until_the_replicas_have_it(bench: Bench, settled: str) -> None:
    await bench.admit(job("a", parts=2))
    outcome = Outcome(await bench.claim(), **SETTLEMENTS[settled])
    await bench.tick(outcome, most_claims=0)
    once = await bench.state("a")
    for _ in range(2):
        assert (await bench.tick(outcome, most_claims=0)).ended == []
    assert await bench.state("a") == once


async def test_an_outcome_that_was_lost_with_its_master_is_told_to_the_next(pair: Pair, bench: Bench) -> None:
    await bench.admit(job("a"))
    claim: Claim = await bench.claim()
    pair.wire.cut()
    assert not (await bench.tick(Outcome(claim, **DELIVERED), most_claims=0)).replicated
    await pair.fail_over()
    await pair.repair()
    await bench.reconnect()
    assert (await bench.state("a"))["state"] == "sending"
    assert (await bench.tick(Outcome(claim, **DELIVERED), most_claims=0)).replicated
    assert (await bench.state("a"))["state"] == "delivered"


async def test_many_wait_for_the_replicas_at_once(bench: Bench) -> None:
    outcomes = await asyncio.gather(*(bench.admit(job(str(number))) for number in range(50)))
    assert outcomes == [["admitted"]] * 50
