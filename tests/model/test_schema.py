"""The published schema of a job and the gateway agree on what a job is."""

import ast
import copy
import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.convert import parse_document
from gateway.intake.preparation import prepare
from gateway.model.errors import Refused
from gateway.model.schema import job_schema
from gateway.model.segment_types import FIELDS
from gateway.settings import Media, Settings
from tests.convert.test_pages import REQUESTS, SEGMENTS, without_comments
from tests.trials import TRIALS

README = (Path(__file__).parents[2] / "README.md").read_text("utf-8")
SCHEMA = job_schema()
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)
SETTINGS = Settings(media=Media(file_roots=("/media",)))
IMAGE = {"type": "image", "data": {"file": "https://example.com/a.png"}}
LINK = "https://example.com/"


def fits(document: Any) -> bool:
    """Whether the schema lets a job pass."""
    return bool(VALIDATOR.is_valid(document))


def taken(document: Any) -> bool:
    """Whether the gateway takes a job."""
    try:
        prepare(json.dumps(document).encode(), SETTINGS, "token")
    except Refused:
        return False
    return True


def examples_of_the_readme() -> list[dict[str, Any]]:
    shell = re.findall(r"'(\{\"(?:group_id|user_id)\".*?\})'", README)
    python = re.findall(r"^job = (\{.*\})$", README, re.MULTILINE)
    return [json.loads(text) for text in shell] + [ast.literal_eval(text) for text in python]


def test_the_schema_is_a_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    assert SCHEMA["$schema"] == "https://json-schema.org/draft/2020-12/schema"


def test_the_schema_lists_every_segment_with_its_fields() -> None:
    definitions = SCHEMA["$defs"]
    assert len(definitions["Segment"]["oneOf"]) == len(FIELDS)
    for kind, fields in FIELDS.items():
        segment = json.dumps(definitions[f"{kind.capitalize()}Segment"])
        data = re.findall(r"#/\$defs/(\w+)", segment)
        assert set(fields) <= {name for one in data for name in definitions[one]["properties"]}, kind


def test_every_field_of_a_job_says_what_it_is_for() -> None:
    assert [name for name, field in SCHEMA["properties"].items() if "description" not in field] == []


@pytest.mark.parametrize("job", [*SCHEMA["examples"], *examples_of_the_readme()], ids=lambda job: json.dumps(job)[:60])
def test_an_example_is_a_job(job: dict[str, Any]) -> None:
    assert fits(job)
    assert taken(job)


@pytest.mark.parametrize("page", REQUESTS)
def test_what_a_published_page_shows_is_a_job(page: str) -> None:
    assert fits(parse_document(without_comments(REQUESTS[page][0])))


@pytest.mark.parametrize("segment", SEGMENTS)
def test_a_published_segment_is_one(segment: str) -> None:
    assert fits({"group_id": 1, "message": [parse_document(SEGMENTS[segment][0])]})


