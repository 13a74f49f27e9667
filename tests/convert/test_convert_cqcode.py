"""CQ codes, as OneBot writes them and NapCat reads them."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.convert.cqcode import parse_cq

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


def escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("[", "&#91;").replace("]", "&#93;")


@settings(max_examples=200, deadline=None)
@given(st.text(alphabet="&#91;34amp,[]CQ:=x\n你", min_size=1), st.text(alphabet="&#91;34amp,[]CQ:=x\n你"))
def test_escaped_text_and_values_come_back_unchanged(text: str, value: str) -> None:
    cq = f"{escaped(text)}[CQ:image,file={escaped(value).replace(',', '&#44;')}]"
    assert parse_cq(cq) == [
        {"type": "text", "data": {"text": text}},
        {"type": "image", "data": {"file": value}},
    ]
