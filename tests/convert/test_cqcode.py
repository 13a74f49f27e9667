"""CQ codes, as OneBot writes them and NapCat reads them."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.convert.cqcode import parse_cq, render_cq
from tests.trials import TRIALS

GOOD = {
    "hello": [("text", {"text": "hello"})],
    "a[CQ:face,id=178]b": [("text", {"text": "a"}), ("face", {"id": "178"}), ("text", {"text": "b"})],
    "[CQ:at,qq=all][CQ:dice]": [("at", {"qq": "all"}), ("dice", {})],
    "[CQ:image,file=http://a/b?c=d&amp;e=1&#44;2]": [("image", {"file": "http://a/b?c=d&e=1,2"})],
    "[CQ:image,file=x,summary=a\nb c]": [("image", {"file": "x", "summary": "a\nb c"})],
    "&#91;CQ:at&#93; &amp; &#44;": [("text", {"text": "[CQ:at] & ,"})],
    "&amp;#91;": [("text", {"text": "&#91;"})],
    "[hello] a,b [cq:at]": [("text", {"text": "[hello] a,b [cq:at]"})],
    "": [],
}

BAD = [
    "[CQ:",
    "[CQ:at",
    "[CQ:at,qq=1",
    "[CQ:at,qq]",
    "[CQ:image,file=a,b]",
    "[CQ: at,qq=1]",
    "[CQ:at,qq=1,qq=2]",
    "[CQ:a,b=" * 50_000,
]


@pytest.mark.parametrize("text", GOOD)
def test_a_cq_string_spells_segments(text: str) -> None:
    assert [(segment["type"], segment["data"]) for segment in parse_cq(text)] == GOOD[text]


@pytest.mark.parametrize("text", BAD, ids=lambda text: text[:24])
def test_a_broken_cq_code_is_refused_instead_of_being_sent_as_text(text: str) -> None:
    with pytest.raises(ValueError, match="CQ code"):
        parse_cq(text)


TRICKY = st.text(alphabet="&#91;34amp,[]CQ:=x\n你")
PLAIN = TRICKY.filter(bool).map(lambda text: {"type": "text", "data": {"text": text}})
CODES = st.builds(
    lambda kind, data: {"type": kind, "data": data},
    st.from_regex(r"[a-z_]{1,8}", fullmatch=True).filter(lambda kind: kind != "text"),
    st.dictionaries(st.from_regex(r"[A-Za-z_0-9]{1,8}", fullmatch=True), TRICKY, max_size=4),
)
MESSAGES = st.lists(st.tuples(st.none() | PLAIN, st.none() | CODES), max_size=6).map(
    lambda pairs: [
        segment
        for number, pair in enumerate(pairs)
        for segment in pair
        # text beside text would come back as one
        if segment and not (segment["type"] == "text" and number and not pairs[number - 1][1])
    ]
)


@settings(max_examples=200 * TRIALS, deadline=None)
@given(MESSAGES)
def test_what_is_rendered_is_read_back_unchanged(message: list[dict[str, Any]]) -> None:
    assert parse_cq(render_cq(message)) == message


@settings(max_examples=200 * TRIALS, deadline=None)
@given(TRICKY)
def test_what_is_read_is_rendered_to_what_reads_the_same(text: str) -> None:
    try:
        message = parse_cq(text)
    except ValueError:
        return
    assert parse_cq(render_cq(message)) == message


def test_data_that_is_no_text_is_rendered_as_json() -> None:
    nested = [{"type": "node", "data": {"content": [{"type": "text", "data": {"text": "a,b"}}]}}]
    assert render_cq(nested) == ('[CQ:node,content=&#91;{"type": "text"&#44; "data": {"text": "a&#44;b"}}&#93;]')
