"""Reading what a OneBot client writes: NapCat's JSON is a little wider than JSON, and never means something else."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.intake.onebot.reading import job_of, read_form, read_json
from gateway.model.errors import Refused
from tests.trials import TRIALS

TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=20) | st.sampled_from(
    ["//", "/* */", ",]", ", }", '"', "\\", "http://a", "file://D:/a.mp4"]
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=10,
)
COMMENTS = st.sampled_from(["", " ", "\n", '// a " comment\n', '/* a, ] } " \n comment */', "/**/", "//\n"])


@settings(max_examples=100 * TRIALS)
@given(st.dictionaries(TEXT, VALUES, max_size=4), COMMENTS, COMMENTS, st.booleans())
def test_comments_change_nothing_that_is_meant(fields: dict[str, Any], before: str, after: str, last: bool) -> None:
    text = json.dumps(fields, ensure_ascii=False, indent=1)
    inner = text[1:-1]
    comma = "," if last and fields else ""
    assert read_json(f"{before}{{{after}{inner}{comma}{before}\n}}{after}".encode()) == fields


def outcome(read: Callable[..., Any], *given: Any) -> Any:
    """Return what is read, or the refusal."""
    try:
        return read(*given)
    except Refused as refusal:
        return refusal


@given(st.binary(max_size=60) | TEXT.map(str.encode))
def test_whatever_comes_is_read_or_refused(raw: bytes) -> None:
    for read in (read_json, read_form):
        found = outcome(read, raw)
        assert isinstance(found, dict) or found.code == "json_invalid"


@given(st.dictionaries(TEXT | st.sampled_from(["group_id", "user_id", "message_type", "auto_escape", "news"]), VALUES))
def test_whatever_is_asked_for_becomes_a_job_or_is_refused_by_field(fields: dict[str, Any]) -> None:
    for action in ("send_msg", "send_group_msg", "send_private_msg"):
        found = outcome(job_of, action, fields, "main")
        if isinstance(found, Refused):
            assert found.errors
            assert all(fault.loc and fault.msg for fault in found.errors)
        else:
            assert json.loads(found).keys() >= {"format", "account"}
            assert json.loads(found).keys() & {"group_id", "user_id"}


def test_a_call_of_too_many_fields_is_refused() -> None:
    with pytest.raises(Refused, match="takes no 101 fields"):
        job_of("send_msg", {str(n): n for n in range(101)}, None)
