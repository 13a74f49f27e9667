"""A job to the parts that deliver it."""

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from gateway.convert.faults import faults_of, refusal
from gateway.convert.message import read_message
from gateway.convert.split import split
from gateway.convert.wire import write_part
from gateway.model.errors import Fault, Refused
from gateway.model.job import Format, Job
from gateway.model.part import Part
from gateway.model.segment import AnySegment, Card
from gateway.settings import Media


def convert(job: Job, media: Media, timeout_ms: int) -> tuple[Part, ...]:
    """Return the NapCat calls that deliver a job, in order, each with its exact body.

    `timeout_ms` is what NapCat is told to wait for a text, in milliseconds; inline media adds to it. Raises
    `Refused("message_invalid")`, naming every wrong segment and field: all that NapCat would drop or corrupt.
    """
    segments: tuple[AnySegment, ...] = ()
    try:
        segments = read_message(job.message, job.format, job.target.kind == "private", media)
        faults: list[Fault] = []
    except Refused as refused:
        faults = list(refused.errors)
    faults += _card_faults(job, wanted=not segments or segments[0].type == "node")
    if faults:
        raise refusal(faults)
    return tuple(write_part(job, part, timeout_ms) for part in split(segments))


def message_faults(document: Mapping[str, Any], media: Media) -> list[Fault]:
    """Return what is wrong with the message of a job that is refused for other fields, so that both are told."""
    if "message" not in document:
        return []
    try:
        form: Format = "cq" if document.get("format") == "cq" else "text"
        read_message(document["message"], form, "user_id" in document, media)
    except Refused as refused:
        return list(refused.errors)
    return []


def _card_faults(job: Job, *, wanted: bool) -> list[Fault]:
    """Find what is wrong with the fields of a forward card, which only a message of nodes has."""
    given = {name: value for name in Card.model_fields if (value := getattr(job, name)) is not None}
    if not wanted:
        reason = "belongs to a merged forward, and the message has no node segments; leave it out"
        return [Fault(name, reason, "card_field") for name in given]
    if not given:
        return []
    try:
        Card.model_validate(given)
    except ValidationError as error:
        return faults_of(error, "forward card")
    return []
