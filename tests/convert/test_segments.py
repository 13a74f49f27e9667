"""Every segment type: what is taken, as what it is sent, and what is refused where."""

import time
from typing import Any

import pytest

from gateway.model.segment_types import FIELDS
from tests.convert.harness import faults, sent

URL = "https://example.com/a.png"
CARD = {"url": "https://a.b/c", "image": "https://a.b/d.png"}

GOOD: list[tuple[str, Any, Any]] = [
    ("text", {"text": "a\n\tb"}, {"text": "a\n\tb"}),
    ("at", {"qq": 123, "name": "x"}, {"qq": "123"}),
    ("at", {"qq": "all"}, {"qq": "all"}),
    ("face", {"id": 100}, {"id": "100"}),
    ("face", {"id": "5", "resultId": 1, "chainCount": "2", "raw": {}}, {"id": "5", "resultId": "1", "chainCount": 2}),
    (
        "mface",
        {"emoji_package_id": "7", "emoji_id": "ab", "key": "k", "summary": "s"},
        {"emoji_package_id": 7, "emoji_id": "ab", "key": "k", "summary": "s"},
    ),
    ("image", {"file": URL, "summary": "s", "sub_type": "1", "thumb": 0}, {"file": URL, "summary": "s", "sub_type": 1}),
    ("image", {"url": URL, "file": "ab.png", "file_size": "1", "cache": "0", "proxy": "yes"}, {"file": URL}),
    ("image", {"url": "", "path": "/media/a.png"}, {"file": "/media/a.png"}),
    ("record", {"file": URL, "magic": 1}, {"file": URL}),
    ("video", {"file": URL, "thumb": "file:///media/a.png"}, {"file": URL, "thumb": "file:///media/a.png"}),
    ("file", {"file": URL}, {"file": URL, "name": "a.png"}),
    ("file", {"file": URL, "name": "b.pdf"}, {"file": URL, "name": "b.pdf"}),
    ("json", {"data": '{"a": 1}'}, {"data": '{"a": 1}'}),
    ("json", {"data": {"a": "你"}, "config": {"token": "t"}}, {"data": '{"a":"你"}'}),
    ("markdown", {"content": "# x"}, {"content": "# x"}),
    ("music", {"type": 163, "id": 5}, {"type": "163", "id": "5"}),
    ("music", {"type": "qq", "id": "003aAYrm3GE0Ac"}, {"type": "qq", "id": "003aAYrm3GE0Ac"}),
    ("music", {"type": "custom", **CARD, "title": "t"}, {"type": "custom", **CARD, "title": "t"}),
    ("music", {"type": "qq", **CARD}, {"type": "qq", **CARD}),
    ("contact", {"id": 5}, {"type": "qq", "id": "5"}),
    ("contact", {"type": "group", "id": "5"}, {"type": "group", "id": "5"}),
    ("dice", {"result": 6}, {}),
    ("rps", None, {}),
    ("forward", {"id": "abc+/=", "content": []}, {"id": "abc+/="}),
    ("node", {"id": -5}, {"id": "-5"}),
    (
        "node",
        {"user_id": 5, "nickname": "n", "time": 1700000000, "content": "hi"},
        {
            "user_id": "5",
            "nickname": "n",
            "time": "1700000000",
            "content": [{"type": "text", "data": {"text": "hi"}}],
        },
    ),
    (
        "node",
        {
            "uin": "5",
            "name": "n",
            "source": "s",
            "news": [{"text": "t"}],
            "content": [{"type": "node", "data": {"id": 1}}],
        },
        {
            "uin": "5",
            "name": "n",
            "source": "s",
            "news": [{"text": "t"}],
            "content": [{"type": "node", "data": {"id": "1"}}],
        },
    ),
]

BAD: list[tuple[str, Any, str]] = [
    ("text", {}, "text"),
    ("text", {"text": 5}, "text"),
    ("text", {"text": "a\x07"}, "text"),
    ("text", {"text": "a\ud83d"}, "text"),
    ("text", {"text": "a", "font": 1}, "font"),
    ("at", {"qq": ""}, "qq"),
    ("at", {"qq": True}, "qq"),
    ("at", {"qq": 2**53 + 1}, "qq"),
    ("at", {"qq": "１２"}, "qq"),
    ("face", {"id": "smile"}, "id"),
    ("face", {"id": 1, "chainCount": -1}, "chainCount"),
    ("mface", {"emoji_id": "a", "key": "k"}, "emoji_package_id"),
    ("mface", {"emoji_package_id": 1.5, "emoji_id": "a", "key": "k"}, "emoji_package_id"),
    ("image", {}, "file"),
    ("image", {"file": ""}, "file"),
    ("image", {"file": 5}, "file"),
    ("image", {"file": URL, "sub_type": "x"}, "sub_type"),
    ("image", {"file": URL, "cache": "perhaps"}, "cache"),
    ("image", {"file": URL, "type": "flash"}, "type"),
    ("record", {"path": None}, "file"),
    ("video", {"file": URL, "thumb": "ftp://a/b"}, "thumb"),
    ("file", {"file": URL, "name": "a/b"}, "name"),
    ("json", {"data": "hello"}, "data"),
    ("json", {"data": "[1]"}, "data"),
    ("json", {"data": {"a": float("nan")}}, "data"),
    ("markdown", {"content": ""}, "content"),
    ("music", {"type": "spotify", "id": 1}, "type"),
    ("music", {"type": "custom", "url": "https://a.b"}, "image"),
    ("music", {"type": "custom", **CARD, "url": "javascript:x"}, "url"),
    ("contact", {"type": "bot", "id": 1}, "type"),
    ("contact", {"type": "qq"}, "id"),
    ("dice", {"sides": 20}, "sides"),
    ("rps", {"result": 1, "hand": 1}, "hand"),
    ("forward", {}, "id"),
    ("node", {"content": ""}, "content"),
    ("node", {"content": [5]}, "content.0"),
    ("node", {"content": "a", "user_id": "me"}, "user_id"),
    ("node", {"content": "a", "summary": "s"}, "summary"),
    ("node", {"nickname": "a"}, "content"),
    ("node", {"content": "a", "nickname": "n" * 513}, "nickname"),
    ("image", {"file": URL, "sub_type": "1_0"}, "sub_type"),
    ("image", {"file": URL, "summary": "s" * 513}, "summary"),
    ("text", {"text": "a", "(foo": 1}, "(foo"),
    ("text", {"text": "a\x9b31m"}, "text"),
    ("file", {"file": URL, "name": ".."}, "name"),
    ("file", {"file": URL, "name": "a\nb"}, "name"),
    ("music", {"type": "163", "id": 5, "title": "t"}, "title"),
]


