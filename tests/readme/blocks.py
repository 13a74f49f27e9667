"""The code blocks of the README, and the commands in them."""

import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field

_BLOCK = re.compile(
    r"(?:^<!-- not run: (?P<reason>[^\n]+) -->\n)?^```(?P<language>[^\n]*)\n(?P<text>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)


@dataclass(frozen=True)
class Block:
    """A fenced block: `line` is that of its first line of text, `reason` why it is not run (`<!-- not run: … -->`)."""

    line: int
    language: str
    text: str
    reason: str | None


@dataclass
class Command:
    """One command of a `sh` block, and the JSON that the comment under it says it answers."""

    line: int
    text: str
    answers: list[str] = field(default_factory=list)

    @property
    def code(self) -> str:
        """The command without the comments at the ends of its lines."""
        return re.sub(r"\s#\s[^\n]*", "", self.text)


def blocks_of(document: str) -> Iterator[Block]:
    """Yield every fenced block of a Markdown DOCUMENT, in order."""
    for found in _BLOCK.finditer(document):
        line = document.count("\n", 0, found.start("text")) + 1
        yield Block(line, found["language"], found["text"], found["reason"])


def commands_of(block: Block) -> list[Command]:
    """Return the commands of a `sh` block; one goes on over lines for as long as bash would wait for more."""
    commands: list[Command] = []
    waiting, begun = "", 0
    for number, line in enumerate(block.text.splitlines(), block.line):
        if not waiting and line.startswith("# {") and commands:
            commands[-1].answers.append(line.removeprefix("# "))
        elif waiting or (line.strip() and not line.startswith("#")):
            begun = begun if waiting else number
            waiting += line + "\n"
            if _is_whole(waiting):
                commands.append(Command(begun, waiting.rstrip("\n")))
                waiting = ""
    if waiting:
        raise ValueError(f"README.md:{begun}: this command does not end: {waiting}")
    return commands


def _is_whole(text: str) -> bool:
    if text.endswith("\\\n"):
        return False
    read = subprocess.run(["bash", "-n", "-c", text], capture_output=True, text=True, check=False)
    return read.returncode == 0 and "here-document" not in read.stderr
