"""What a chat lists, whatever it looks like, is evidence only where it is one of our own messages of that time."""

import time
from typing import Any

import pytest

from tests.forward.test_watch import odd
from tests.world import World

JOB = {"group_id": 1, "message": "perhaps", "key": "a"}


def row(**fields: Any) -> dict[str, Any]:
    message = [{"type": "text", "data": {"text": "perhaps"}}]
    return {"self_id": 10001, "user_id": 10001, "time": int(time.time()), "message_id": 7, "message": message, **fields}


async def evidence(world: World, messages: Any) -> str | None:
    """Lose the answer to a job, let the chat list MESSAGES, and return what the job ended by."""
    async with odd() as napcat:
        napcat.data |= {"send_group_msg": {}, "get_group_msg_history": {"messages": messages}}
        await world.gateway(
            accounts=[world.account(endpoint=napcat.url)], delivery={"settle_for": "200ms", "trust_history": True}
        )
        await world.add(JOB)
        (receipt,) = await world.ended(1)
        assert napcat.asked["send_group_msg"] == 1
        return receipt.evidence


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"self_id": "10001", "user_id": "10001"},
        {"message": "perhaps"},
        {"real_seq": "5"},
        {"real_seq": "9" * 5000},
        {"sender": None, "extra": {"a": [1]}},
    ],
)
async def test_an_own_message_of_that_time_is_evidence(world: World, fields: dict[str, Any]) -> None:
    assert await evidence(world, [5, None, row(message_id=3, user_id=5), row(**fields)]) == "history"


@pytest.mark.parametrize(
    "fields",
    [
        {"user_id": 5},
        {"self_id": 20002, "user_id": 20002},
        {"time": 10**30},
        {"time": int(time.time()) + 3_600},
        {"time": int(time.time()) - 3_600},
        {"time": "now"},
        {"message_id": 10**30},
        {"message_id": None},
        {"message": None},
        {"message": 5},
        {"message": [{"type": "text", "data": {"text": "perhaps not"}}]},
    ],
)
async def test_what_is_somebody_elses_of_another_time_or_no_message_is_none(
    world: World, fields: dict[str, Any]
) -> None:
    assert await evidence(world, [row(**fields)]) is None


@pytest.mark.parametrize("messages", [None, "x", {}, 5, [[]]])
async def test_a_list_that_is_none_is_no_evidence(world: World, messages: Any) -> None:
    assert await evidence(world, messages) is None
