"""What the conversion tests share: a message in, NapCat's segments or the faults out."""

import json
from typing import Any

import pytest

from gateway.convert import convert
from gateway.model.errors import Refused
from gateway.model.job import Job
from gateway.model.part import Part
from gateway.settings import Account, Delivery, Media

MEDIA = Media(file_roots=("/media", "/path/to", "D:/"))


DELIVERY = Delivery()
ACCOUNT = Account(name="main", endpoint="http://127.0.0.1:3000")


def parts_of(
    message: Any, media: Media = MEDIA, account: Account = ACCOUNT, delivery: Delivery = DELIVERY, **job: Any
) -> tuple[Part, ...]:
    """Convert a message, to a group unless the job says otherwise."""
    target = {} if {"user_id", "group_id"} & job.keys() else {"group_id": 1}
    return convert(Job.model_validate({**target, **job, "message": message}), account, delivery, media)


def sent(message: Any, **options: Any) -> list[list[dict[str, Any]]]:
    """Return the segments of each part as NapCat gets them."""
    return [json.loads(part.body)["message"] for part in parts_of(message, **options)]


def faults(message: Any, **options: Any) -> dict[str, str]:
    """Return what is refused about a message: the reason by place."""
    with pytest.raises(Refused) as refusal:
        parts_of(message, **options)
    assert refusal.value.code == "message_invalid"
    assert refusal.value.detail
    return {fault.loc: fault.msg for fault in refusal.value.errors}
