"""Whatever comes in, the answer is parts or a refusal."""

import json
from typing import Any

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from gateway.convert import convert, parse_document
from gateway.convert.message import read_at_once, read_thoroughly
from gateway.convert.split import is_one_part, pack
from gateway.model.errors import Refused
from gateway.model.job import Format, Job
from gateway.model.segment_types import FIELDS
from gateway.settings import Delivery, Media
from tests.convert.harness import ACCOUNT
from tests.trials import TRIALS

NAMES = sorted({name for fields in FIELDS.values() for name in fields})
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters(), max_size=20)
    | st.sampled_from(["1", "all", "qq", "https://a.b/c", "/media/a", "base64://YQ==", "[CQ:face,id=1]", "[CQ:", "{}"])
)


def nested(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    data = st.dictionaries(st.sampled_from(NAMES) | st.text(max_size=5), inner, max_size=4)
    segment = st.fixed_dictionaries(
        {"type": st.sampled_from([*FIELDS, "poke", "imge"]) | inner}, optional={"data": data}
    )
    node = st.fixed_dictionaries({"type": st.just("node"), "data": st.fixed_dictionaries({"content": inner})})
    return segment | node | st.lists(segment | inner, max_size=4) | data


def check_refusal(refused: Refused, code: str) -> None:
    assert refused.code == code
    assert refused.errors
    assert all(fault.loc and fault.type and len(fault.msg) < 300 for fault in refused.errors)
    str(refused).encode()


ANYTHING = st.recursive(SCALARS, nested, max_leaves=15)
TARGETS = st.sampled_from([{"group_id": 1}, {"user_id": 2}, {"user_id": 2, "group_id": 1, "temp_session": True}])


@settings(max_examples=500 * TRIALS, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(ANYTHING, TARGETS, st.sampled_from(["text", "cq"]))
def test_any_message_ends_in_parts_or_a_refusal(message: Any, target: dict[str, Any], form: str) -> None:
    job = Job.model_validate({**target, "message": message, "format": form})
    try:
        parts = convert(job, ACCOUNT, Delivery(), Media(file_roots=("/media",)))
    except Refused as refused:
        check_refusal(refused, "message_invalid")
        return
    assert parts
    for part in parts:
        body = json.loads(part.body)
        assert part.body.isascii()
        assert all(isinstance(body[name], str) for name in ("group_id", "user_id") if name in body)
        assert isinstance(body["message"], list)
        assert body["message"]
        assert all(segment.keys() == {"type", "data"} for segment in body["message"])


@example("1e18:")
@settings(max_examples=500 * TRIALS, deadline=None)
@given(st.binary(max_size=60) | st.text(alphabet='{}[]":,\\u0d8e19-.ax \ud800', max_size=60))
def test_any_bytes_end_in_an_object_or_a_refusal(raw: bytes | str) -> None:
    try:
        assert isinstance(parse_document(raw), dict)
    except Refused as refused:
        check_refusal(refused, "json_invalid")


ORDINARY = st.lists(
    st.sampled_from(
        [
            "text",
            "[CQ:face,id=1]",
            {"type": "text", "data": {"text": " "}},
            {"type": "at", "data": {"qq": 5, "name": None}},
            {"type": "reply", "data": {"id": 5, "text": "x"}},
            {"type": "image", "data": {"url": "https://a.b/c", "file": "x.png", "cache": 0, "summary": None}},
            {"type": "image", "data": {"file": "https://localhost/c"}},
            {"type": "video", "data": {"file": "https://a.b/c", "thumb": ""}},
            {"type": "file", "data": {"path": "/media/a.txt"}},
            {"type": "record", "data": {"content": "# x"}},
            {"type": "contact", "data": {"id": 5}},
            {"type": "dice"},
            {"type": "node", "data": {"content": "x"}},
        ]
    ),
    max_size=8,
)

PIECES = [*"a &;,=好\n\r\t\0\x7f\x85\u2028\ud800😀", "[CQ:", "[CQ:face,id=1]", "&amp;", "&#91;"]
WORDS = st.lists(st.sampled_from(PIECES), max_size=8).map("".join)


@settings(max_examples=300 * TRIALS, deadline=None)
@given(ORDINARY | WORDS | ANYTHING, st.sampled_from(["text", "cq"]), st.booleans())
def test_reading_at_once_and_reading_thoroughly_agree(message: Any, form: Format, private: bool) -> None:
    media = Media(file_roots=("/media",))
    before = repr(message)
    at_once = read_at_once(message, form, private, media)
    assert repr(message) == before
    if at_once is not None:
        assert at_once == read_thoroughly(message, form, private, media)


SENDABLE = st.lists(
    st.sampled_from(
        [
            {"type": "text", "data": {"text": "x"}},
            {"type": "text", "data": {"text": " "}},
            {"type": "text", "data": {"text": ""}},
            {"type": "text", "data": {"text": "好" * 700}},
            {"type": "text", "data": {"text": "😀" * 1_100}},
            {"type": "at", "data": {"qq": "5"}},
            {"type": "face", "data": {"id": "5"}},
            {"type": "reply", "data": {"id": "5"}},
            {"type": "image", "data": {"file": "https://a.b/c"}},
            {"type": "dice", "data": {}},
        ]
    ),
    max_size=8,
)


@settings(max_examples=300 * TRIALS, deadline=None)
@given(SENDABLE, st.sampled_from([0, 1, 19, 20]))
def test_what_is_one_part_as_it_stands_is_packed_so(segments: list[Any], images: int) -> None:
    message = [*segments, *[{"type": "image", "data": {"file": "https://a.b/c"}}] * images]
    at_once = read_at_once(message, "text", False, Media())
    if at_once is not None and is_one_part(at_once):
        assert pack(at_once) == [at_once]
