"""Hooks on the command line: what there is, what a payload becomes, and what is wrong before anything is started."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from gateway.cli import app
from gateway.intake.hooks.preset import presets

HOOK: dict[str, Any] = {"name": "code", "preset": "github", "secret": "s", "targets": ["group:7"]}


def gateway(folder: Path, *words: str, stdin: str = "", hooks: list[dict[str, Any]] | None = None) -> tuple[int, str]:
    """Run a command with settings that have HOOKS; return its exit code and all it prints."""
    file = folder / "gateway.yaml"
    file.write_text(json.dumps({"hooks": hooks if hooks is not None else [HOOK]}))
    result = CliRunner().invoke(app, [*words, "--config", str(file)], input=stdin)
    return result.exit_code, result.output


def test_every_preset_is_listed_with_how_it_proves_who_it_is() -> None:
    result = CliRunner().invoke(app, ["hooks", "list"])
    assert [line.split()[0] for line in result.output.splitlines()] == sorted(presets())


@pytest.mark.parametrize("preset", sorted(presets()))
def test_the_sample_of_every_preset_can_be_tried(tmp_path: Path, preset: str) -> None:
    code, told = gateway(tmp_path, "hooks", "try", preset)
    assert code == 0, told
    assert "\n  | " in told


def test_the_words_of_a_payload_move_no_cursor(tmp_path: Path) -> None:
    words = ("hooks", "try", "generic", "-")
    code, told = gateway(tmp_path, *words, stdin=json.dumps({"text": "paid\rrefused"}))
    assert (code, r"  | paid\rrefused" in told) == (0, True)


def test_a_payload_of_ones_own_is_tried_with_the_hook_as_it_is_set(tmp_path: Path) -> None:
    payload = {"ref": "refs/heads/main", "repository": {"full_name": "a/b"}, "sender": {"login": "c"}, "commits": []}
    words = ("hooks", "try", "code", "-", "-H", "X-GitHub-Event: ping", "--json")
    code, told = gateway(tmp_path, *words, stdin=json.dumps(payload))
    assert code == 0, told
    assert json.loads(told)["jobs"] == []


def test_what_the_hook_would_refuse_is_refused_with_the_reason(tmp_path: Path) -> None:
    code, told = gateway(tmp_path, "hooks", "try", "code", "-", "-H", "X-GitHub-Event: never_heard_of", stdin="{}")
    assert code == 1
    assert "event_unknown" in told


@pytest.mark.parametrize(
    ("hook", "words"),
    [
        ({**HOOK, "template": "{{ payload.nothing_like_it }}"}, "nothing_like_it"),
        ({**HOOK, "preset": "bark", "template": "{{ payload.titel.of_it }}"}, "titel"),
        ({**HOOK, "template": "{% if %}"}, "hooks.0.template"),
        ({**HOOK, "preset": "githup"}, "hooks.0.preset"),
        ({**HOOK, "secret": ""}, "hooks.0.secret"),
        ({**HOOK, "account": "nobody"}, "nobody"),
        ({**HOOK, "targets": ["12345"]}, "group:<number>"),
        ({**HOOK, "routes": [{"match": [{"path": "$[", "equals": 1}], "targets": ["group:1"]}]}, "match.0.path"),
    ],
)
def test_check_finds_what_is_wrong_with_a_hook_in_one_line(tmp_path: Path, hook: dict[str, Any], words: str) -> None:
    code, told = gateway(tmp_path, "check", hooks=[hook])
    assert code == 2
    assert words in told
    assert len(told.strip().splitlines()) == 1, told


@pytest.mark.parametrize(
    "fields",
    [
        {"preset": "generic", "template": "{{ payload.of_mine }}"},
        {"preset": "generic", "collapse_key": "{{ payload.of_mine }}"},
        {"preset": "standard", "secret": "whsec_" + "A" * 43 + "=", "template": "{{ payload.data.invoice }} paid"},
        {"events": ["release.*"], "template": "{{ payload.release.tag_name }} is out"},
        {"preset": "grafana", "events": ["of_mine"], "template": "{{ payload.of_mine }}"},
    ],
)
def test_a_template_for_what_the_sample_is_not_is_not_judged_by_it(tmp_path: Path, fields: dict[str, Any]) -> None:
    code, told = gateway(tmp_path, "check", hooks=[{**HOOK, **fields}])
    assert code == 0, told


def test_two_hooks_of_one_name_are_refused(tmp_path: Path) -> None:
    code, told = gateway(tmp_path, "check", hooks=[HOOK, HOOK])
    assert (code, "two hooks are named 'code'" in told) == (2, True)


def test_check_says_which_hooks_are_fine(tmp_path: Path) -> None:
    told = f"the settings are fine; accounts: main; hooks: code; file: {tmp_path}/gateway.yaml\n"
    assert gateway(tmp_path, "check") == (0, told)
