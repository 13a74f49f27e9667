"""Programs as processes, in a folder of their own."""

import asyncio
import os
import re
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from tests.readme.given import ENDLESS

PATIENCE = 20.0  # seconds a program may take


class Ended(NamedTuple):
    """How a program ended, and what it printed."""

    code: int
    out: str
    complaints: str


@dataclass(frozen=True)
class Program:
    """A running program; what it prints goes to a file."""

    process: asyncio.subprocess.Process
    output: Path

    @property
    def out(self) -> str:
        """What it has printed so far."""
        return self.output.read_text()

    @property
    def complaints(self) -> str:
        """What it has written to standard error so far."""
        return self.output.with_suffix(".err").read_text()

    async def ends_within(self, seconds: float) -> bool:
        """Wait up to SECONDS for its end; return whether it has come."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self.process.wait()
        return self.process.returncode is not None

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to it and to what it started."""
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, number)


class Programs:
    """Starts programs in FOLDER; for what waits for something to happen, HAPPEN lets something happen."""

    def __init__(self, folder: Path, environ: Mapping[str, str], happen: Callable[[], Awaitable[None]]) -> None:
        self.folder = folder
        self._environ = environ
        self._happen = happen
        self._number = 0

    @asynccontextmanager
    async def started(self, *words: str) -> AsyncIterator[Program]:
        """Yield a running program, and end it after that: asked to (SIGTERM), and if it will not, by force."""
        self._number += 1
        output = self.folder / f"program-{self._number}.out"
        with output.open("wb") as out, output.with_suffix(".err").open("wb") as err:
            process = await asyncio.create_subprocess_exec(
                *words, cwd=self.folder, env=self._environ, stdin=asyncio.subprocess.DEVNULL,
                stdout=out, stderr=err, start_new_session=True,
            )  # fmt: skip
        program = Program(process, output)
        try:
            yield program
        finally:
            if process.returncode is None:
                program.signal(signal.SIGTERM)
                if not await program.ends_within(5.0):
                    program.signal(signal.SIGKILL)
                    await process.wait()

    async def run(self, *words: str) -> Ended:
        """Run a program to its end; raises TimeoutError with what it printed when that does not come."""
        endless = any(re.search(pattern, words[-1]) for pattern in ENDLESS)
        async with self.started(*words) as program:
            try:
                async with asyncio.timeout(PATIENCE):
                    while not await program.ends_within(1.0):
                        if endless and program.out:
                            program.signal(signal.SIGINT)
                        await self._happen()
            except TimeoutError:
                said = program.out + program.complaints
                raise TimeoutError(f"it did not end within {PATIENCE:.0f} s: {said[-600:]}") from None
            code = program.process.returncode or 0
            stopped = endless and code in {130, -signal.SIGINT}
            return Ended(0 if stopped else code, program.out, program.complaints)
