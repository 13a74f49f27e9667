"""Parts: what goes together, and the exact request of each."""

import base64
import json
import time
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given as given_
from hypothesis import settings
from hypothesis import strategies as st

from gateway.model.errors import Refused
from gateway.model.segment_types import ALONE
from gateway.settings import Delivery
from tests.convert.harness import ACCOUNT, faults, parts_of, sent
from tests.convert.test_segments import GOOD
from tests.trials import TRIALS

URL = "https://example.com/a"
SEGMENTS = {"reply": {"id": "1"}, **{kind: data or {} for kind, data, _ in reversed(GOOD)}}


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


@pytest.mark.parametrize("words", ["reply video", "dice reply"])
def test_a_quote_with_nothing_to_carry_it_is_refused(words: str) -> None:
    assert "leave the reply out" in faults(message(words))["message"]


def test_a_reply_alone_is_refused() -> None:
    assert "reply alone" in faults(message("reply"))["message"]


def test_blank_text_between_parts_is_no_part() -> None:
    parts = sent([*message("video"), "\n", *message("video"), ""])
    assert [[segment["type"] for segment in part] for part in parts] == [["video"], ["video"]]


def test_a_job_makes_at_most_fifty_parts() -> None:
    assert len(sent(message("dice " * 50))) == 50
    assert "more than 50 separate messages" in faults(message("dice " * 51))["message"]
    assert "more than 50 separate messages" in faults("a" * 200_001)["message"]


def test_every_twenty_images_are_a_part() -> None:
    parts = sent([*message("reply"), *(f"{i}" if i % 2 else message("image")[0] for i in range(90))])
    assert [sum(segment["type"] == "image" for segment in part) for part in parts] == [20, 20, 5]
    assert parts[0][0]["type"] == "reply"


def test_a_long_text_is_cut_and_what_stands_before_it_stays_with_its_beginning() -> None:
    long = "好" * 9_000
    parts = sent([*message("reply at"), long, *message("face")])
    assert [[segment["type"] for segment in part] for part in parts] == [
        ["reply", "at", "text"],
        ["text"],
        ["text", "face"],
    ]
    assert "".join(text_of(part) for part in parts) == long


def test_a_text_that_fits_into_one_message_is_not_cut() -> None:
    parts = sent(["a" * 3_000, *message("image"), "b" * 3_000, "c" * 1_000])
    assert [text_of(part) for part in parts] == ["a" * 3_000, "b" * 3_000 + "c" * 1_000]


def test_blanks_that_no_message_could_carry_are_refused() -> None:
    assert "4000 blanks in a row" in faults("a" + "\n" * 9_000 + "b")["message"]


def test_texts_beside_each_other_are_cut_as_one_and_lose_no_blank() -> None:
    for given in (["\n\n" + " " * 2_500, "code" * 500], ["x" * 4_000, "\n"], ["\n" * 3_000, "a" * 2_000]):
        parts = sent(given)
        assert "".join(map(text_of, parts)) == "".join(given)
        assert all(text_of(part).strip() for part in parts)


def test_a_mention_goes_with_the_text_behind_it() -> None:
    parts = sent(["a" * 3_990, *message("at"), " hello there, everybody"])
    assert [[segment["type"] for segment in part] for part in parts] == [["text"], ["at", "text"]]


@pytest.mark.parametrize("text", ["." * 200_000, "!" * 63_000, ("a" + " " * 3_999) * 49, "\n" * 63_000, "。" * 190_000])
def test_a_text_that_is_hard_to_cut_costs_no_time(text: str) -> None:
    began = time.process_time()
    with suppress(Refused):
        sent(text)
    assert time.process_time() - began < 1  # a fraction of it; before, the time grew with the square of the length


def test_a_call_that_napcat_would_stand_still_over_is_refused() -> None:
    node = {"type": "node", "data": {"content": "😀" * 1_100_000}}
    assert "stands still" in faults(node)["message"]


SEVERAL = {"a video": message("text video"), "a long text": "a" * 4_001, "many images": message("image " * 21)}


@pytest.mark.parametrize("case", SEVERAL)
def test_a_job_may_refuse_to_be_split(case: str) -> None:
    assert "split says refuse" in faults(SEVERAL[case], split="refuse")["message"]
    assert len(sent(SEVERAL[case], split="auto")) == 2


def test_the_setting_decides_for_jobs_that_say_nothing_about_splitting() -> None:
    refusing = Delivery(split="refuse")
    assert "text, then video" in faults(message("text video"), delivery=refusing)["message"]
    assert len(sent(message("text video"), delivery=refusing, split="auto")) == 2
    assert len(sent(message("text image"), delivery=refusing)) == 1


def text_of(part: list[dict[str, Any]]) -> str:
    return "".join(segment["data"].get("text", "") for segment in part)


WORDS = st.sampled_from(["text", "text", "at", "face", "image", "image", "video", "dice", "long", "blank"])


@settings(max_examples=100 * TRIALS, deadline=None)
@given_(st.lists(WORDS, min_size=1, max_size=60))
def test_splitting_loses_nothing_and_keeps_the_order(words: list[str]) -> None:
    long = {"long": "{}." * 1_500, "blank": " \n" * 600 + "{}"}
    given = [long[word].replace("{}", str(i)) if word in long else message(word)[0] for i, word in enumerate(words)]
    parts = sent(given)
    whole = [segment for part in parts for segment in part]
    assert [segment["type"] for segment in whole if segment["type"] != "text"] == [
        word for word in words if word not in ("text", *long)
    ]
    assert text_of(whole) == "".join(item if isinstance(item, str) else text_of([item]) for item in given)
    for part in parts:
        assert len(part) == 1 or ALONE.isdisjoint(segment["type"] for segment in part)
        assert len(text_of(part)) <= 4_000
        assert sum(segment["type"] == "image" for segment in part) <= 20


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


@pytest.mark.parametrize("wire", ["markdown", "record"])
def test_markdown_goes_out_under_the_type_the_account_takes(wire: str) -> None:
    account = ACCOUNT.model_copy(update={"markdown": wire})
    node = {"type": "node", "data": {"content": message("markdown")}}
    for published in ("markdown", "record"):
        given = {"type": published, "data": {"content": "# x"}}
        assert sent(given, account=account) == [[{"type": wire, "data": {"content": "# x"}}]]
    [[outer]] = sent(node, account=account)
    assert outer["data"]["content"][0]["type"] == wire
