"""The runbook, `deploy/README.md`: its sections, its blocks, and the terminal in which those that can be run are run.

A block is ```` ```console KIND ````: `run` is run in the world of tests/deploy/test_runbook.py (`run NAME`: where that
module says), others (`docker`, `kubernetes`, …) are read. `$` begins a command, `>` goes on with it, other lines are
what it prints: they have to come in this order, and `…` stands for anything.
"""

import asyncio
import os
import re
import secrets
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.readme.blocks import Block, blocks_of

DEPLOY = Path(__file__).parents[2] / "deploy"
README = DEPLOY / "README.md"
PATIENCE = 30.0  # seconds a command may take


@dataclass
class Step:
    """One command, with the line it stands in and what it is said to print."""

    line: int
    command: str
    prints: list[str] = field(default_factory=list)


def blocks(kind: str) -> list[Block]:
    """Return the blocks that say `console KIND`, in order."""
    return [block for block in blocks_of(README.read_text("utf-8")) if block.language == f"console {kind}"]


def steps(block: Block) -> list[Step]:
    """Return the commands of BLOCK."""
    found: list[Step] = []
    for number, line in enumerate(block.text.splitlines(), block.line):
        if line.startswith("$ "):
            found.append(Step(number, line[2:]))
        elif line.startswith(">"):
            found[-1].command += f"\n{line[2:]}"
        else:
            found[-1].prints.append(line)
    return found


def headings() -> Iterator[tuple[int, str]]:
    """Yield depth and words of each heading."""
    text = re.sub(r"^```.*?^```$", "", README.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL)
    for marks, words in re.findall(r"^(#+) (.+)$", text, re.MULTILINE):
        yield len(marks), words


def sections_under(title: str) -> list[str]:
    """Return the headings right under the one called TITLE."""
    found: list[str] = []
    inside = False
    for depth, words in headings():
        if depth <= 2:
            inside = words == title
        elif inside:
            found.append(words)
    return found


def anchors() -> set[str]:
    """Return what a link into the runbook may lead to."""
    return {re.sub(r"[^\w\- ]", "", words.lower()).replace(" ", "-") for _, words in headings()}


class Terminal:
    """One shell, in which commands are typed one after the other."""

    def __init__(self, folder: Path, environ: Mapping[str, str]) -> None:
        self._folder = folder
        self._environ = dict(environ)
        self._mark = secrets.token_hex(8)

    async def __aenter__(self) -> "Terminal":
        """Open it."""
        self._shell = await asyncio.create_subprocess_exec(
            *("bash", "--noprofile", "--norc", "-o", "pipefail"),
            cwd=self._folder, env=self._environ, start_new_session=True,
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        )  # fmt: skip
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close it, with what it left running."""
        assert self._shell.stdin is not None
        self._shell.stdin.write(b"kill $(jobs -p) 2> /dev/null; wait; exit\n")
        self._shell.stdin.close()
        try:
            async with asyncio.timeout(10):
                await self._shell.wait()
        except TimeoutError:
            os.killpg(self._shell.pid, 9)
            await self._shell.wait()

    async def types(self, command: str) -> tuple[int, str]:
        """Run COMMAND; return its exit code and what it printed, errors too."""
        assert self._shell.stdin is not None
        assert self._shell.stdout is not None
        self._shell.stdin.write(f"{command}\nprintf '\\n{self._mark} %s\\n' $?\n".encode())
        await self._shell.stdin.drain()
        printed = b""
        try:
            async with asyncio.timeout(PATIENCE):
                while not (found := re.search(rf"\n{self._mark} (\d+)\n".encode(), printed)):
                    more = await self._shell.stdout.read(65536)
                    assert more, f"the shell has ended: {printed.decode()[-600:]}"
                    printed += more
        except TimeoutError:
            raise TimeoutError(f"it did not end within {PATIENCE:.0f} s: {printed.decode()[-600:]}") from None
        return int(found[1]), printed[: found.start()].decode()

    async def follows(self, block: Block) -> list[str]:
        """Type all commands of BLOCK; return what is otherwise than it says, with the line."""
        wrong: list[str] = []
        for step in steps(block):
            try:
                code, printed = await self.types(step.command)
            except TimeoutError as error:
                raise AssertionError(
                    "\n\n".join([*wrong, f"README.md:{step.line}: {step.command}\n  {error}"])
                ) from None
            fault = f"exit code {code}" if code else missing(step.prints, printed)
            if fault:
                wrong.append(f"README.md:{step.line}: {step.command}\n  {fault}: {printed[-1500:]}")
        return wrong


def missing(lines: list[str], printed: str) -> str:
    """Return which of the LINES does not come, in their order, in what was PRINTED; empty when all do."""
    place = 0
    for line in lines:
        pattern = ".*".join(re.escape(words) for words in line.rstrip().split("…"))
        found = re.compile(rf"^{pattern}\s*$", re.MULTILINE).search(printed, place)
        if found is None:
            return f"it does not print {line!r}"
        place = found.end()
    return ""


def commands_at(folder: Path, **more: str) -> dict[str, str]:
    """Put the commands the runbook uses into FOLDER/bin, and return an environment that finds them; MORE is added."""
    programs = {"gateway": f"{sys.executable} -m gateway", "redis-cli": f"{sys.executable} -m tests.readme.redis_cli"}
    for name, words in programs.items():
        file = folder / "bin" / name
        file.parent.mkdir(exist_ok=True)
        file.write_text(f'#!/bin/sh\nexec {words} "$@"\n')
        file.chmod(0o755)
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GATEWAY_")}
    path = f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}"
    return {**kept, "PATH": path, "PYTHONPATH": str(DEPLOY.parent), **more}


async def secrets_made(folder: Path) -> None:
    """Make the secrets of the composition in FOLDER, by the commands of the runbook."""
    (block,) = blocks("run compose")
    async with Terminal(folder, commands_at(folder)) as terminal:
        wrong = await terminal.follows(block)
    assert not wrong, "\n\n".join(wrong)