@pytest.mark.parametrize(("kind", "data", "wire"), GOOD)
def test_a_good_segment_is_sent_in_its_canonical_form(kind: str, data: Any, wire: Any) -> None:
    assert sent({"type": kind, "data": data}) == [[{"type": kind, "data": wire}]]


@pytest.mark.parametrize(("kind", "data", "field"), BAD)
def test_a_bad_field_is_refused_by_name(kind: str, data: Any, field: str) -> None:
    assert list(faults([{"type": kind, "data": data}])) == [f"message.0.data.{field}"]


def test_every_type_has_a_good_and_a_bad_example() -> None:
    assert {kind for kind, *_ in GOOD} | {"reply"} == set(FIELDS)  # a reply is nothing alone; its own tests are below
    assert {kind for kind, *_ in BAD} | {"reply"} == set(FIELDS)


@pytest.mark.parametrize("reply", [{"id": 5}, {"id": "-5"}, {"seq": 7}, {"id": "5", "text": "quoted"}])
def test_a_reply_quotes_by_id_or_seq(reply: dict[str, Any]) -> None:
    [[first, _]] = sent([{"type": "reply", "data": reply}, "hi"])
    assert first["type"] == "reply"
    assert first["data"] == {k: str(v) if k == "id" else v for k, v in reply.items() if k != "text"}


@pytest.mark.parametrize("reply", [{}, {"id": None}, {"seq": 0}])
def test_a_reply_to_nothing_is_refused(reply: dict[str, Any]) -> None:
    assert "give id" in faults([{"type": "reply", "data": reply}, "hi"])["message.0.data"]


def test_the_published_record_with_content_means_markdown() -> None:
    assert sent({"type": "record", "data": {"content": "# x"}}) == [[{"type": "markdown", "data": {"content": "# x"}}]]


@pytest.mark.parametrize("kind", ["dice", "rps"])
def test_a_throw_needs_no_data(kind: str) -> None:
    assert sent({"type": kind}) == [[{"type": kind, "data": {}}]]


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        ("node", {"id": None, "content": "x"}),
        ("music", {"type": "custom", "id": None, **CARD}),
        ("contact", {"type": None, "id": 1}),
        ("record", {"content": "# x", "file": None}),
        ("image", {"file": URL, "url": None, "name": None, "cache": None}),
        ("dice", None),
    ],
)
def test_null_is_as_good_as_absent(kind: str, data: Any) -> None:
    assert sent({"type": kind, "data": data})


def test_fields_of_two_forms_of_one_type_are_told_apart() -> None:
    given = {"type": "music", "data": {"type": "163", "id": 5, "title": "t"}}
    assert "does not go with the other fields" in faults(given)["message.data.title"]
    assert "does not go" in faults({"type": "node", "data": {"id": 1, "nickname": "n"}})["message.data.nickname"]


def test_more_fields_than_anybody_needs_are_refused_at_once() -> None:
    crowd = {str(number): number for number in range(200_000)}
    began = time.process_time()
    assert "at most 64 fields" in faults([{"type": "image", "data": crowd}])["message.0"]
    assert "at most" in faults([node_with_news(200_000)])["message.0.data.news"]
    assert time.process_time() - began < 2


def node_with_news(lines: int) -> dict[str, Any]:
    inner = {"type": "node", "data": {"content": "x"}}
    return {"type": "node", "data": {"content": [inner], "news": [1] * lines}}


KINDS: list[tuple[Any, str]] = [
    (True, "a boolean"),
    (1.5, "a number with a decimal point"),
    ("x" * 5_000, "a string of 5000 characters"),
    ([1], "a list"),
    ({"a": 1}, "an object"),
]


@pytest.mark.parametrize(("value", "kind"), KINDS)
def test_a_refused_value_is_named_by_its_kind_and_never_shown(value: Any, kind: str) -> None:
    msg = faults([{"type": "at", "data": {"qq": value}}])["message.0.data.qq"]
    assert msg == f'write a QQ number, or "all"; this is {kind}'


@pytest.mark.parametrize("spelling", [True, False, 1, 0, "1", "0", "true", "false", "yes", "no"])
def test_booleans_are_taken_in_all_spellings_of_onebot(spelling: object) -> None:
    assert sent({"type": "image", "data": {"file": URL, "cache": spelling}})


def test_data_that_is_no_object_is_refused_by_its_kind() -> None:
    assert faults([{"type": "image", "data": "x"}]) == {
        "message.0.data": "write the fields of image as an object {…}; this is a string of 1 characters"
    }
