"""Equal media is not sent twice at the same time on one account."""

from dataclasses import replace

from gateway.model.attempt import Outcome
from gateway.model.verdict import Verdict
from tests.store.bench import DELIVERED, POLICY, Bench, job
from tests.world import until


async def test_of_equal_media_one_is_in_flight_and_the_next_goes_when_it_ends(bench: Bench) -> None:
    await bench.admit(*(job(str(number), f"group:{number + 1}", media="aa bb") for number in range(3)))
    order = []
    claim = await bench.claim()
    for _ in range(2):
        order.append(claim.job_id)
        (claim,) = (await bench.tick(Outcome(claim, **DELIVERED))).claims
    assert [*order, claim.job_id] == ["0", "1", "2"]


async def test_one_medium_in_common_is_enough_and_other_media_is_not_held_up(bench: Bench) -> None:
    await bench.admit(job("a", media="aa"), job("b", "group:2", media="aa cc"), job("c", "group:3", media="cc dd"))
    assert [claim.job_id for claim in (await bench.tick()).claims] == ["a", "c"]


async def test_text_is_never_held_up_by_media(bench: Bench) -> None:
    await bench.admit(job("a", media="aa"), job("b", "group:2"), job("c", "group:3"))
    assert len((await bench.tick()).claims) == 3


async def test_whatever_ends_a_send_frees_its_media(bench: Bench) -> None:
    ends: list[dict[str, object]] = [
        {"settlement": "retry", "verdict": Verdict.RETRY, "rule": "busy", "wait_ms": 60_000},
        {"settlement": "unknown", "verdict": Verdict.UNKNOWN, "rule": "reset"},
        {"settlement": "rejected", "verdict": Verdict.REJECTED, "rule": "bad"},
        {"settlement": "dead", "verdict": Verdict.RETRY, "rule": "busy"},
    ]
    await bench.admit(*(job(str(number), f"group:{number + 1}", media="aa") for number in range(len(ends) + 1)))
    claim = await bench.claim()
    for end in ends:
        (claim,) = (await bench.tick(Outcome(claim, **end))).claims  # type: ignore[arg-type]
    await bench.tick(Outcome(claim, **DELIVERED))
    assert await bench.keys("*:media") == []


async def test_a_lapsed_lease_frees_the_media_of_its_send(bench: Bench) -> None:
    await bench.admit(job("a", media="aa"))
    await bench.claim(policy=replace(POLICY, lease=-990))
    await bench.admit(job("b", "group:2", media="aa"))
    tick = await until(lambda: bench.tick(replica="r2"), lambda tick: tick.claims)
    assert [claim.job_id for claim in tick.claims] == ["b"]


async def test_a_blocked_lane_keeps_its_turn(bench: Bench) -> None:
    policy = replace(POLICY, most_in_flight=1)
    await bench.admit(job("a", media="aa"))
    claim = await bench.claim()
    await bench.admit(job("b", "group:2", media="aa"))
    assert (await bench.tick()).claims == []
    await bench.admit(job("c", "group:3"))
    (nxt,) = (await bench.tick(Outcome(claim, **DELIVERED), policy=policy)).claims
    assert nxt.job_id == "b"


async def test_when_the_next_in_line_cannot_go_another_one_takes_its_turn(bench: Bench) -> None:
    await bench.admit(*(job(str(number), f"group:{number + 1}", media="aa") for number in range(3)))
    claim = await bench.claim()
    await bench.scripts.hold("main", "group:2", "quarrel", operator=True)
    (nxt,) = (await bench.tick(Outcome(claim, **DELIVERED))).claims
    assert nxt.job_id == "2"
