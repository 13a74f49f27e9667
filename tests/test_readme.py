"""The README and the files made from the code do not drift, and what the README prints works."""

import asyncio
import json
import re
from pathlib import Path

import pytest

from gateway.settings import load_settings
from gateway.settings.reference import settings_table
from tests.readme.blocks import Block, blocks_of, commands_of
from tests.readme.running import reading
from tests.world import until

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text("utf-8")
SETUP = (
    "python3 -m venv --without-pip .venv && "
    "python3 -m pip --python .venv/bin/python install -q -c deploy/constraints.txt"
)
DRAWING = ""
BLOCKS = list(blocks_of(README))


def of(language: str) -> list[Block]:
    """Return the blocks of a language that are run; the two commands of a first visit are run by `.ci/run` itself."""
    return [
        block
        for block in BLOCKS
        if block.language == language and not block.reason and not block.text.startswith(SETUP)
    ]


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


@pytest.mark.timeout(120)
async def test_every_command_and_program_of_the_readme_works_and_answers_as_it_is_printed(tmp_path: Path) -> None:
    async with reading(tmp_path) as reader:
        for block in sorted([*of("sh"), *of("python")], key=lambda block: block.line):
            if block.language == "python":
                await reader.runs(block.line, block.text)
                continue
            for command in await asyncio.to_thread(commands_of, block):
                await reader.types(command)
        assert not reader.wrong, "\n\n".join(["these lines of the README do not work:", *reader.wrong])
        await until(lambda: reader.looks("/status"), lambda seen: not any(map(depth, seen["sources"].values())))
        assert not await reader.refused()


def depth(source: dict[str, int]) -> int:
    """Return how many entries of a source are not read yet."""
    return source["depth"]


def test_settings_and_json_of_the_readme_can_be_read(tmp_path: Path) -> None:
    for block in of("yaml"):
        file = tmp_path / f"README.md line {block.line}"
        file.write_text(block.text)
        load_settings(file, {})
    for block in of("json"):
        json.loads(block.text)


def test_nearly_every_block_of_the_readme_is_run() -> None:
    """A block that cannot be says why in a comment just above it: `<!-- not run: … -->`."""
    unknown = [block for block in BLOCKS if block.language not in {"sh", "python", "yaml", "json", DRAWING}]
    assert not unknown, "write sh, python, yaml or json, which are run, or nothing for a drawing"
    assert README.count("```") == 2 * len(BLOCKS), "a fence is not closed"
    assert len([block for block in BLOCKS if block.reason]) <= 2
