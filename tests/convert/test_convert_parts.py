"""Parts: what goes together, and the exact request of each."""

import base64
import json
from typing import Any

import pytest

from gateway.convert.split import ALONE
from gateway.model.segment import FIELDS
from tests.convert.harness import faults, parts_of, sent

URL = "https://example.com/a"
SEGMENTS: dict[str, dict[str, Any]] = {
    "text": {"text": "t"},
    "at": {"qq": "1"},
    "face": {"id": "1"},
    "reply": {"id": "1"},
    "image": {"file": URL},
    "record": {"file": URL},
    "video": {"file": URL},
    "file": {"file": URL},
    "json": {"data": "{}"},
    "markdown": {"content": "x"},
    "music": {"type": "qq", "id": 1},
    "contact": {"id": 1},
    "forward": {"id": "x"},
    "dice": {},
    "rps": {},
    "mface": {"emoji_package_id": 1, "emoji_id": "a", "key": "k"},
    "node": {"content": "x"},
}


def message(words: str) -> list[dict[str, Any]]:
    return [{"type": word, "data": SEGMENTS[word]} for word in words.split()]


SPLITS = {
    "text": "text",
    "text at face image": "text at face image",
    "text image video": "text image | video",
    "video text": "video | text",
    "text video text record text": "text | video | text | record | text",
    "dice dice": "dice | dice",
    "reply text video": "reply text | video",
    "text reply image": "reply text image",
    "reply video text": "video | reply text",
    "video reply at": "video | reply at",
    "text video reply text": "reply text | video | text",
    "node node": "node node",
    **{f"text {word} text": f"text | {word} | text" for word in sorted(ALONE)},
}


@pytest.mark.parametrize("words", SPLITS)
def test_what_must_be_alone_is_a_part_of_its_own(words: str) -> None:
    parts = sent(message(words))
    assert " | ".join(" ".join(segment["type"] for segment in part) for part in parts) == SPLITS[words]


def test_every_type_is_tried() -> None:
    assert set(SEGMENTS) == set(FIELDS)


@pytest.mark.parametrize("words", ["reply video", "dice reply"])
def test_a_quote_with_nothing_to_carry_it_is_refused(words: str) -> None:
    assert "leave the reply out" in faults(message(words))["message"]


def test_a_reply_alone_is_refused() -> None:
    assert "reply alone" in faults(message("reply"))["message"]


def test_blank_text_between_parts_is_no_part() -> None:
    parts = sent([*message("video"), "\n", *message("video"), ""])
    assert [[segment["type"] for segment in part] for part in parts] == [["video"], ["video"]]


def test_too_many_parts_or_images_are_refused() -> None:
    assert len(sent(message("dice " * 50))) == 50
    assert "at most 50" in faults(message("dice " * 51))["message"]
    assert "at most 50 images" in faults(message("image " * 51))["message"]


def test_a_group_message_is_these_bytes() -> None:
    [part] = parts_of("é[😀", group_id=123)
    assert part.action == "send_group_msg"
    assert part.body == (
        b'{"group_id":"123","message":[{"type":"text","data":{"text":"\\u00e9[\\ud83d\\ude00"}}],"timeout":10000}'
    )
    assert (part.timeout_ms, part.fetch_ms, part.nodes) == (10_000, 0, False)


def test_a_private_message_names_the_person_only() -> None:
    [part] = parts_of("x", user_id="18446744073709551615")
    assert part.action == "send_private_msg"
    assert list(json.loads(part.body)) == ["user_id", "message", "timeout"]


def test_a_temporary_session_names_person_and_group() -> None:
    [part] = parts_of("x", user_id=1, group_id=2, temp_session=True)
    assert part.action == "send_private_msg"
    assert json.loads(part.body).items() >= {"user_id": "1", "group_id": "2"}.items()


def test_a_forward_carries_its_card() -> None:
    card: dict[str, Any] = {"source": "s", "news": [{"text": "n"}], "summary": "m", "prompt": "p"}
    [part] = parts_of(message("node node"), **card)
    assert part.nodes
    assert json.loads(part.body).items() >= card.items()


@pytest.mark.parametrize("field", ["source", "summary", "prompt"])
def test_a_card_field_without_a_forward_is_refused_by_name(field: str) -> None:
    card: dict[str, Any] = {field: "y"}
    assert "no node segments" in faults("x", **card)[field]


@pytest.mark.parametrize(
    ("card", "loc"),
    [
        ({"news": [{"txt": "x"}]}, "news.0.text"),
        ({"news": [{"text": "\x00"}]}, "news.0.text"),
        ({"source": "\x01"}, "source"),
    ],
)
def test_a_broken_card_field_is_refused_by_name(card: dict[str, Any], loc: str) -> None:
    assert loc in faults(message("node"), **card)


def test_inline_media_lengthens_the_wait_by_its_upload() -> None:
    inline = "base64://" + base64.b64encode(b"x" * 512 * 1024).decode()
    image = {"type": "image", "data": {"file": inline}}
    for content in ([image], [{"type": "node", "data": {"content": [image]}}]):
        [part] = parts_of(content)
        assert part.timeout_ms == json.loads(part.body)["timeout"] == 12_000
        assert part.fetch_ms == 0


@pytest.mark.parametrize("words", ["image", "record", "video", "file"])
def test_media_that_napcat_fetches_gets_time_to_be_fetched_and_uploaded(words: str) -> None:
    [part] = parts_of(message(words))
    assert (part.timeout_ms, part.fetch_ms) == (70_000, 60_000)
