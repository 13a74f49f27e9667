"""How the README is read: its blocks, their commands, and what an answer has in common with a printed one."""

from typing import Any

import pytest

from tests.readme.blocks import blocks_of, commands_of
from tests.readme.shape import differences

DOCUMENT = """# Title

```sh
# a remark
A=1
curl -d '{"a":
 1}' http://x \\
  -H 'B: c'   # what it does: main.Zk3…
# {"a": 1}
# {"a": 2}

cat <<END | sort
b
END
```

<!-- not run: it needs a QQ account -->
```yaml
a: 1
```
"""


def test_a_block_is_found_with_its_line_and_the_reason_why_it_is_not_run() -> None:
    found = [(block.line, block.language, block.reason) for block in blocks_of(DOCUMENT)]
    assert found == [(4, "sh", None), (19, "yaml", "it needs a QQ account")]


def test_a_command_goes_on_for_as_long_as_bash_waits_for_more() -> None:
    commands = commands_of(next(blocks_of(DOCUMENT)))
    assert [command.line for command in commands] == [5, 6, 12]
    assert [command.answers for command in commands] == [[], ['{"a": 1}', '{"a": 2}'], []]
    assert commands[2].text == "cat <<END | sort\nb\nEND"


def test_a_comment_at_the_end_of_a_line_is_no_part_of_the_command() -> None:
    assert commands_of(next(blocks_of(DOCUMENT)))[1].code.endswith("-H 'B: c'  ")


def test_a_command_without_an_end_is_told() -> None:
    block = next(blocks_of("```sh\necho 'a\n```\n"))
    with pytest.raises(ValueError, match=r"README\.md:2: this command does not end"):
        commands_of(block)


@pytest.mark.parametrize(
    ("printed", "answered"),
    [
        ({"id": "main.Zk3…", "duplicate": False}, {"id": "main.abc", "duplicate": False}),
        ({"message_ids": [1]}, {"message_ids": [5, 6]}),
        ({"sent_at": "2026-01-01T00:00:00Z"}, {"sent_at": "2027-01-01T00:00:00Z"}),
        ({"items": [{"id": "a"}]}, {"items": [{"id": "b"}, {"id": "c"}]}),
    ],
)
def test_an_answer_may_differ_in_what_is_another_each_time(printed: Any, answered: Any) -> None:
    assert list(differences(printed, answered)) == []


@pytest.mark.parametrize(
    ("printed", "answered", "fault"),
    [
        ({"a": 1}, {}, "the answer has no 'a'"),
        ({}, {"a": 1}, "the answer has 'a', which is not printed"),
        ({"data": {"a": 1}}, {"data": None}, "data is None; {'a': 1} is printed"),
        ({"message_id": 1}, {"message_id": "1"}, "message_id is '1'; 1 is printed"),
        ({"status": "ok"}, {"status": "async"}, "status is 'async'; 'ok' is printed"),
        ({"items": [{"a": 1}]}, {"items": [{"a": 1}, {"a": 2}]}, "items[1].a is 2; 1 is printed"),
        ({"items": [1]}, {"items": []}, "items has 0 items; 1 are printed"),
    ],
)
def test_an_answer_that_differs_in_what_is_fixed_is_told(printed: Any, answered: Any, fault: str) -> None:
    assert list(differences(printed, answered)) == [fault]
