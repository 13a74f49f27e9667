"""Fingerprints: a sent part and NapCat's report of it are the same message."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.convert import fingerprint
from tests.convert.harness import parts_of
from tests.trials import TRIALS

URL = "https://example.com/a.png"


def segment(kind: str, **data: Any) -> dict[str, Any]:
    return {"type": kind, "data": data}


REPORTS: dict[str, tuple[Any, Any]] = {
    "text": ("hi  ", [segment("text", text="hi  ")]),
    "adjacent text": (["a", "b"], [segment("text", text="ab")]),
    "split text": ("ab", [segment("text", text="a"), segment("text", text="b")]),
    "line ends": ("a\r\nb\rc", [segment("text", text="a\nb\nc")]),
    "at as a number": ([segment("at", qq="5"), " x"], [segment("at", qq=5, name="n"), segment("text", text=" x")]),
    "face": ([segment("face", id=5)], [segment("face", id="5", raw={"faceIndex": 5}, resultId=None)]),
    "image": (
        [segment("image", file=URL, summary="s")],
        [segment("image", file="AB.png", url="https://qq/x", file_size="9")],
    ),
    "video": ([segment("video", file=URL)], [segment("video", file="id", url="")]),
    "record": ([segment("record", file=URL)], [segment("record", file="id", path="/x")]),
    "file": ([segment("file", file=URL)], [segment("file", file="a.png", file_id="x")]),
    "sticker": (
        [segment("mface", emoji_package_id=1, emoji_id="a", key="k")],
        [segment("image", file="a.gif", emoji_id="a")],
    ),
    "dice": ([segment("dice")], [segment("dice", result="4")]),
    "contact": ([segment("contact", id=1)], [segment("json", data="{}")]),
    "music": ([segment("music", type="qq", id=1)], [segment("json", data="{}")]),
    "res_id": ([segment("forward", id="x")], [segment("forward", id="7")]),
    "nodes as forward": ([segment("node", content="a"), segment("node", content="b")], [segment("forward", id="7")]),
    "nodes as ark": ([segment("node", content="a")], [segment("json", data='{"app":"com.tencent.multimsg"}')]),
    "reply": ([segment("reply", id=5), "x"], [segment("reply", id="99"), segment("text", text="x")]),
    "reply that NapCat dropped": ([segment("reply", id=5), "x"], [segment("text", text="x")]),
}


@pytest.mark.parametrize("case", REPORTS)
def test_a_part_is_known_again_in_napcats_report(case: str) -> None:
    message, report = REPORTS[case]
    [part] = parts_of(message)
    assert part.fingerprint == fingerprint(report)
    assert len(part.fingerprint) == 16
    int(part.fingerprint, 16)


DIFFERENT = [
    [segment("text", text="a")],
    [segment("text", text="a ")],
    [segment("text", text="A")],
    [segment("text", text="at")],
    [segment("at", qq="1")],
    [segment("at", qq="11")],
    [segment("at", qq="1"), segment("at", qq="1")],
    [segment("face", id="1")],
    [segment("image", file="a")],
    [segment("image"), segment("text", text="a")],
    [segment("text", text="a"), segment("image")],
    [segment("video")],
    [segment("dice")],
    [segment("json")],
    [],
]


def test_different_messages_have_different_fingerprints() -> None:
    assert len({fingerprint(message) for message in DIFFERENT}) == len(DIFFERENT)


ODD = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(),
    lambda inner: (
        st.lists(inner)
        | st.dictionaries(st.sampled_from(["type", "data", "text", "qq", "id", "x"]), inner)
        | st.fixed_dictionaries({"type": st.sampled_from(["text", "at", "face", "node", "?"]), "data": inner})
    ),
    max_leaves=12,
)


@settings(max_examples=100 * TRIALS, deadline=None)
@given(ODD)
def test_odd_events_never_raise(event: Any) -> None:
    assert len(fingerprint(event)) == 16


@pytest.mark.parametrize("event", [None, 5, "text", [segment("text", text="\ud800")], [segment("at", qq=10**5000)]])
def test_known_oddities_never_raise(event: Any) -> None:
    assert len(fingerprint(event)) == 16
