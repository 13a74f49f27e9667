"""The names of log events, and how they are written."""

import logging
import sys
from collections.abc import Callable, MutableMapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from typing import Any, Protocol

import structlog
from pydantic import ValidationError

from gateway.log_lines import JsonLine, LineWriter
from gateway.model.veil import Veil


class Event(StrEnum):
    """Every log event, `noun.verbed`: one per fact."""

    GATEWAY_STARTED = "gateway.started"
    GATEWAY_STOPPING = "gateway.stopping"
    GATEWAY_STOPPED = "gateway.stopped"
    SETTINGS_RELOADED = "settings.reloaded"
    SETTINGS_REFUSED = "settings.refused"
    SERVER_EMBEDDED = "server.embedded"
    SERVER_RESTARTED = "server.restarted"
    SERVER_LOST = "server.lost"
    SERVER_ADVISED = "server.advised"
    DATA_RAISED = "data.raised"
    TASK_FAILED = "task.failed"
    TASK_RECOVERED = "task.recovered"
    SOURCE_TAKEN = "source.taken"
    SOURCE_FULL = "source.full"
    SOURCE_AWAY = "source.away"
    SOURCE_WAITS = "source.waits"
    SOURCE_RESET = "source.reset"
    ENTRY_REFUSED = "entry.refused"
    HOOK_TAKEN = "hook.taken"
    HOOK_REFUSED = "hook.refused"
    JOB_ATTEMPTED = "job.attempted"
    JOB_WITHHELD = "job.withheld"
    JOB_ENDED = "job.ended"
    JOB_REPLAYED = "job.replayed"
    LANE_HELD = "lane.held"
    LANE_RELEASED = "lane.released"
    LANE_SLOWED = "lane.slowed"
    LANE_RECOVERED = "lane.recovered"
    MASTER_CHANGED = "master.changed"
    ACCOUNT_PROBED = "account.probed"
    ANSWER_UNMATCHED = "answer.unmatched"
    EVENT_REFUSED = "event.refused"
    EVENT_MATCHED = "event.matched"
    HISTORY_MATCHED = "history.matched"
    HISTORY_UNREAD = "history.unread"
    MESSAGE_RECALLED = "message.recalled"
    EVENTS_CONNECTED = "events.connected"
    EVENTS_LOST = "events.lost"
    CALLBACK_POSTED = "callback.posted"
    CALLBACK_FAILED = "callback.failed"
    CALLBACK_GIVEN_UP = "callback.given_up"
    REQUEST_FAILED = "request.failed"


class Write(Protocol):
    """Writes an event with what belongs to it."""

    def __call__(self, event: Event, /, **fields: Any) -> None:
        """Write EVENT and FIELDS."""


class Log:
    """Writes events; nothing else is ever logged, so that names stay in one place."""

    def __init__(self, **fields: Any) -> None:
        """Start a log whose lines all carry FIELDS; it writes as is configured when it writes first."""
        self._log = structlog.get_logger(**fields)

    @cached_property
    def info(self) -> Write:
        """Write a fact of ordinary running."""
        return self._log.bind().info  # type: ignore[no-any-return]

    @cached_property
    def warning(self) -> Write:
        """Write a fact that someone may have to look at."""
        return self._log.bind().warning  # type: ignore[no-any-return]

    @cached_property
    def error(self) -> Write:
        """Write a fact that someone has to look at."""
        return self._log.bind().error  # type: ignore[no-any-return]


def told(error: BaseException) -> str:
    """Return an error in words for a log or a status; of values that are no good only the places are told."""
    if isinstance(error, ValidationError):
        return f"ValidationError: {[('.'.join(map(str, fault['loc'])), fault['type']) for fault in error.errors()]}"
    return f"{type(error).__name__}: {error}"


@dataclass
class _Tune:
    """How the log of this process is written now; every logger looks here, since they remember how they were made."""

    least: int = logging.INFO
    veil: Veil = field(default_factory=Veil)


_tune = _Tune()


def tune_logging(level: str, veil: Veil) -> None:
    """Write events of LEVEL and above from now on, what went wrong behind VEIL."""
    _tune.least, _tune.veil = _number(level), veil


def _number(level: str) -> int:
    return logging.getLevelNamesMapping()[level.upper()]


def _heard(_: Any, method: str, fields: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    if _number(method) < _tune.least:
        raise structlog.DropEvent
    return fields


def _veiled(_: Any, method: str, fields: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    if method != "info":
        for name, value in fields.items():
            if isinstance(value, str):
                fields[name] = _tune.veil(value)
    return fields


def _writing(level: str) -> Callable[..., None]:
    """Return the method that writes events of LEVEL.

    structlog's own methods hand the fields on from one to the next and copy them each time.
    """
    number = _number(level)

    def write(self: Any, event: Event, /, **fields: Any) -> None:
        if number >= _tune.least:
            (line,), _ = self._process_event(level, event, fields)
            self._logger.msg(line)

    return write


def configure_logging(level: str, style: str, veil: Veil | None = None) -> None:
    """Write events of LEVEL and above to standard error: JSON lines, or colours where a person reads (`auto`).

    What went wrong may be told in words of others: a VEIL is drawn over those.
    """
    tune_logging(level, veil or Veil())
    if style == "console" or (style == "auto" and sys.stderr.isatty()):
        structlog.configure(
            processors=[
                _heard,
                structlog.processors.add_log_level,
                structlog.processors.TimeStamper(fmt="iso", utc=True),
                _veiled,
                structlog.dev.ConsoleRenderer(),
            ],
            wrapper_class=structlog.make_filtering_bound_logger(logging.NOTSET),
            logger_factory=structlog.PrintLoggerFactory(sys.stderr),
            cache_logger_on_first_use=True,
        )
        return
    writer = LineWriter(sys.stderr)
    structlog.configure(
        processors=[_veiled, JsonLine()],
        wrapper_class=type(
            "Logger",
            (structlog.BoundLoggerBase,),
            {name: _writing(name) for name in ("info", "warning", "error")},
        ),
        logger_factory=lambda *_: writer,
        cache_logger_on_first_use=True,
    )
