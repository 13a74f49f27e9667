"""What filters make of what they expect, and of everything else."""

import time
from typing import Any

import pytest

from gateway.intake.hooks.filters import (
    FILTERS,
    branch,
    cut,
    duration,
    facts,
    few,
    first_line,
    line,
    link,
    local_time,
    more,
    pictures,
    plain,
    short,
)

ANYTHING = [None, "", "x", "\ud800", 0, -1, 7, 1.5, float("nan"), float("inf"), 10**400, True, [], [1], {}, {"a": [1]}]


@pytest.mark.parametrize("value", ANYTHING, ids=lambda value: repr(value)[:20])
@pytest.mark.parametrize("name", sorted(set(FILTERS) - {"few", "more"}))
def test_a_filter_fails_at_nothing(name: str, value: Any) -> None:
    FILTERS[name](value)


@pytest.mark.parametrize(
    "text", ["[" * 200_000, "<" * 200_000, "![](" * 50_000, " " * 200_000, "**" * 100_000, "# " * 100_000]
)
@pytest.mark.parametrize("name", ["plain", "first_line", "link", "pictures", "line", "cut", "local_time", "branch"])
def test_a_filter_takes_no_longer_than_its_text_is_long(name: str, text: str) -> None:
    began = time.process_time()
    FILTERS[name](text)
    assert time.process_time() - began < 2


@pytest.mark.parametrize(
    ("value", "most", "said"),
    [
        ("hello", 5, "hello"),
        ("hello!", 5, "hell…"),
        ("hell o!", 6, "hell…"),
        ("", 5, ""),
        (None, 5, ""),
        (12345, 4, "123…"),
        ("ab", 0, "…"),
        ("你好世界", 3, "你好…"),
    ],
)
def test_what_is_long_is_cut(value: Any, most: int, said: str) -> None:
    assert cut(value, most) == said


def test_the_first_line_is_the_first_that_says_something() -> None:
    assert first_line("\n \n  Fix the door\n\nIt was open") == "Fix the door"
    assert first_line("one\r\ntwo") == "one"
    assert first_line("x" * 9, 5) == "xxxx…"
    assert first_line(None) == first_line(" \n") == ""


def test_hashes_branches_and_tags_are_written_as_people_do() -> None:
    assert short("7fd1a60b01f91b314f59955a4e4d4e80d8edf11d") == "7fd1a60"
    assert branch("refs/heads/feature/a") == "feature/a"
    assert branch("refs/tags/v1") == "v1"
    assert branch("main") == "main"


def test_of_a_long_list_the_first_are_said_and_how_many_more_there_are() -> None:
    assert few(range(12)) == [0, 1, 2, 3, 4]
    assert more(range(12)) == "+7 more\n"
    assert (few([1, 2], 2), more([1, 2], 2)) == ([1, 2], "")
    assert (few(None), more(None)) == ([], "")


def test_a_line_is_broken_only_when_it_says_something() -> None:
    assert line(" a ") == "a\n"
    assert line(0) == "0\n"
    assert line("") == line(None) == line(" \n") == ""


@pytest.mark.parametrize(
    ("value", "zone", "said"),
    [
        ("2026-09-21T14:13:20Z", "", "2026-09-21 14:13 UTC"),
        ("2026-09-21T14:13:20Z", "Asia/Shanghai", "2026-09-21 22:13"),
        ("2026-09-21T22:13:20+08:00", "", "2026-09-21 14:13 UTC"),
        ("2026-09-21T14:13:20.123456789Z", "", "2026-09-21 14:13 UTC"),
        ("2026-09-21 14:13:20 UTC", "", "2026-09-21 14:13 UTC"),
        ("2026-09-21T14:13:20", "", "2026-09-21 14:13 UTC"),
        (1_790_000_000, "", "2026-09-21 14:13 UTC"),
        ("1790000000", "", "2026-09-21 14:13 UTC"),
        (1_790_000_000_000, "", "2026-09-21 14:13 UTC"),
        (1.417566161e09, "", "2014-12-03 00:22 UTC"),
        (0, "", "1970-01-01 00:00 UTC"),
        ("yesterday", "", "yesterday"),
        ("", "", ""),
        (None, "", ""),
        (True, "", "True"),
        ("9999-12-31T23:59:59Z", "Asia/Shanghai", "9999-12-31 23:59 UTC"),
        ("²", "", "²"),
        ("2026-09-21T14:13:20Z", "Nowhere/Land", "2026-09-21 14:13 UTC"),
    ],
)
def test_a_time_is_written_as_in_the_zone_of_its_readers(value: Any, zone: str, said: str) -> None:
    assert local_time(value, zone) == said


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0, "0s"), (45, "45s"), (7500, "2h 5m"), (90_061, "1d 1h"), ("61", "1m 1s"), (59.6, "1m"), ("soon", "soon")],
)
def test_a_duration_is_said_in_two_units(seconds: Any, said: str) -> None:
    assert duration(seconds) == said


