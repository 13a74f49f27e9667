"""What receipts and logs show of the words of an answer."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.forward.quoting import clean, phrasing
from tests.forward.test_what_an_answer_proves import NOTHING, STACK, refused, timed_out


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (refused(120, "你已被禁言，消息无法发送。").text, "EventChecker Failed: result 120 你已被禁言，消息无法发送。"),
        (timed_out(NOTHING).text, "Timeout: result 0"),
        (timed_out("{}").text, "Timeout: no result"),
        (STACK, "TypeError: Cannot read properties of undefined (reading 'type')"),
        ("ENOENT: no such file or directory, open '/data/my pics/a.png'", "ENOENT: no such file or directory, open …"),
        ("文件处理失败: 识别URL失败, uri= base64://c2VjcmV0", "文件处理失败: 识别URL失败, uri= …"),
        ("打不开 C:\\Users\\me\\a.png，请检查", "打不开 …"),
        ("<html>\r\n<head><title>502 Bad Gateway</title></head>", "502 Bad Gateway"),
        ("\x1b[31mred\x00 \u202etxt\n second", "[31mred txt"),
        ("下载失败: 404 Not Found", "下载失败: 404 Not Found"),
        ("   at x (a.js:1:2)", ""),
        ("", ""),
    ],
)
def test_receipts_show_the_words_and_nothing_else(text: str, shown: str) -> None:
    assert clean(text) == shown


PRIVATE = re.compile(r"file:|[A-Za-z]:\\|(/[\w.-]+){2}|^\s*at .*:\d+:\d+")
private = st.sampled_from(
    [
        "/app/napcat/napcat.mjs",
        "file:///root/napcat/x.js:1:2",
        "C:\\Program Files\\QQ\\a.dll",
        "\\\\host\\share\\x",
        "'/home/a b/c'",
        "\n    at SendMsg._handle (file:///app/napcat/napcat.mjs:1:31)",
        "at f (/app/x/y.js:1:2)\n",
        "/\x00app/\u200bnapcat",
        "\ud800",
    ]
)


@given(st.lists(st.one_of(st.text(max_size=80), private), max_size=12).map("".join))
def test_receipts_never_show_paths_stacks_or_long_texts(text: str) -> None:
    shown = clean(text)
    assert len(shown) <= 200
    shown.encode()  # raises if a surrogate is left
    assert "\n" not in shown
    assert not PRIVATE.search(shown)


def test_answers_that_differ_in_numbers_only_are_one_wording() -> None:
    one, other = "发送失败 (seq 123, id a8f9-22)", "发送失败 (seq 9, id b7c1-03)"
    assert phrasing(one) == phrasing(other)
    assert phrasing(one) != phrasing("发送失败了 (seq 123, id a8f9-22)")


@given(st.text())
def test_every_wording_has_a_fingerprint_of_eight_digits(text: str) -> None:
    assert re.fullmatch("[0-9a-f]{8}", phrasing(text))
