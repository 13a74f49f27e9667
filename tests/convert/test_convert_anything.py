"""Whatever comes in, the answer is parts or a refusal."""

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.convert import convert, parse_document
from gateway.model.errors import Refused
from gateway.model.job import Job
from gateway.model.segment import FIELDS
from gateway.settings import Media

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


@settings(max_examples=200, deadline=None)
@given(ANYTHING, TARGETS, st.sampled_from(["text", "cq"]))
def test_any_message_ends_in_parts_or_a_refusal(message: Any, target: dict[str, Any], form: str) -> None:
    job = Job.model_validate({**target, "message": message, "format": form})
    try:
        parts = convert(job, Media(file_roots=("/media",)), 10_000)
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


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=60) | st.text(alphabet='{}[]":,\\u0d8e19-.ax \ud800', max_size=60))
def test_any_bytes_end_in_an_object_or_a_refusal(raw: bytes | str) -> None:
    try:
        assert isinstance(parse_document(raw), dict)
    except Refused as refused:
        check_refusal(refused, "json_invalid")
