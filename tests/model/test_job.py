"""What is a job, and how each wrong field is told."""

from datetime import UTC, datetime
from typing import Any

import pytest

from gateway.intake.preparation import parse_job
from gateway.model.errors import Refused
from gateway.model.job import Job

LARGEST = 2**53


def job(**fields: Any) -> Job:
    return parse_job({"group_id": "1", "message": "hello", **fields})


def faults(**fields: Any) -> dict[str, str]:
    """Return what is said of each wrong field."""
    with pytest.raises(Refused) as caught:
        job(**fields)
    assert caught.value.code == "job_invalid"
    return {fault.loc: fault.msg for fault in caught.value.errors}


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("123456", "123456"),
        (123456, "123456"),
        (LARGEST, str(LARGEST)),
        ("9007199254740993", "9007199254740993"),
        ("9" * 20, "9" * 20),
    ],
)
def test_an_id_is_a_string_of_digits_however_it_was_given(given: object, kept: str) -> None:
    assert job(group_id=given).target == ("group", kept)
    assert job(group_id=None, user_id=given).target == ("private", kept)
    assert job(requester=given).requester == kept


@pytest.mark.parametrize("field", ["group_id", "user_id", "requester"])
@pytest.mark.parametrize(
    "given",
    [0, -1, LARGEST + 1, True, False, 1.0, "", "0", "0123", "-1", "+1", " 1", "1\n", "1e3", "１", "9" * 21, ["1"]],
)
def test_what_is_no_qq_number_is_refused_by_its_field(field: str, given: object) -> None:
    assert field in faults(**{"group_id": None, field: given})


def test_an_integer_that_has_lost_digits_on_its_way_is_refused_with_the_remedy() -> None:
    assert faults(group_id=LARGEST + 1)["group_id"] == "a number over 2^53 loses digits on its way; send it as a string"


def test_a_job_for_nobody_is_refused() -> None:
    assert faults(group_id=None) == {"job": "give group_id (a group) or user_id (a person)"}


def test_a_job_for_a_group_and_a_person_is_refused_unless_it_asks_for_a_temporary_session() -> None:
    assert "temp_session: true" in faults(user_id="2")["job"]
    assert job(user_id="2", temp_session=True).target == ("private", "2")


@pytest.mark.parametrize("fields", [{}, {"group_id": None, "user_id": "2"}])
def test_a_temporary_session_needs_the_person_and_the_group(fields: dict[str, Any]) -> None:
    assert "needs group_id and user_id" in faults(temp_session=True, **fields)["job"]


@pytest.mark.parametrize("field", ["not_before", "expires_at"])
def test_a_time_is_rfc_3339_and_says_its_offset(field: str) -> None:
    moment = round(datetime(2026, 1, 31, 8, tzinfo=UTC).timestamp() * 1000)
    assert getattr(job(**{field: "2026-01-31T08:00:00Z"}), field) == moment
    assert getattr(job(**{field: "2026-01-31T16:00:00.000+08:00"}), field) == moment


@pytest.mark.parametrize("field", ["not_before", "expires_at"])
@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("2026-01-31T08:00:00", "say the offset"),
        ("2026-01-31", "say the offset"),
        ("tomorrow", "write an RFC 3339 time"),
        ("2026-02-30T08:00:00Z", "write an RFC 3339 time"),
        (1769846400, "write an RFC 3339 time"),
        ("9999-12-31T23:59:59-12:00", "in the years 1 to 9999"),
        ("0001-01-01T00:00:00+12:00", "in the years 1 to 9999"),
    ],
)
def test_what_is_no_time_is_refused_by_its_field(field: str, given: object, words: str) -> None:
    assert words in faults(**{field: given})[field]


@pytest.mark.parametrize(
    "fields",
    [
        {"not_before": "2026-01-31T08:00:00Z", "delay": "1s"},
        {"expires_at": "2026-01-31T08:00:00Z", "ttl": "1s"},
    ],
)
def test_a_time_and_a_duration_for_the_same_thing_are_refused(fields: dict[str, Any]) -> None:
    assert "not both" in faults(**fields)["job"]


@pytest.mark.parametrize("field", ["delay", "ttl"])
def test_a_duration_has_its_unit_or_is_a_number_of_seconds(field: str) -> None:
    assert [getattr(job(**{field: given}), field) for given in ("1500ms", "2m", 2, 0.5)] == [1500, 120_000, 2000, 500]


@pytest.mark.parametrize("given", ["5", "soon", -1, True, 1e308, 10**400, "367d"])
def test_what_is_no_duration_is_refused_by_its_field(given: object) -> None:
    assert "delay" in faults(delay=given)


@pytest.mark.parametrize("metadata", [{}, {"é": []}, {"a": "x" * 4087}, {"a": "é" * 2043}])
def test_metadata_is_taken_up_to_four_kibibytes(metadata: dict[str, Any]) -> None:
    assert job(metadata=metadata).metadata == metadata


@pytest.mark.parametrize("metadata", [{"a": "x" * 4088}, {"a": "字" * 1400}])
def test_metadata_beyond_it_is_refused_with_its_size(metadata: dict[str, Any]) -> None:
    assert "keep it within 4096" in faults(metadata=metadata)["metadata"]


@pytest.mark.parametrize("metadata", [[], "x", None, 1])
def test_metadata_is_an_object(metadata: object) -> None:
    assert "metadata" in faults(metadata=metadata)


@pytest.mark.parametrize(
    ("written", "meant"), [("mesage", "message"), ("groupid", "group_id"), ("not_befor", "not_before"), ("Key", "key")]
)
def test_an_unknown_field_is_refused_by_name_with_the_nearest_known_one(written: str, meant: str) -> None:
    assert faults(**{written: "1"}) == {written: f"unknown field; did you mean {meant}?"}


def test_an_unknown_field_that_resembles_none_is_told_the_known_ones() -> None:
    assert faults(xyzzy=1)["xyzzy"].startswith("unknown field; known: group_id, user_id,")


@pytest.mark.parametrize(
    "fields",
    [
        {"format": "html"},
        {"priority": "urgent"},
        {"priority": 1},
        {"on_unknown": "drop"},
        {"key": ""},
        {"key": "k" * 129},
        {"key": 7},
        {"temp_session": "yes"},
        {"account": 1},
        {"news": [{"text": 1}]},
    ],
)
def test_a_field_of_another_kind_is_refused_by_its_name(fields: dict[str, Any]) -> None:
    (name,) = fields
    assert [loc.split(".")[0] for loc in faults(**fields)] == [name]


def test_a_message_is_required() -> None:
    with pytest.raises(Refused) as caught:
        parse_job({"group_id": "1"})
    assert [(fault.loc, fault.msg) for fault in caught.value.errors] == [("message", "is required")]


def test_every_wrong_field_is_named_at_once() -> None:
    assert set(faults(group_id=0, priority="urgent", delay="soon", mesage=1)) == {
        "group_id",
        "priority",
        "delay",
        "mesage",
    }
