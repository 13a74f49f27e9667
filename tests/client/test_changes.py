"""Changes out of repeated lists: whatever changes while a list is read, nothing is missed and nothing told twice."""

from datetime import UTC, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.client.changes import Changes
from gateway.model.receipt import Receipt
from tests.trials import TRIALS

START = datetime(2026, 1, 31, tzinfo=UTC)
STATES = ("unknown", "delivered", "dead", "rejected")


def receipt(job: int, at: int, version: int) -> Receipt:
    moment = START + timedelta(milliseconds=at, microseconds=version)  # no two changes of a job are alike
    document = {"id": f"main.{job}", "account": "main", "target": "group:1", "state": STATES[version % 4]}
    times = {"created_at": START, "updated_at": moment}
    return Receipt.model_validate({**document, **times, "parts": {"total": 1, "delivered": 0}})


@settings(max_examples=100 * TRIALS, deadline=None)
@given(
    looks=st.lists(
        st.lists(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 4_000)), max_size=4), min_size=1, max_size=4),
        min_size=1,
        max_size=8,
    ),
    back=st.booleans(),
)
def test_every_job_is_told_in_its_last_state_and_no_state_twice(
    looks: list[list[list[tuple[int, int]]]], back: bool
) -> None:
    """Between the pages of each look jobs change, the time of day going on by so many ms (or back, by one second)."""
    changes = Changes(START)
    records: dict[int, Receipt] = {}
    told: list[Receipt] = []
    now = version = 0
    quiet: list[list[tuple[int, int]]] = [[]]
    for look in [*looks, quiet]:
        since = changes.since
        jobs = list(range(10))
        for number, happening in enumerate(look):
            share = -(-10 // len(look))
            page = [records[job] for job in jobs[number * share : (number + 1) * share] if job in records]
            changes.page(one for one in page if one.updated_at >= since)
            for job, later in happening:
                now = max(now + (-1_000 if back and version % 7 == 3 else later), 0)
                version += 1
                records[job] = receipt(job, now, version)
        told += changes.end()
    assert {one.id: one for one in told} == {one.id: one for one in records.values()}
    versions = [(one.id, one.updated_at, one.state) for one in told]
    assert len(versions) == len(set(versions))


def test_a_look_that_was_broken_off_is_made_again() -> None:
    changes = Changes(START)
    changes.page([receipt(1, 5, 0)])
    changes.give_up()
    changes.page([receipt(1, 5, 0), receipt(2, 7, 0)])
    assert [one.id for one in changes.end()] == ["main.1", "main.2"]


def test_what_is_surely_over_is_forgotten() -> None:
    changes = Changes(START)
    for look in range(100):
        changes.page([receipt(look, look * 1_000, 0)])
        changes.end()
    assert len(changes._seen) < 10
    assert changes.since >= START + timedelta(seconds=90)
