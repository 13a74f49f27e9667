"""The lines of a file of jobs: each known again by its content."""

import os
from pathlib import Path

import pytest

from gateway.cli.lines import LONGEST, Line, Lines
from gateway.model.errors import Refused


async def read(path: Path, run: str = "") -> list[Line]:
    file = os.open(path, os.O_RDONLY)
    try:
        return [line async for bundle in Lines(file, run).bundles() for line in bundle]
    finally:
        os.close(file)


def written(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


async def keys(path: Path, text: str, run: str = "") -> list[str]:
    written(path, text)
    return [line.job["key"] for line in await read(path, run) if isinstance(line.job, dict)]


async def test_a_line_keeps_its_key_wherever_it_stands(tmp_path: Path) -> None:
    a, b, c = (f'{{"message": "{name}"}}' for name in "abc")
    first = await keys(tmp_path / "x", f"{a}\n{b}\n{b}\n")
    assert len(set(first)) == 3
    assert (await keys(tmp_path / "y", f"{c}\r\n\n  {b}\n{a}\n{b}"))[1:] == [first[1], first[0], first[2]]
    assert set(await keys(tmp_path / "x", f"{a}\n{b}", run="again")).isdisjoint(first)
    assert await keys(tmp_path / "x", '{"message": "a", "key": "mine"}') == ["mine"]


@pytest.mark.parametrize("last", ["", "\n"])
async def test_a_line_that_is_too_long_is_refused_and_the_next_one_read(tmp_path: Path, last: str) -> None:
    (tmp_path / "x").write_text('{"a": 1}\n' + "x" * (LONGEST + 5) + '\n{"a": 2}' + last)
    lines = await read(tmp_path / "x")
    assert [line.number for line in lines] == [1, 2, 3]
    assert isinstance(lines[1].job, Refused)
    assert lines[2].raw == b'{"a": 2}'


async def test_an_empty_file_has_no_lines(tmp_path: Path) -> None:
    assert await keys(tmp_path / "x", "") == []
    assert await keys(tmp_path / "x", "\n \n") == []
