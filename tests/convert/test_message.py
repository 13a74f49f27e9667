"""Messages: strings, segments, lists, forwards, and what is wrong with them."""

from typing import Any

import pytest

from gateway.convert.faults import INSTEAD
from tests.convert.harness import faults, sent


def text(value: str) -> dict[str, Any]:
    return {"type": "text", "data": {"text": value}}


def node(content: Any) -> dict[str, Any]:
    return {"type": "node", "data": {"content": content}}


def test_a_string_is_literal_text_cq_codes_included() -> None:
    assert sent("[CQ:at,qq=all] &amp;") == [[text("[CQ:at,qq=all] &amp;")]]


def test_a_string_is_cq_when_the_job_says_so() -> None:
    assert sent("hi [CQ:at,qq=1]", format="cq") == [[text("hi "), {"type": "at", "data": {"qq": "1"}}]]


def test_a_list_mixes_strings_and_segments() -> None:
    assert sent(["a", text("b"), {"type": "face", "data": {"id": 1}}]) == [
        [text("a"), text("b"), {"type": "face", "data": {"id": "1"}}]
    ]


def test_strings_inside_nodes_follow_the_format() -> None:
    [[literal]] = sent([node("[CQ:face,id=1]")])
    [[coded]] = sent([node("[CQ:face,id=1]")], format="cq")
    assert literal["data"]["content"] == [text("[CQ:face,id=1]")]
    assert coded["data"]["content"] == [{"type": "face", "data": {"id": "1"}}]


@pytest.mark.parametrize("kind", INSTEAD)
def test_what_napcat_would_drop_is_refused_by_name_with_the_way_out(kind: str) -> None:
    msg = faults(["x", {"type": kind, "data": {}}])["message.1.type"]
    assert kind in msg
    assert INSTEAD[kind] in msg


@pytest.mark.parametrize(("wrong", "right"), [("imge", "image"), ("Text", "text"), ("vidoe", "video"), ("pok", "poke")])
def test_a_near_miss_gets_the_type_that_was_meant(wrong: str, right: str) -> None:
    assert f"did you mean {right}?" in faults({"type": wrong, "data": {}})["message.type"]


def test_an_unknown_segment_type_is_refused_by_name() -> None:
    assert "'hologram' is no segment type; use one of text" in faults([{"type": "hologram"}])["message.0.type"]


def test_every_fault_is_named_at_once() -> None:
    found = faults(
        [
            {"type": "image", "data": {"fil": "x"}},
            {"type": "poke"},
            "fine",
            {"type": "video", "data": {"file": "ftp://a/b", "thumb": "gopher://c"}},
            {"type": "text", "data": {"text": "a\x00"}, "extra": 1},
            7,
            node([{"type": "at", "data": {}}, {"type": "hologram"}]),
        ]
    )
    assert list(found) == [
        "message.0.data.fil",
        "message.1.type",
        "message.3.data.file",
        "message.3.data.thumb",
        "message.4.data.text",
        "message.4.extra",
        "message.5",
        "message.6.data.content.0.data.qq",
        "message.6.data.content.1.type",
    ]


def test_no_value_is_repeated_at_length() -> None:
    long = "x" * 5_000
    found = faults(
        [
            {"type": long},
            {"type": "image", "data": {"file": long, long: 1}},
            {"type": "at", "data": {"qq": long}},
            {"type": "image", "data": {"file": long + "://x"}},
        ]
    )
    assert all("x" * 61 not in loc + msg for loc, msg in found.items())


@pytest.mark.parametrize("user", [{"user_id": 5}, {"user_id": 5, "group_id": 6, "temp_session": True}])
def test_nobody_is_mentioned_in_private(user: dict[str, Any]) -> None:
    at = {"type": "at", "data": {"qq": "1"}}
    assert "private" in faults([at, "x"], **user)["message.0"]


@pytest.mark.parametrize("message", ["", "  \n", [], [text("")], [text(" "), text("\n")]])
def test_an_empty_message_is_refused(message: Any) -> None:
    assert "empty" in faults(message)["message"]


@pytest.mark.parametrize("message", [None, 5, True, 1.5])
def test_what_is_no_message_is_refused(message: Any) -> None:
    assert "write a string" in faults(message)["message"]


@pytest.mark.parametrize("segment", [5, None, [], {}, {"type": 5}, {"data": {}}])
def test_what_is_no_segment_is_refused(segment: Any) -> None:
    assert "message.1" in faults(["x", segment])


def test_a_broken_cq_code_is_refused_with_its_place() -> None:
    assert "not complete" in faults(["x", "[CQ:at,qq=1"], format="cq")["message.1"]


def test_nodes_are_not_mixed_with_others() -> None:
    assert "stand alone" in faults([node("a"), "b"])["message"]
    assert "stand alone" in faults([node([node("a"), "b"])])["message.0.data.content"]


def test_nodes_nest_three_deep_and_no_deeper() -> None:
    assert sent([node([node([node("a")])])])
    assert (
        "at most 3"
        in faults([node([node([node([node("a")])])])])["message.0.data.content.0.data.content.0.data.content.0"]
    )


def test_a_forward_has_at_most_two_hundred_nodes_in_all() -> None:
    assert sent([node([node("a")] * 99)] * 2)
    assert "at most 200" in faults([node([node("a")] * 100)] * 2)["message.1.data.content.98"]


def test_a_node_refers_or_contains_but_not_both() -> None:
    assert "not both" in faults([{"type": "node", "data": {"id": 1, "content": "a"}}])["message.0.data"]


def test_a_message_quotes_at_most_one_other() -> None:
    reply = {"type": "reply", "data": {"id": 1}}
    assert "one reply" in faults([reply, reply, "x"])["message"]


def test_a_flood_of_faults_is_cut() -> None:
    assert len(faults([5] * 10_000)) == 100


@pytest.mark.parametrize("message", ["[CQ:face,id=1]" * 2_001, ["a"] * 2_001, [node(["a"] * 1_000)] * 2])
def test_a_message_has_at_most_two_thousand_segments(message: Any) -> None:
    assert any("at most 2000 segments" in msg for msg in faults(message, format="cq").values())
