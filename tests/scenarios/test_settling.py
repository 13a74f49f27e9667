"""What nobody knows is settled by what NapCat reports and lists, and never by sending again on a guess."""

from typing import Any

import pytest

from gateway.model.verdict import Verdict
from tests.forward.test_events import PATH
from tests.world import SECRET, World, until

JOB = {"group_id": "1", "message": "perhaps", "key": "a"}
RESEND: dict[str, Any] = {**JOB, "on_unknown": "resend"}
QUICK = {"settle_for": "400ms"}


@pytest.fixture(name="transport", params=["http", "ws"])
def _transport(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.mark.parametrize("job", [JOB, RESEND, {"user_id": "7", "message": "perhaps", "on_unknown": "resend"}])
async def test_a_message_that_the_chat_lists_is_not_sent_again_and_not_taken_for_delivered(
    world: World, job: dict[str, Any]
) -> None:
    world.napcat.behave("*", "timeout", times=1, wait_ms=10)
    await world.gateway(delivery=QUICK)
    await world.add(job)
    (receipt,) = await world.ended(1)
    assert (receipt.state, receipt.evidence, receipt.message_ids) == ("unconfirmed", "history", [])
    assert len(world.napcat.received) == 1


async def test_a_message_that_the_chat_lists_counts_as_delivered_where_history_is_trusted(world: World) -> None:
    world.napcat.behave("group:1", "timeout", times=1, wait_ms=10)
    await world.gateway(delivery={"settle_for": "60s", "trust_history": True})
    await world.add(JOB, {**JOB, "message": "behind", "key": "b"})
    first, second = await world.ended(2)
    assert (first.state, first.evidence) == ("delivered", "history")
    assert len(first.message_ids) == 1
    assert (second.state, second.evidence) == ("delivered", "response")
    assert world.napcat.texts("group:1") == ["perhaps", "behind"]


async def test_a_message_that_the_chat_does_not_list_may_still_have_been_sent(world: World) -> None:
    world.napcat.behave("group:1", "reset", times=1)
    await world.gateway(delivery=QUICK)
    await world.add(JOB)
    (receipt,) = await world.ended(1)
    assert (receipt.state, receipt.evidence) == ("unconfirmed", None)
    assert len(world.napcat.received) == 1


async def test_a_job_that_asked_for_it_is_sent_again_when_the_chat_does_not_list_it(world: World) -> None:
    world.napcat.behave("group:1", "reset", times=1)
    await world.gateway(delivery=QUICK)
    await world.add(RESEND)
    (receipt,) = await world.ended(1)
    assert (receipt.state, receipt.evidence) == ("delivered", "response")
    assert [attempt.verdict for attempt in receipt.attempts or []] == [Verdict.UNKNOWN, Verdict.DELIVERED]


async def test_of_identical_twins_each_needs_a_listed_message_of_its_own(world: World) -> None:
    world.napcat.behave("group:1", "timeout", times=1, wait_ms=10)  # listed, and never confirmed
    world.napcat.behave("group:1", "reset", times=1)  # lost on its way
    await world.gateway(delivery=QUICK)
    await world.add(RESEND, {**RESEND, "key": "b"})
    first, second = await world.ended(2)
    assert (first.key, first.state, first.evidence) == ("a", "unconfirmed", "history")
    assert (second.key, second.state, second.evidence) == ("b", "delivered", "response")
    assert len(world.napcat.received) == 3


async def test_a_late_event_tells_identical_twins_apart_by_what_the_chat_listed(world: World) -> None:
    world.napcat.behave("group:1", "timeout", times=2, wait_ms=10, late_ms=1_500)
    gateway = await world.gateway(delivery=QUICK)
    world.napcat.report_to(gateway.url + PATH, SECRET)
    await world.add(JOB, {**JOB, "key": "b"})
    for key in "ab":
        await gateway.shows(f"key:{key}", "unconfirmed")
    receipts = [await gateway.shows(f"key:{key}", "delivered") for key in "ab"]
    assert [receipt.corrected for receipt in receipts] == [True, True]
    assert [receipt.message_ids[0] for receipt in receipts] == [sent.message_id for sent in world.napcat.delivered]


async def test_what_was_said_before_is_no_evidence_for_what_was_lost_after(world: World) -> None:
    await world.gateway(delivery=QUICK)
    await world.add({**JOB, "key": "said"})
    await world.ended(1)
    world.napcat.behave("group:1", "reset", times=1)
    await world.add(JOB)
    receipt = (await world.ended(2))[1]
    assert (receipt.state, receipt.evidence) == ("unconfirmed", None)


async def test_a_chat_is_looked_at_again_when_napcat_was_away_while_settling(world: World) -> None:
    world.napcat.behave("group:1", "timeout", times=1, wait_ms=100)
    gateway = await world.gateway(delivery={"settle_for": "200ms"})
    await world.add(RESEND)
    await until(lambda: world.napcat.received)
    await gateway.shows("key:a", "unknown")
    await world.napcat.stop()
    await world.add({"group_id": "2", "message": "finds out that nobody is there", "key": "b"})
    await gateway.shows("key:b", "waiting", "paused")
    await world.napcat.start()
    receipt = await gateway.shows("key:a", "unconfirmed")
    assert receipt.evidence == "history"
    assert world.napcat.texts("group:1") == ["perhaps"]
