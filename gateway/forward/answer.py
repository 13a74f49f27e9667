"""What came of a call, as an `Answer`: pure, for any bytes whatever, over HTTP and WebSocket."""

from typing import Annotated, Any, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from gateway.model.spelling import LARGEST_INTEGER
from gateway.model.verdict import Answer, Failure

LARGEST_ANSWER = 1024**2
_QUOTED = 2_000  # characters kept of a body that is no envelope

_WORDS: dict[Failure, str] = {
    "bad_endpoint": "the endpoint is no usable address",
    "dns": "the endpoint's name cannot be resolved",
    "refused": "no connection to the endpoint",
    "connect_timeout": "no connection to the endpoint in time",
    "tls": "no TLS connection to the endpoint",
    "handshake": "no WebSocket connection to the endpoint",
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
    echo: Any = None


_read_envelope = TypeAdapter(_Envelope).validator.validate_json


class _Echo(BaseModel):
    """What is left of a frame that is JSON but no envelope."""

    model_config = ConfigDict(strict=True, frozen=True)

    echo: str


class Reply(NamedTuple):
    """An answer and the `data` of its envelope (None without one)."""

    answer: Answer
    data: Any

    def field(self, name: str, absent: Any = None) -> Any:
        """Return a field of the data; ABSENT where there is none."""
        return self.data.get(name, absent) if isinstance(self.data, dict) else absent


def read_answer(
    status: int | None,
    body: bytes,
    failure: Failure | None = None,
    retry_after: int | None = None,
    *,
    transport: Literal["http", "ws"] = "http",
) -> Reply:
    """Read what came of a call: an HTTP status, as much of a body as came, and why there is no more.

    A status outside 2xx speaks for itself, with whatever came of its body; a WebSocket answer has none.
    `retry_after` is in milliseconds. Never raises.
    """
    succeeded = status is None or 200 <= status < 300
    if failure is not None and succeeded:
        return Reply(Answer(transport, error=failure, http_status=status, text=_WORDS[failure]), None)
    envelope = _envelope(body)
    if envelope is not None:
        return _told(envelope, transport, status, retry_after)
    answer = Answer(
        transport,
        error="unparsable" if succeeded else None,
        http_status=status,
        text=_quoted(body),
        retry_after=retry_after,
    )
    return Reply(answer, None)


def read_frame(frame: bytes) -> tuple[str | None, Reply]:
    """Read one WebSocket frame: the echo it carries, which says whose answer it is, and what it says.

    The echo is None when there is none, or none of ours: those are strings. Never raises.
    """
    envelope = _envelope(frame)
    if envelope is not None:
        echo = envelope.echo if isinstance(envelope.echo, str) else None
        return echo, _told(envelope, "ws", None, None)
    try:
        echo = _Echo.model_validate_json(frame).echo
    except ValidationError:
        echo = None
    return echo, Reply(Answer("ws", error="unparsable", text=_quoted(frame)), None)


def _told(envelope: _Envelope, transport: Literal["http", "ws"], status: int | None, retry_after: int | None) -> Reply:
    answer = Answer(
        transport,
        http_status=status,
        status=envelope.status,
        retcode=envelope.retcode,
        text=_words(envelope),
        message_id=_message_id(envelope.data),
        retry_after=retry_after,
    )
    return Reply(answer, envelope.data)


def _words(envelope: _Envelope) -> str:
    if envelope.message or envelope.wording or envelope.msg:
        return ": ".join(dict.fromkeys(filter(None, (envelope.msg, envelope.message, envelope.wording))))
    return ""


def _quoted(body: bytes) -> str:
    return body[: 4 * _QUOTED].decode("utf-8", "replace")[:_QUOTED]


def _envelope(body: bytes) -> _Envelope | None:
    try:
        return _read_envelope(body) if len(body) <= LARGEST_ANSWER else None
    except ValidationError:
        return None


def _message_id(data: object) -> int | None:
    value = data.get("message_id") if isinstance(data, dict) else None
    # Beyond 2^53 it would become another number on the way, and so another message.
    return value if type(value) is int and abs(value) <= LARGEST_INTEGER else None
