"""Lines of the log for machines: rendered in one step, and written together, once in a turn of the event loop."""

import asyncio
import atexit
import json
import threading
import time
from collections.abc import MutableMapping
from typing import Any, TextIO

from pydantic import TypeAdapter

_WRITER = TypeAdapter(dict[str, Any]).serializer
_PATIENT = json.JSONEncoder(default=repr)  # writes what is no Unicode, too
_SECOND = "%Y-%m-%dT%H:%M:%S"


class JsonLine:
    """Renders an event as one line of JSON; how it is meant, when it was and what it is come last."""

    def __init__(self) -> None:
        """Begin with no second spelled."""
        self._second = -1
        self._spelled = ""

    def __call__(self, _: Any, level: str, fields: MutableMapping[str, Any]) -> str:
        """Return the line of FIELDS, without its end."""
        event = str(fields.pop("event"))
        fields["level"] = level
        fields["timestamp"] = self._now()
        fields["event"] = event
        try:
            return _WRITER.to_json(fields, fallback=repr).decode()
        except ValueError:
            return _PATIENT.encode(fields)

    def _now(self) -> str:
        second, rest = divmod(time.time_ns(), 1_000_000_000)
        if second != self._second:
            self._second, self._spelled = second, time.strftime(_SECOND, time.gmtime(second))
        return f"{self._spelled}.{rest // 1000:06d}Z"


class LineWriter:
    """Writes lines in their order: at the end of the loop's turn, or at once where no loop runs.

    A process that is killed loses the lines of one turn; one that ends loses none.
    """

    def __init__(self, stream: TextIO) -> None:
        """Write to STREAM."""
        self._stream = stream
        self._lock = threading.Lock()
        self._lines: list[str] = []
        self._due: asyncio.AbstractEventLoop | None = None
        atexit.register(self._write)

    def msg(self, line: str) -> None:
        """Take a LINE without its end."""
        with self._lock:
            self._lines.append(line)
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            self._write()
            return
        if loop is not self._due:
            self._due = loop
            loop.call_soon(self._write)

    def _write(self) -> None:
        with self._lock:
            self._due = None
            if self._lines:
                lines = "\n".join([*self._lines, ""])
                self._lines.clear()
                self._stream.write(lines)
                self._stream.flush()
