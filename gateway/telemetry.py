"""The names of log events, and how they are written."""

import json
import logging
import sys
from collections.abc import MutableMapping
from enum import StrEnum
from functools import partial
from typing import Any

import structlog
from pydantic import ValidationError

from gateway.model.veil import Veil


class Event(StrEnum):
    """Every log event, `noun.verbed`: one per fact."""

    GATEWAY_STARTED = "gateway.started"
    GATEWAY_STOPPING = "gateway.stopping"
    GATEWAY_STOPPED = "gateway.stopped"
    SERVER_EMBEDDED = "server.embedded"
    SERVER_RESTARTED = "server.restarted"
    SERVER_LOST = "server.lost"
    TASK_FAILED = "task.failed"
    TASK_RECOVERED = "task.recovered"
    SOURCE_TAKEN = "source.taken"
    SOURCE_FULL = "source.full"
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


class Log:
    """Writes events; nothing else is ever logged, so that names stay in one place."""

    def __init__(self, **fields: Any) -> None:
        """Start a log whose lines all carry FIELDS."""
        self._log = structlog.get_logger(**fields)

    def info(self, event: Event, **fields: Any) -> None:
        """Write a fact of ordinary running."""
        self._log.info(event.value, **fields)

    def warning(self, event: Event, **fields: Any) -> None:
        """Write a fact that someone may have to look at."""
        self._log.warning(event.value, **fields)

    def error(self, event: Event, **fields: Any) -> None:
        """Write a fact that someone has to look at."""
        self._log.error(event.value, **fields)


def told(error: BaseException) -> str:
    """Return an error in words for a log or a status; of values that are no good only the places are told."""
    if isinstance(error, ValidationError):
        return f"ValidationError: {[('.'.join(map(str, fault['loc'])), fault['type']) for fault in error.errors()]}"
    return f"{type(error).__name__}: {error}"


_ENCODER = json.JSONEncoder(ensure_ascii=False, default=repr)  # made once: making it takes as long as using it


def _json(fields: Any, **_: Any) -> str:
    return _ENCODER.encode(fields)


def _veiled(veil: Veil, _: Any, method: str, fields: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    if method != "info":
        for name, value in fields.items():
            if isinstance(value, str):
                fields[name] = veil(value)
    return fields


def configure_logging(level: str, style: str, veil: Veil | None = None) -> None:
    """Write events of LEVEL and above to standard error: JSON lines, or colours where a person reads (`auto`).

    What went wrong may be told in words of others: a VEIL is drawn over those.
    """
    person = style == "console" or (style == "auto" and sys.stderr.isatty())
    renderer: Any = structlog.dev.ConsoleRenderer() if person else structlog.processors.JSONRenderer(_json)
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.EventRenamer("event"),
            partial(_veiled, veil or Veil()),
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
