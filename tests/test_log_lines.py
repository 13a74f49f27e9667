"""Lines of the log for machines: what is in them, and when they are written."""

import asyncio
import io
import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.log_lines import JsonLine, LineWriter
from gateway.telemetry import Event

_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
_NAMES = st.text().filter(lambda name: name not in {"level", "timestamp", "event"})


class Stream(io.StringIO):
    """A stream that remembers what each write brought."""

    def __init__(self) -> None:
        super().__init__()
        self.writes: list[str] = []

    def write(self, text: str, /) -> int:
        self.writes.append(text)
        return super().write(text)


def line(fields: dict[str, Any], level: str = "info") -> dict[str, Any]:
    text = JsonLine()(None, level, {**fields, "event": Event.JOB_ATTEMPTED})
    assert "\n" not in text
    read: dict[str, Any] = json.loads(text)
    return read


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])  # a busy machine says nothing of lines
@given(st.dictionaries(_NAMES, _VALUES, max_size=5))
def test_a_line_carries_its_fields_as_they_are_and_what_it_is_last(fields: dict[str, Any]) -> None:
    read = line(fields)
    assert list(read) == [*fields, "level", "timestamp", "event"]
    assert {name: read[name] for name in fields} == fields
    assert (read["level"], read["event"]) == ("info", "job.attempted")


@pytest.mark.parametrize("text", ["\ud83d", "a\udcffb", "\x00\n\u2028"])
def test_words_that_are_no_unicode_are_written_too(text: str) -> None:
    assert line({"reason": text}, "warning")["reason"] == text


def test_what_json_cannot_say_is_told_by_its_name() -> None:
    assert line({"error": ValueError("no")})["error"] == "ValueError('no')"


def test_a_line_tells_its_time_to_the_microsecond(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = JsonLine()
    for now, spelled in (
        (1_772_352_000_514_000_999, "2026-03-01T08:00:00.514000Z"),
        (1_772_352_000_514_001_000, "2026-03-01T08:00:00.514001Z"),
        (1_772_352_001_000_000_000, "2026-03-01T08:00:01.000000Z"),
    ):
        monkeypatch.setattr("gateway.log_lines.time.time_ns", lambda now=now: now)
        assert json.loads(lines(None, "info", {"event": Event.JOB_ENDED}))["timestamp"] == spelled


async def test_the_lines_of_a_turn_are_written_together_and_in_order() -> None:
    stream = Stream()
    writer = LineWriter(stream)
    for turn in ("a", "b"):
        writer.msg(f"{turn}1")
        writer.msg(f"{turn}2")
        await asyncio.sleep(0)
    assert stream.writes == ["a1\na2\n", "b1\nb2\n"]


def test_without_a_loop_a_line_is_written_at_once_with_what_a_loop_left() -> None:
    stream = Stream()
    writer = LineWriter(stream)
    loop = asyncio.new_event_loop()

    async def leave() -> None:
        loop.stop()
        writer.msg("left")

    task = loop.create_task(leave())
    loop.run_forever()
    assert task.done()
    loop.close()
    writer.msg("after")
    assert "".join(stream.writes) == "left\nafter\n"


def test_a_second_loop_writes_what_the_first_left() -> None:
    stream = Stream()
    writer = LineWriter(stream)
    loop = asyncio.new_event_loop()
    loop.call_soon(loop.stop)
    loop.call_soon(writer.msg, "left")
    loop.run_forever()
    loop.close()

    async def say() -> None:
        writer.msg("next")

    asyncio.run(say())
    assert "".join(stream.writes) == "left\nnext\n"
