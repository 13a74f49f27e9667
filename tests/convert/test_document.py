"""Strict JSON: one reading or none."""

import json

import pytest

from gateway.convert import parse_document
from gateway.model.errors import Refused

GOOD: dict[str, tuple[bytes | str, object]] = {
    "an object": (b'{"a": [1, -2.5, true, null, "x"]}', {"a": [1, -2.5, True, None, "x"]}),
    "text": ('{"a": "你好"}', {"a": "你好"}),
    "utf-8": ('{"a": "😀"}'.encode(), {"a": "😀"}),
    "an escaped pair": (rb'{"a": "\ud83d\ude00"}', {"a": "😀"}),
    "an escaped backslash before u0000": (rb'{"a": "\\u0000"}', {"a": "\\u0000"}),
    "a byte order mark": (b'\xef\xbb\xbf{"a": 1}', {"a": 1}),
    "2^53": (b'{"a": 9007199254740992}', {"a": 2**53}),
    "brackets in text": (json.dumps({"a": "[" * 99 + '\\"{'}), {"a": "[" * 99 + '\\"{'}),
    "many shallow lists": (b'{"a": [' + b"[]," * 99 + b"[]]}", {"a": [[]] * 100}),
    "32 levels": (b'{"a":' + b"[" * 31 + b"]" * 31 + b"}", {"a": json.loads("[" * 31 + "]" * 31)}),
}

BAD: dict[str, bytes | str] = {
    "nothing": b"",
    "a list": b"[1]",
    "a string": b'"a"',
    "a trailing comma": b'{"a": 1,}',
    "two objects": b"{} {}",
    "a comment": b'{"a": 1} // no',
    "a raw newline in a string": b'{"a": "\n"}',
    "NaN": b'{"a": NaN}',
    "Infinity": b'{"a": -Infinity}',
    "a number that overflows": b'{"a": 1e999}',
    "an integer over 2^53": b'{"a": 9007199254740993}',
    "an integer under -2^53": b'{"a": -9007199254740993}',
    "a whole number over 2^53 with an exponent": b'{"a": 1e17}',
    "an endless integer": b'{"a": ' + b"1" * 100_000 + b"}",
    "an endless fraction": b'{"a": 0.' + b"1" * 100_000 + b"}",
    "a lone surrogate": rb'{"a": {"b": ["\ud83d"]}}',
    "a lone surrogate as a key": rb'{"\udc00": 1}',
    "a raw lone surrogate": '{"a": "\ud83d"}',
    "an encoded lone surrogate": b'{"a": "\xed\xa0\x80"}',
    "an escaped NUL": rb'{"a": "\u0000"}',
    "a raw NUL": b'{"a": "\x00"}',
    "UTF-16": '{"a": 1}'.encode("utf-16"),
    "UTF-16 without a mark": '{"a": 1}'.encode("utf-16-le"),
    "UTF-32": '{"a": 1}'.encode("utf-32"),
    "Latin-1": '{"a": "é"}'.encode("latin-1"),
    "33 levels": b'{"a":' + b"[" * 32 + b"]" * 32 + b"}",
    "a mountain of brackets": b"[" * 1_000_000,
    "a high mountain with both slopes": b"[" * 500_000 + b"]" * 500_000,
    "a mountain of objects": b'{"a":' * 200_000,
    "a mountain of escaped quotes": b'[[[{{{"' + b'\\"' * 500_000 + b"[" * 100,
}


@pytest.mark.parametrize("case", GOOD)
def test_a_strict_object_is_read(case: str) -> None:
    raw, document = GOOD[case]
    assert parse_document(raw) == document


@pytest.mark.parametrize("case", BAD)
def test_what_could_be_read_in_two_ways_is_refused(case: str) -> None:
    with pytest.raises(Refused) as refusal:
        parse_document(BAD[case])
    assert refusal.value.code == "json_invalid"
    assert refusal.value.errors
    assert len(str(refusal.value)) < 400
    str(refusal.value).encode()


def test_a_key_given_twice_is_refused_by_name() -> None:
    with pytest.raises(Refused, match="the key is given twice") as refusal:
        parse_document(b'{"x": {"group_id": 1, "group_id": 2}}')
    assert refusal.value.errors[0].loc == "x.group_id"


@pytest.mark.parametrize("value", ["NaN", "1e999", "9007199254740993"])
def test_a_questionable_number_is_named_with_its_place(value: str) -> None:
    with pytest.raises(Refused) as refusal:
        parse_document(f'{{"message": [1, {{"data": {{"id": {value}}}}}]}}')
    assert [fault.loc for fault in refusal.value.errors] == ["message.1.data.id"]


@pytest.mark.parametrize("value", ['"\\u0000"', "NaN"])
def test_a_flood_of_faults_is_cut_and_costs_no_flood_of_words(value: str) -> None:
    with pytest.raises(Refused) as refusal:
        parse_document('{"a": [' + ",".join([value] * 50_000) + "]}")
    assert len(refusal.value.errors) == 100


def test_a_key_in_a_fault_is_short_and_harmless_to_a_terminal() -> None:
    with pytest.raises(Refused) as refusal:
        parse_document(json.dumps({"\x1b[31m\n" + "x" * 5_000: "\0"}))
    assert refusal.value.errors[0].loc == "…[31m…" + "x" * 34


def test_a_bad_character_is_named_with_its_place() -> None:
    with pytest.raises(Refused) as refusal:
        parse_document(rb'{"message": [{"data": {"text": "a\u0000"}}]}')
    assert [fault.loc for fault in refusal.value.errors] == ["message.0.data.text"]
