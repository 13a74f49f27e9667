"""What a log may say of a message: nothing, something to compare, or the words and no secret in them."""

import json
from typing import Any

import pytest

from gateway.model.trace import traceparent_of
from gateway.model.veil import Veil
from gateway.model.words import MOST_READ, Words


def body(*segments: Any) -> bytes:
    return json.dumps({"group_id": "1", "message": segments}).encode()


def text(words: str) -> dict[str, Any]:
    return {"type": "text", "data": {"text": words}}


FORWARD = {"type": "node", "data": {"content": [text("inside"), {"type": "image", "data": {"file": "https://a/b"}}]}}


@pytest.mark.parametrize(
    ("segments", "words"),
    [
        ([text("hello "), text("world")], "hello world"),
        ([{"type": "at", "data": {"qq": "5"}}, text(" 你好")], "@5 你好"),
        ([{"type": "image", "data": {"file": "https://a.example/?token=x"}}], "[image]"),
        ([FORWARD, FORWARD], "[node] inside[image]\n[node] inside[image]\n"),
        ([text("see https://me:pw@a.example/b?key=1")], "see https://a.example/b?…"),
        ([text("the token is hunter2")], "the token is ***"),
        (["nonsense"], None),
    ],
)
def test_full_words_are_text_and_the_types_of_the_rest(segments: list[Any], words: str | None) -> None:
    assert Words("full", Veil(["hunter2"])).of([body(*segments)]) == words


def test_long_words_are_cut_and_bodies_with_media_in_them_are_not_read() -> None:
    words = Words("full")
    told = words.of([body(text("x" * 2_000))])
    assert told is not None
    assert (len(told), told[-2:]) == (500, "x…")
    assert words.of([body(text("x" * MOST_READ))]) is None
    assert words.of([body(text("a")), body(text("b"))]) == "a\nb"
    assert words.of([]) is None


def test_a_hash_is_equal_for_equal_words_only_and_says_none_of_them() -> None:
    words = Words("hash")
    first, again, other = (words.of([body(text(one))]) for one in ("hello", "hello", "world"))
    assert first == again == "2cf24dba5fb0a30e"  # sha256 of "hello"
    assert other not in {first, None}


def test_no_words_are_told_unless_wished_for() -> None:
    assert Words().of([body(text("hello"))]) is None


TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


@pytest.mark.parametrize(
    ("metadata", "trace"),
    [
        ({"traceparent": TRACE, "other": 1}, TRACE),
        ({"traceparent": TRACE.upper()}, None),
        ({"traceparent": f"{TRACE}\n"}, None),
        ({"traceparent": f"ff{TRACE[2:]}"}, None),
        ({"traceparent": f"00-{'0' * 32}-00f067aa0ba902b7-01"}, None),
        ({"traceparent": f"00-4bf92f3577b34da6a3ce929d0e0e4736-{'0' * 16}-01"}, None),
        ({"traceparent": [TRACE]}, None),
        ({"inner": {"traceparent": TRACE}}, None),
        ([TRACE], None),
    ],
)
def test_a_trace_is_what_w3c_calls_one_at_the_top_of_the_metadata(metadata: Any, trace: str | None) -> None:
    assert traceparent_of(json.dumps(metadata)) == trace


def test_metadata_that_cannot_be_read_names_no_trace() -> None:
    assert traceparent_of(b'{"traceparent"') is None
