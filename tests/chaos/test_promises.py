"""A promise that was broken is noticed: each check finds the one thing wrong with a run that else went well."""

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from gateway.model.receipt import AttemptReceipt, Parts, Receipt, State
from tests.chaos.evidence import Arrival, Evidence
from tests.chaos.plan import JOBS, Encounter, PlannedJob, make_plan, read_label
from tests.chaos.promises import broken, each_part_is_received_exactly_once
from tests.convert.harness import sent

AT = datetime(2026, 1, 1, tzinfo=UTC)
RESET = Encounter("reset", {})
ONE, TWO = PlannedJob(1, "group:1", "stream", 1), PlannedJob(2, "group:1", "stream", 2)


def receipt(
    job: PlannedJob, state: State, *verdicts: str, rule: str = "no_answer", corrected: bool | None = None
) -> Receipt:
    """Return a receipt of JOB after attempts with these VERDICTS, one for each part and the rest for the last."""
    attempts = [
        AttemptReceipt(n=n, part=min(n, job.parts) - 1, began_at=AT, verdict=verdict, rule=rule)
        for n, verdict in enumerate(verdicts, 1)
    ]
    delivered = job.parts if state == "delivered" else 0
    return Receipt(
        id=f"main.{job.number}", account="main", target=job.target, state=state, created_at=AT, updated_at=AT,
        parts=Parts(total=job.parts, delivered=delivered), attempts=attempts, corrected=corrected,
    )  # fmt: skip


GOOD = Evidence(
    jobs=[ONE, TWO],
    arrivals=[Arrival(1, 0, "group:1", 1.0), Arrival(2, 0, "group:1", 2.0), Arrival(2, 1, "group:1", 3.0)],
    shown={(1, 0): 1, (2, 0): 1, (2, 1): 1},
    receipts={1: [receipt(ONE, "delivered", "delivered")], 2: [receipt(TWO, "delivered", "delivered", "delivered")]},
    rates={"account": (2, 2.0), "group": (2, 2.0), "user": (2, 2.0)},
    left={"calls in flight": 0},
)


def ended(*receipts: Receipt) -> Evidence:
    """Return the good run, but with these receipts of the first job."""
    return replace(GOOD, receipts={**GOOD.receipts, 1: receipts})


def received(*arrivals: tuple[int, int, float], met: Encounter = RESET) -> Evidence:
    """Return the good run, but with these arrivals of (job, part) at a time."""
    return replace(GOOD, arrivals=[Arrival(job, part, "group:1", at, met) for job, part, at in arrivals])


UNCONFIRMED = receipt(ONE, "unconfirmed", "unknown")
BROKEN = {
    "a job that never ended": ("every job ends", ended()),
    "a job that ended twice": ("every job ends", ended(*[receipt(ONE, "delivered", "delivered")] * 2)),
    "a job that ended otherwise than it had": (
        "every job ends",
        ended(receipt(ONE, "dead", "retry"), receipt(ONE, "delivered", "delivered", corrected=True)),
    ),
    "a correction that is not called one": (
        "every job ends",
        ended(UNCONFIRMED, receipt(ONE, "delivered", "unknown")),
    ),
    "a part that came again after a reset": (
        "no part is sent again",
        received((1, 0, 1.0), (1, 0, 5.0), (2, 0, 9.0), (2, 1, 13.0)),
    ),
    "a part that was tried again after a doubt": (
        "no part is sent again",
        ended(receipt(ONE, "delivered", "unknown", "delivered")),
    ),
    "a job that overtook another": ("every target receives", received((2, 0, 1.0), (2, 1, 5.0), (1, 0, 9.0))),
    "a part without the one before it": ("every target receives", received((1, 0, 1.0), (2, 1, 5.0))),
    "a send a millisecond too early": ("no window holds", received((1, 0, 1.0), (2, 0, 1.5), (2, 1, 2.999))),
    "a message that QQ shows twice": ("what is called delivered", replace(GOOD, shown={**GOOD.shown, (1, 0): 2})),
    "a message that QQ does not show": ("what is called delivered", replace(GOOD, shown={(2, 0): 1, (2, 1): 1})),
    "a job given up after a clear no": ("a job is given up", ended(receipt(ONE, "dead", "retry"))),
    "a job given up after a good answer": ("a job is given up", ended(UNCONFIRMED)),
    "a call that never landed": ("nothing is left over", replace(GOOD, left={"calls in flight": 1})),
}


@pytest.mark.parametrize("wrong", BROKEN)
def test_what_breaks_a_promise_is_found(wrong: str) -> None:
    promise, evidence = BROKEN[wrong]
    assert broken(evidence)[0].startswith(promise)


def test_a_good_run_keeps_every_promise() -> None:
    assert broken(GOOD) == []
    each_part_is_received_exactly_once(GOOD)


@pytest.mark.parametrize("lost", [receipt(ONE, "unconfirmed", "unknown", rule="lease_lapsed"), UNCONFIRMED])
def test_a_job_may_be_given_up_when_nobody_can_tell(lost: Receipt) -> None:
    evidence = replace(received((1, 0, 1.0), (2, 0, 5.0), (2, 1, 9.0)), receipts=ended(lost).receipts)
    assert broken(evidence) == []


def test_a_late_event_may_correct_a_job_once() -> None:
    evidence = received((1, 0, 1.0), (2, 0, 5.0), (2, 1, 9.0))
    corrected = receipt(ONE, "delivered", "unknown", corrected=True)
    assert broken(replace(evidence, receipts=ended(UNCONFIRMED, corrected).receipts)) == []
    assert broken(replace(evidence, receipts=ended(UNCONFIRMED, corrected, corrected).receipts)) != []


@pytest.mark.parametrize("times", [0, 2])
def test_a_part_received_not_once_is_found(times: int) -> None:
    with pytest.raises(AssertionError, match=f"job 1 part 0 was received {times} times"):
        each_part_is_received_exactly_once(received(*[(1, 0, 1.0)] * times, (2, 0, 5.0), (2, 1, 9.0)))


def test_a_seed_makes_the_same_things_happen_each_time() -> None:
    assert make_plan(7) == make_plan(7)
    assert make_plan(7) != make_plan(8)


def test_a_plan_has_what_chaos_needs() -> None:
    plan = make_plan(7)
    assert len(plan.jobs) == JOBS
    assert len({job.target for job in plan.jobs}) == 50
    assert set(Counter(job.way for job in plan.jobs)) == {"stream", "list", "http"}
    assert sum(job.parts > 1 for job in plan.jobs) > JOBS // 20


@pytest.mark.parametrize("parts", [1, 2, 3])
def test_what_napcat_receives_tells_which_part_of_which_job_it_is(parts: int) -> None:
    job = PlannedJob(17, "group:1", "stream", parts)
    assert [read_label(message) for message in sent(job.document["message"])] == [(17, n) for n in range(parts)]
