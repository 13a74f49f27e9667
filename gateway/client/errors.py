"""What a call of the client can end in, as types that carry the decision.

GatewayError
├── Refused            asked for what can never work as it is; `code`, `detail`, and each wrong field in `errors`
│   ├── Unauthorized   no key was given, or one the gateway does not know (401)
│   ├── Forbidden      the key has not the scope, or does not reach the target (403)
│   ├── NotFound       there is no such job, or its record has been dropped (404, 410)
│   └── Conflict       the job is not in a state for it: `too_late`, `not_ended`, `nothing_left` (409)
├── Unavailable        not now: nobody answers, the queue is full, the key's rate is spent (429, 5xx); later it may work
│   └── RecallFailed   NapCat would not take the message back (502)
└── NotUnderstood      the answer is none of a gateway this client knows: another address, or a much newer version

`Refused` and `GatewayError` are those of `gateway.model.errors`.
"""

from dataclasses import dataclass
from typing import Any

from gateway.model.errors import Fault, GatewayError, Refused


class Unauthorized(Refused):
    """The gateway wants a key that it knows."""


class Forbidden(Refused):
    """The key may not do this, or not to this target."""


class NotFound(Refused):
    """There is no such job, or nothing is known of it any more."""


class Conflict(Refused):
    """The job is in no state for this."""


@dataclass
class Unavailable(GatewayError):
    """It did not work now; `retry_after` says in how many seconds to ask again, where the gateway said so.

    `code` is `unreachable` when nobody answered. A send that ended so may have been accepted: repeat it with its key.
    """

    code: str
    detail: str
    retry_after: float | None = None

    def __str__(self) -> str:
        """Return the detail."""
        return self.detail


class RecallFailed(Unavailable):
    """NapCat would not take the message back; it stands where it was."""


class NotUnderstood(GatewayError):
    """The answer is none that this client knows."""


_REFUSALS: dict[int, type[Refused]] = {
    401: Unauthorized,
    403: Forbidden,
    404: NotFound,
    409: Conflict,
    410: NotFound,
}


def error_of(status: int, problem: dict[str, Any], retry_after: float | None = None) -> Refused | Unavailable:
    """Return the error that an answer of STATUS with a PROBLEM document (or an item of a batch) stands for."""
    code = str(problem.get("code") or f"http_{status}")
    detail = str(problem.get("detail") or problem.get("title") or f"the gateway answered {status}")
    if code == "recall_failed":
        return RecallFailed(code, detail, retry_after)
    if status in {408, 429} or status >= 500:
        return Unavailable(code, detail, retry_after)
    return _REFUSALS.get(status, Refused)(code, detail, _faults(problem.get("errors")))


_LATER = {
    "rate_exceeded": 429,
    "queue_full": 503,
    "stopping": 503,
    "store_unavailable": 503,
    "store_refuses": 503,
    "not_replicated": 503,
}
_STATUSES = {**_LATER, "forbidden": 403, "target_forbidden": 403, "job_not_found": 404, "job_gone": 410}
"""The HTTP status that each code has by itself, for the items of a batch, which have none."""


def item_error(item: dict[str, Any]) -> Refused | Unavailable:
    """Return the error that one item of a batch stands for."""
    return error_of(_STATUSES.get(str(item.get("code")), 422), item)


def _faults(errors: Any) -> tuple[Fault, ...]:
    if not isinstance(errors, list):
        return ()
    return tuple(
        Fault(*(str(error.get(name, "")) for name in ("loc", "msg", "type")))
        for error in errors
        if isinstance(error, dict)
    )