@pytest.mark.parametrize(
    "value",
    [
        "javascript:alert(1)",
        "https://",
        "https://a b",
        "https://a\nb",
        "<https://a>",
        "file:///x",
        "//a",
        "",
        None,
        7,
        [],
    ],
)
def test_what_is_no_address_is_no_link(value: Any) -> None:
    assert link(value) == ""
    assert link(" https://e.com/?a=1&b=(2)#c ") == "https://e.com/?a=1&b=(2)#c"


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("**bold** and `code` and __more__", "bold and code and more"),
        ("# Title\n\ntext", "Title\n\ntext"),
        ("### Title", "Title"),
        ("#1 is no title", "#1 is no title"),
        ("> said\n>\n> twice", "said\n\ntwice"),
        ("a\n---\nb", "a\n\nb"),
        ("```python\nx = 1\n```\nafter", "x = 1\n\nafter"),
        ("- one\n- two", "- one\n- two"),
        ("[the words](https://e.com)", "the words"),
        ("![alt](https://e.com/1.png) text", "alt text"),
        ('see [a](https://e.com "title").', "see a."),
        ("<p>one</p><p>two<br/>three</p>", "one\n\ntwo\nthree"),
        ("<ul><li>one</li><li>two</li></ul>", "one\n\ntwo"),
        ("a &lt;b&gt; &amp; c", "a <b> & c"),
        ("1 < 2 and 3 > 2", "1 < 2 and 3 > 2"),
        ("<https://e.com/a>", "https://e.com/a"),
        ("<!-- nothing -->text<script>x</script>", "textx"),
        ("too \t many   blanks", "too many blanks"),
        ("a  \n\n\n\nb", "a\n\nb"),
        (None, ""),
        (7, "7"),
    ],
)
def test_markdown_and_html_are_read_as_words(value: Any, said: str) -> None:
    assert plain(value) == said


def test_the_targets_of_links_stay_where_they_are_wanted() -> None:
    text = "[the words](https://e.com/a) ![alt](https://e.com/1.png) [https://e.com](https://e.com) [](https://e.com/b)"
    assert plain(text, links=True) == "the words https://e.com/a https://e.com https://e.com/b"


def test_pictures_are_found_and_no_more_than_wanted() -> None:
    text = "".join(f'![a](https://e.com/{n}.png "t")\n' for n in range(5)) + "![b](file:///etc/passwd) ![c](/1.png)"
    assert pictures(text) == [f"https://e.com/{n}.png" for n in range(3)]
    assert pictures(text, 9) == [f"https://e.com/{n}.png" for n in range(5)]
    assert pictures("[no picture](https://e.com/1.png)") == []


def test_the_facts_of_a_mapping_are_its_simple_values() -> None:
    payload = {
        "name": "nas",
        "ok": True,
        "bad": False,
        "zero": 0,
        "none": None,
        "empty": "",
        "nothing": [],
        "disk": {"sda": {"used": "92 %"}, "sdb": {}},
        "names": ["a", "b"],
        "alerts": [{"a": 1}, {"b": 2}],
        "long": "one\ntwo",
        "many": list(range(99)),
    }
    assert facts(payload, ["name"]) == [
        "ok: yes",
        "bad: no",
        "zero: 0",
        "disk.sda.used: 92 %",
        "names: a, b",
        "alerts: 2",
        "long: one",
        "many: 99",
    ]
    assert len(facts({"x" * 1_000_000: dict.fromkeys(map(str, range(5_000)), 1)})[0]) < 200
    assert facts(["a"]) == facts("a") == facts(None) == []


HOSTILE = [
    "![](",
    "[](",
    "[",
    "![",
    "<",
    "<a",
    "<http://",
    "&#",
    "`",
    "**",
    "# ",
    "> ",
    " ",
    "\t",
    "\n",
    "<br",
    "](",
    "a",
]


@pytest.mark.parametrize("start", HOSTILE)
@pytest.mark.parametrize("name", ["plain", "pictures", "first_line", "link", "cut", "line"])
def test_no_text_keeps_a_filter_busy(name: str, start: str) -> None:
    began = time.process_time()
    for text in (start * (65_536 // len(start)), start + "a" * 65_536, start + "1" * 65_536):
        FILTERS[name](text)
    assert time.process_time() - began < 1.0


def test_a_character_with_thousands_of_digits_is_left_as_it_is() -> None:
    assert plain("&#" + "1" * 5_000 + ";").startswith("&#111")
