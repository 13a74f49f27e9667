"""What the conversion tests share: a message in, NapCat's segments or the faults out."""

import json
from typing import Any

import pytest

from gateway.convert import convert
from gateway.model.errors import Refused
from gateway.model.job import Job
from gateway.model.part import Part
from gateway.settings import Media

MEDIA = Media(file_roots=("/media", "/path/to", "D:/"))


def parts_of(message: Any, media: Media = MEDIA, timeout_ms: int = 10_000, **job: Any) -> tuple[Part, ...]:
    """Convert a message, to a group unless the job says otherwise."""
    target = {} if "user_id" in job else {"group_id": 1}
    return convert(Job.model_validate({**target, **job, "message": message}), media, timeout_ms)


def sent(message: Any, media: Media = MEDIA, **job: Any) -> list[list[dict[str, Any]]]:
    """Return the segments of each part as NapCat gets them."""
    return [json.loads(part.body)["message"] for part in parts_of(message, media, **job)]


def faults(message: Any, media: Media = MEDIA, **job: Any) -> dict[str, str]:
    """Return what is refused about a message: the reason by place."""
    with pytest.raises(Refused) as refusal:
        parts_of(message, media, **job)
    assert refusal.value.code == "message_invalid"
    assert refusal.value.detail
    return {fault.loc: fault.msg for fault in refusal.value.errors}
