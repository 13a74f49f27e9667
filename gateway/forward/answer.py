"""What came of a call, as an `Answer`: pure, for any bytes whatever."""

from typing import Annotated, Any, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from gateway.model.verdict import Answer, Failure

LARGEST_ANSWER = 1024**2
_QUOTED = 2_000  # characters kept of a body that is no envelope

_WORDS: dict[Failure, str] = {
    "bad_endpoint": "the endpoint is no usable address",
    "dns": "the endpoint's name cannot be resolved",
    "refused": "no connection to the endpoint",
    "connect_timeout": "no connection to the endpoint in time",
    "tls": "no TLS connection to the endpoint",
    "pool": "all connections to the endpoint are in use",
    "timeout": "no answer in time",
    "reset": "the connection was lost before the answer",
    "unparsable": "the answer is no HTTP",
}

_Int64 = Annotated[int, Field(ge=-(2**63), lt=2**63)]


class _Envelope(BaseModel):
    """An answer as OneBot 11 spells it; go-cqhttp adds `msg`, Lagrange leaves out all words."""

    model_config = ConfigDict(strict=True, frozen=True)

    status: str
    retcode: _Int64
    data: Any = None
    msg: str | None = None
    message: str | None = None
    wording: str | None = None


class Reply(NamedTuple):
    """An answer and the `data` of its envelope (None without one)."""

    answer: Answer
    data: Any


def read_answer(
    status: int | None,
    body: bytes,
    failure: Failure | None = None,
    retry_after: int | None = None,
    *,
    nodes: bool = False,
) -> Reply:
    """Read what came of a call: an HTTP status, as much of a body as came, and why there is no more.

    A status outside 2xx speaks for itself, with whatever came of its body. `retry_after` is in milliseconds; `nodes`
    says whether the call carried a merged forward. Never raises.
    """
    succeeded = status is not None and 200 <= status < 300
    if failure is not None and (status is None or succeeded):
        return Reply(Answer(error=failure, http_status=status, text=_WORDS[failure], nodes=nodes), None)
    envelope = _envelope(body)
    if envelope is None:
        answer = Answer(
            error="unparsable" if succeeded else None,
            http_status=status,
            text=body[: 4 * _QUOTED].decode("utf-8", "replace")[:_QUOTED],
            retry_after=retry_after,
            nodes=nodes,
        )
        return Reply(answer, None)
    answer = Answer(
        http_status=status,
        status=envelope.status,
        retcode=envelope.retcode,
        text=": ".join(dict.fromkeys(filter(None, (envelope.msg, envelope.message, envelope.wording)))),
        message_id=_message_id(envelope.data),
        retry_after=retry_after,
        nodes=nodes,
    )
    return Reply(answer, envelope.data)


def _envelope(body: bytes) -> _Envelope | None:
    try:
        return _Envelope.model_validate_json(body) if len(body) <= LARGEST_ANSWER else None
    except ValidationError:
        return None


def _message_id(data: object) -> int | None:
    value = data.get("message_id") if isinstance(data, dict) else None
    return value if type(value) is int and -(2**63) <= value < 2**63 else None
