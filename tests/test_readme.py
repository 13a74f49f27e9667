"""The README and the files made from the code do not drift."""

import re
from pathlib import Path

import pytest

from gateway.settings.reference import settings_table

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text("utf-8")
SETUP = (
    "python3 -m venv --without-pip .venv && "
    "python3 -m pip --python .venv/bin/python install -q -c deploy/constraints.txt"
)


@pytest.mark.parametrize(
    "command",
    [f"{SETUP} -e '.[embedded]' && .venv/bin/gateway demo", f"{SETUP} -e '.[test]' && .venv/bin/python -m pytest -q"],
)
def test_the_two_commands_stand_in_the_readme_on_one_line_each(command: str) -> None:
    assert README.count(f"```sh\n{command}\n```") == 1


def test_the_settings_table_of_the_readme_is_the_generated_one() -> None:
    table = re.search(r"<!-- settings: [^\n]*-->\n(.*?)<!-- end of settings -->", README, re.DOTALL)
    assert table is not None
    assert table[1] == settings_table(), "run `gateway config --table` and put its output into README.md"


def test_the_top_level_holds_the_agreed_files_and_nothing_else() -> None:
    agreed = {"pyproject.toml", "README.md", "gateway", "tests", "deploy", "config.example.yaml"}
    made = {"dist", "build", "config.yaml"}
    assert {path.name for path in ROOT.iterdir() if not path.name.startswith(".")} - made == agreed
