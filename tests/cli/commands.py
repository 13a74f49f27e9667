"""Commands as a person runs them, against a real gateway: as processes, or in this one where nothing else matters."""

import asyncio
import os
import signal
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from pathlib import Path
from typing import NamedTuple

import pytest
from typer.testing import CliRunner

from gateway.cli import app
from tests import forks

ROOT = Path(__file__).parents[2]


class Ended(NamedTuple):
    """How a command ended and what it said."""

    code: int
    out: str
    err: str


async def start(folder: Path, url: str, *words: str, stdin: int = DEVNULL, **environ: str) -> Process:
    """Start `gateway …` in FOLDER, with the gateway at URL; `run` as a person does, as who says it tests the start."""
    begin = asyncio.create_subprocess_exec if words[0] == "run" else forks.start
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("GATEWAY_")}
    return await begin(
        *(sys.executable, "-m", "gateway", *words),
        cwd=folder,
        env={**inherited, "PYTHONPATH": str(ROOT), "GATEWAY_URL": url, "COLUMNS": "200", **environ},
        stdin=stdin,
        stdout=PIPE,
        stderr=PIPE,
    )


async def end(process: Process, stdin: str | None = None) -> Ended:
    """Give a command what it reads, and return how it ended."""
    try:
        async with asyncio.timeout(45):
            out, err = await process.communicate(None if stdin is None else stdin.encode())
    except TimeoutError:
        process.kill()
        raise
    return Ended(process.returncode or 0, out.decode(), err.decode())


async def command(folder: Path, url: str, *words: str, stdin: str | None = None, **environ: str) -> Ended:
    """Run `gateway …` to its end."""
    return await end(await start(folder, url, *words, stdin=DEVNULL if stdin is None else PIPE, **environ), stdin)


def said(folder: Path, *words: str, **environ: str) -> Ended:
    """Run `gateway …` in FOLDER and in this process, which costs no start; no gateway may log here meanwhile."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for name in [name for name in os.environ if name.startswith("GATEWAY_")]:
            patch.delenv(name)
        for name, value in ({"COLUMNS": "200"} | environ).items():
            patch.setenv(name, value)
        ended = CliRunner().invoke(app, words)
    if ended.exception is not None and not isinstance(ended.exception, SystemExit):
        raise ended.exception
    return Ended(ended.exit_code, ended.stdout, ended.stderr)


def interrupt(process: Process) -> None:
    """Press Ctrl-C."""
    process.send_signal(signal.SIGINT)
