"""NapCat's envelope: what a OneBot client is told, pure."""

from typing import Any

from gateway.model.errors import Refused
from gateway.model.receipt import Receipt
from gateway.model.verdict import Answer

Envelope = dict[str, Any]

_MOST_FAULTS = 10  # told in one line
_HTTP_CODES = {1200: 200, 1400: 400, 1404: 404}
"""How NapCat spells over HTTP what it says over WebSocket."""


def envelope(status: str, retcode: int, data: Any, message: str, echo: Any) -> Envelope:
    """Return an answer as NapCat writes it; `wording` repeats `message`, as there."""
    return {
        "status": status,
        "retcode": retcode,
        "data": data,
        "message": message,
        "wording": message,
        "echo": echo,
    }


def ended(receipt: Receipt | None, job: str, echo: Any) -> Envelope:
    """Return what is told of JOB once it has ended, or (None) when it has not in time.

    `message_id` is that of the first part: the message begins there. `unconfirmed` is told as what it is: the job is
    known, and what became of it is not.
    """
    if receipt is None or receipt.state == "unconfirmed":
        return envelope("async", 1, {"job": job}, "", echo)
    if receipt.state == "delivered":
        ids = receipt.message_ids
        return envelope("ok", 0, {"message_id": ids[0] if ids else None, "message_ids": ids}, "", echo)
    last = receipt.attempts[-1].text if receipt.attempts else None
    cause = receipt.code or receipt.reason
    words = f"{receipt.state}{f' ({cause})' if cause else ''}{f': {last}' if last else ''}"
    if receipt.parts.delivered:  # sent again as it is, that much would be there twice
        words += f"; {receipt.parts.delivered} of {receipt.parts.total} parts were delivered"
    return envelope("failed", 200, None, words, echo)


def refused(refusal: Refused, retcode: int, echo: Any) -> Envelope:
    """Return what is told of a call that can never succeed: every wrong field, why, and what to do instead."""
    short = Refused(refusal.code, refusal.detail, list(refusal.errors)[:_MOST_FAULTS])
    return envelope("failed", retcode, None, str(short), echo)


def passed(answer: Answer, data: Any, words: str, echo: Any) -> Envelope:
    """Return NapCat's own answer to an action that was passed through; WORDS are its text, cleaned."""
    if answer.status is None or answer.retcode is None:
        told = words if answer.http_status is None else f"HTTP {answer.http_status}: {words}"
        return envelope("failed", 200, None, f"NapCat gave no answer to this: {told}", echo)
    return envelope(answer.status, _HTTP_CODES.get(answer.retcode, answer.retcode), data, words, echo)
