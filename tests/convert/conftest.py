"""What the conversion tests share: a job in, messages and faults out."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from gateway.convert import convert
from gateway.model.errors import Refused
from gateway.model.job import Job
from gateway.settings import Media

MEDIA = Media(file_roots=("/media", "/path/to", "D:/"))

Sent = Callable[..., list[list[dict[str, Any]]]]
Faults = Callable[..., dict[str, str]]


@pytest.fixture
def sent() -> Sent:
    """Convert a message to a group and return the segments of each part as NapCat gets them."""

    def convert_message(message: Any, media: Media = MEDIA, **job: Any) -> list[list[dict[str, Any]]]:
        job = {"group_id": "1", **job} if "user_id" not in job else job
        parts = convert(Job(message=message, **job), media, 10_000)
        return [json.loads(part.body)["message"] for part in parts]

    return convert_message


@pytest.fixture
def faults(sent: Sent) -> Faults:
    """Return what is refused about a message: reason by place."""

    def refuse(message: Any, **rest: Any) -> dict[str, str]:
        with pytest.raises(Refused) as refusal:
            sent(message, **rest)
        assert refusal.value.code == "message_invalid"
        assert refusal.value.detail
        return {fault.loc: fault.msg for fault in refusal.value.errors}

    return refuse
