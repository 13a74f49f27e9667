"""A job to the parts that deliver it."""

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from gateway.convert.faults import refusal, segment_faults
from gateway.convert.message import read_message
from gateway.convert.split import split
from gateway.convert.wire import write_part
from gateway.model.card import CARD, Card
from gateway.model.errors import Fault, Refused
from gateway.model.job import Format, Job
from gateway.model.part import Part
from gateway.model.segment import Segment
from gateway.settings import Account, Delivery, Media

_CARD_FIELDS = frozenset(Card.__annotations__)


def convert(job: Job, account: Account, delivery: Delivery, media: Media) -> tuple[Part, ...]:
    """Return the NapCat calls that deliver a job through an account, in order, each with its exact body.

    Raises `Refused("message_invalid")`, naming every wrong segment and field: all that NapCat would drop or corrupt.
    """
    segments: list[Segment] = []
    try:
        segments = read_message(job.message, job.format, job.user_id is not None, media)
        faults: list[Fault] = []
    except Refused as refused:
        faults = list(refused.errors)
    faults += _card_faults(job, wanted=not segments or segments[0]["type"] == "node")
    if faults:
        raise refusal(faults)
    parts = split(segments, refuse=(job.split or delivery.split) == "refuse")
    return tuple([write_part(job, part, delivery.timeout, account.markdown) for part in parts])


def message_faults(document: Mapping[str, Any], media: Media) -> list[Fault]:
    """Return what is wrong with the message of a job that is refused for other fields, so that both are told."""
    if "message" not in document:
        return []
    try:
        form: Format = "cq" if document.get("format") == "cq" else "text"
        read_message(document["message"], form, document.get("user_id") is not None, media)
    except Refused as refused:
        return list(refused.errors)
    return []


def _card_faults(job: Job, *, wanted: bool) -> list[Fault]:
    """Find what is wrong with the fields of a forward card, which only a message of nodes has."""
    if _CARD_FIELDS.isdisjoint(job.model_fields_set):
        return []
    given = job.card
    if not wanted:
        reason = "belongs to a merged forward, and the message has no node segments; leave it out"
        return [Fault(name, reason, "card_field") for name in given]
    if not given:
        return []
    try:
        CARD.validate_python(given)
    except ValidationError as error:
        return segment_faults(error, "forward card")
    return []