GOOD: dict[str, list[Any]] = {
    "group_id": [1, "123456", "9" * 20, 2**53, None],
    "user_id": [None, 10001, "10001"],
    "temp_session": [False, True],
    "message": [
        "hello",
        IMAGE,
        ["a", "", {"type": "text", "data": {"text": "b"}}],
        [{"type": "reply", "data": {"id": -5}}, "b"],
        {"type": "face", "data": {"id": 14, "chainCount": "3", "resultId": None}},
        {"type": "dice"},
        {"type": "rps", "data": {"result": "?"}},
        {"type": "json", "data": {"data": {"app": "x"}}},
        {"type": "json", "data": {"data": ' {"app": "x"}\n'}},
        {"type": "record", "data": {"content": "# title"}},
        {"type": "video", "data": {"url": LINK, "file": None, "cache": "Yes", "proxy": 0, "thumb": LINK}},
        {"type": "file", "data": {"path": "/media/a.pdf", "name": 5}},
        {"type": "contact", "data": {"id": "5"}},
        {"type": "music", "data": {"type": 163, "id": "ab-1"}},
        {"type": "music", "data": {"type": "custom", "url": LINK, "image": LINK}},
        {"type": "forward", "data": {"id": "resid", "content": []}},
        [{"type": "node", "data": {"id": 5}}, {"type": "node", "data": {"content": "a", "user_id": 1, "time": 5}}],
        [{"type": "node", "data": {"content": [{"type": "node", "data": {"content": IMAGE, "name": "x"}}]}}],
    ],
    "format": ["text", "cq"],
    "account": [None, "main"],
    "key": [None, "a", "k" * 128],
    "requester": [None, 5, "5"],
    "priority": ["high", "normal", "low"],
    "not_before": [None, "2026-01-31T08:00:00Z", "2026-01-31 08:00:00.5+08:00"],
    "delay": [None, 0, 0.5, "2m", "1500ms", " 1.5h "],
    "expires_at": [None, "2026-01-31T08:00:00Z"],
    "ttl": [None, "7d"],
    "collapse_key": [None, "weather"],
    "on_unknown": [None, "hold", "resend"],
    "split": [None, "auto", "refuse"],
    "metadata": [{}, {"a": [1, None]}],
    "echo": [None, 1, {"a": 1}],
}
BAD: dict[str, list[Any]] = {
    "group_id": [0, -1, True, 2**53 + 1, "", "0123", "1 ", "１", ["1"], {}],
    "user_id": ["x", 1.5, [], "9" * 21],
    "temp_session": ["yes", 1, None],
    "message": [
        "",
        None,
        5,
        [],
        ["a", None],
        {"type": "share", "data": {}},
        {"type": "text"},
        {"type": "text", "data": {"text": 5}},
        {"type": "text", "data": {"text": "a\x01"}},
        {"type": "text", "data": {"text": "a"}, "id": 1},
        {"type": "at", "data": {"qq": "everybody"}},
        {"type": "face", "data": {"id": "1234567"}},
        {"type": "face", "data": {"id": 14, "chainCount": "many"}},
        {"type": "mface", "data": {"emoji_id": "x", "key": "y"}},
        {"type": "image", "data": {}},
        {"type": "image", "data": {"file": "", "url": None}},
        {"type": "image", "data": {"file": LINK, "fiel": LINK}},
        {"type": "image", "data": {"file": LINK, "cache": "maybe"}},
        {"type": "file", "data": {"file": LINK, "name": "a/b"}},
        {"type": "json", "data": {"data": "[1]"}},
        {"type": "json", "data": {"data": []}},
        {"type": "markdown", "data": {"content": ""}},
        {"type": "music", "data": {"type": "spotify", "id": 1}},
        {"type": "music", "data": {"type": "custom", "url": "ftp://x", "image": LINK}},
        {"type": "contact", "data": {"id": 1, "type": "channel"}},
        [{"type": "reply", "data": {}}, "b"],
        [{"type": "node", "data": {"user_id": 1}}],
        [{"type": "node", "data": {"id": "x"}}],
        [{"type": "node", "data": {"content": [5]}}],
        [{"type": "node", "data": {"content": "a", "nick": "x"}}],
    ],
    "format": ["html", None],
    "account": [1, "a" * 65],
    "key": ["", 7, "k" * 129, "a\nb"],
    "requester": ["me"],
    "priority": ["urgent", 1, None],
    "not_before": ["tomorrow", "2026-01-31T08:00:00", "2026-01-31", 1769846400],
    "delay": ["5", "soon", -1, True, 40_000_000, "1 m"],
    "expires_at": [5],
    "ttl": [{}],
    "collapse_key": [""],
    "on_unknown": ["drop"],
    "split": [True],
    "metadata": [[], "x", None],
    "source": [5],
    "news": [[{"text": 1}], [{}], [{"text": "x", "url": "y"}], "x", [{"text": "x"}] * 17],
    "mesage": ["hello"],
}
JOB = {"group_id": "1", "message": "hello"}


@pytest.mark.parametrize(
    "fields", [{name: value} for name, values in BAD.items() for value in values], ids=lambda one: json.dumps(one)[:60]
)
def test_what_the_gateway_refuses_for_its_form_the_schema_refuses(fields: dict[str, Any]) -> None:
    document = {**JOB, **fields}
    assert not taken(document)
    assert not fits(document)


@pytest.mark.parametrize(
    "document",
    [
        {"message": "x"},
        {"group_id": None, "message": "x"},
        {"group_id": 1},
        {**JOB, "user_id": 2},
        {**JOB, "temp_session": True},
        {**JOB, "user_id": 2, "temp_session": False},
        {**JOB, "not_before": "2026-01-31T08:00:00Z", "delay": "1s"},
        {**JOB, "expires_at": "2026-01-31T08:00:00Z", "ttl": 1},
        [],
        "hello",
    ],
)
def test_fields_that_do_not_go_together_the_schema_refuses_too(document: Any) -> None:
    assert not taken(document)
    assert not fits(document)


@settings(max_examples=100 * TRIALS, deadline=None)
@given(st.fixed_dictionaries({"message": st.sampled_from(GOOD["message"])}, optional={
    name: st.sampled_from(values) for name, values in GOOD.items() if name != "message"
}))  # fmt: skip
def test_whatever_goes_together_both_agree(document: dict[str, Any]) -> None:
    assert fits(document) == taken(copy.deepcopy(document))
