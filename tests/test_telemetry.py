"""The log's vocabulary: every event has one name, in one place, and is written somewhere."""

import ast
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import gateway
from gateway.telemetry import Event

FOLDER = Path(gateway.__file__).parent
LEVELS = {"debug", "info", "warning", "error", "exception", "critical", "log"}


def sources() -> Iterator[tuple[Path, ast.AST]]:
    for file in FOLDER.rglob("*.py"):
        if file != FOLDER / "telemetry.py":
            yield file, ast.parse(file.read_text("utf-8"))


def test_every_event_is_written_somewhere_and_the_end_of_a_job_in_one_place() -> None:
    named = Counter(
        (node.attr, file.relative_to(FOLDER).as_posix())
        for file, tree in sources()
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "Event"
    )
    assert {event.name for event in Event} <= {name for name, _ in named}
    for event, place in (("JOB_ENDED", "store/ends.py"), ("JOB_ATTEMPTED", "forward/forwarder.py")):
        assert [(name, number) for (name, number), times in named.items() if name == event] == [(event, place)]
        assert named[event, place] == 1


def test_nothing_is_written_by_another_name_or_past_the_log() -> None:
    for file, tree in sources():
        for node in ast.walk(tree):
            if isinstance(node, ast.Import | ast.ImportFrom):
                names = {alias.name for alias in node.names} | {getattr(node, "module", None)}
                assert "structlog" not in names, file
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Attribute)
                and node.func.attr in LEVELS
                and node.args
                and "log" in ast.unparse(node.func.value).lower()
            ):
                assert not isinstance(node.args[0], ast.Constant | ast.JoinedStr), f"{file}:{node.lineno}"


def test_names_are_a_noun_and_what_happened_to_it() -> None:
    for event in Event:
        noun, _, verb = event.value.partition(".")
        assert event.name == f"{noun}_{verb}".upper(), event
        assert noun.isalpha(), event
        assert verb.replace("_", "").isalpha(), event
