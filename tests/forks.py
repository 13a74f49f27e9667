"""Starting `gateway …` for a test, as a fork where that comes to the same: see tests/fork_server.py."""

import asyncio
import atexit
import json
import os
import signal
import socket
import subprocess
import sys
from asyncio.base_subprocess import BaseSubprocessTransport
from asyncio.subprocess import DEVNULL, PIPE, Process, SubprocessStreamProtocol
from collections.abc import Mapping
from contextlib import ExitStack
from functools import cache
from pathlib import Path
from typing import IO, Any

ROOT = Path(__file__).parents[1]
_PROGRAM = (sys.executable, "-m", "gateway")
_LIMIT = 2**16  # bytes of a line that can be read, as asyncio has it
_READ_LATE = ("GATEWAY_", "PYTEST_", "COLUMNS")
"""How variables begin that are read when a command runs, and not when something is imported."""


async def start(
    *command: str,
    stdin: int | IO[bytes],
    stdout: int | IO[bytes],
    stderr: int | IO[bytes],
    env: Mapping[str, str],
    cwd: Path | None = None,
) -> Process:
    """Do what asyncio.create_subprocess_exec does, for what can be a fork by one, ready in a fraction of the time."""
    server = _server() if sys.platform == "linux" else None
    if server is None or command[:3] != _PROGRAM or not server.fits(env):
        return await asyncio.create_subprocess_exec(
            *command, stdin=stdin, stdout=stdout, stderr=stderr, env=env, cwd=cwd
        )
    import resource  # there is none for Windows

    with ExitStack() as theirs:
        ends = [_ends(given, number, theirs) for number, given in enumerate((stdin, stdout, stderr))]
        ours, line = socket.socketpair()
        theirs.enter_context(line)
        server.ask(line.fileno(), *(end for _, end in ends))
    reader, writer = await asyncio.open_connection(sock=ours)
    request = {
        "words": command[3:],
        "environ": dict(env),
        "folder": str(cwd or Path.cwd()),
        "files": resource.getrlimit(resource.RLIMIT_NOFILE),
    }
    writer.write(json.dumps(request).encode() + b"\n")
    child = _Child(int(await _told(reader, "pid")), *(own for own, _ in ends))
    loop = asyncio.get_running_loop()
    protocol = SubprocessStreamProtocol(_LIMIT, loop)
    connected = loop.create_future()
    transport = _Transport(child, loop, protocol, connected)
    transport.watch(reader, writer)
    await connected
    return Process(transport, protocol, loop)


class _Server:
    """The process that forks, as long as this one lives."""

    def __init__(self) -> None:
        self._environ = _read_early(os.environ)
        self._control, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.fork_server", str(theirs.fileno())],
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
            )
        self.pid = self._process.pid
        atexit.register(self.end)

    def fits(self, environ: Mapping[str, str]) -> bool:
        """Return whether what was imported is what would be imported in ENVIRON."""
        return _read_early(environ) == self._environ

    def ask(self, *descriptors: int) -> None:
        """Ask for a child with a line, stdin, stdout and stderr."""
        socket.send_fds(self._control, [b"f"], descriptors)

    def end(self) -> None:
        """End it, and all that it has forked."""
        self._control.close()
        self._process.wait()


_server = cache(_Server)


def _read_early(environ: Mapping[str, str]) -> dict[str, str]:
    found = {name: value for name, value in environ.items() if not name.startswith(_READ_LATE)}
    if found.get("PYTHONPATH") == str(ROOT):  # it imports from there in any case
        del found["PYTHONPATH"]
    return found


def _ends(given: int | IO[bytes], number: int, theirs: ExitStack) -> tuple[IO[bytes] | None, int]:
    """Return our end of what the child has as descriptor NUMBER, if it is a pipe, and its own, which THEIRS closes."""
    if given == DEVNULL:
        return None, theirs.enter_context(Path(os.devnull).open("r+b", buffering=0)).fileno()
    if given != PIPE:
        return None, given if isinstance(given, int) else given.fileno()
    reads, writes = os.pipe()
    own, other = (writes, reads) if number == 0 else (reads, writes)
    theirs.callback(os.close, other)
    return os.fdopen(own, "wb" if number == 0 else "rb", buffering=0), other


async def _told(reader: asyncio.StreamReader, word: str) -> str:
    line = (await reader.readline()).decode()
    if not line.startswith(f"{word} "):
        raise RuntimeError(f"a fork of the gateway was not started: {line!r} instead of {word!r}")
    return line.split()[1]


class _Child:
    """What a transport needs of a subprocess.Popen."""

    def __init__(self, pid: int, stdin: IO[bytes] | None, stdout: IO[bytes] | None, stderr: IO[bytes] | None) -> None:
        self.pid = pid
        self.stdin = stdin
        self.stdout = stdout
        self.stderr = stderr
        self.returncode: int | None = None

    def poll(self) -> int | None:
        return self.returncode

    def send_signal(self, number: int) -> None:
        if self.returncode is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


class _Transport(BaseSubprocessTransport):
    """Connects a child's pipes, and its end, with asyncio's own Process."""

    def __init__(self, child: _Child, loop: Any, protocol: Any, waiter: Any) -> None:
        self._child = child
        ends = (PIPE if end is not None else None for end in (child.stdin, child.stdout, child.stderr))
        stdin, stdout, stderr = ends
        super().__init__(loop, protocol, "gateway", False, stdin, stdout, stderr, 0, waiter)

    def _start(self, *_: Any, **__: Any) -> None:
        self._proc: Any = self._child

    def watch(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Learn of its end from its line."""
        self._watching = asyncio.create_task(self._watch(reader, writer), name="a fork's end")

    async def _watch(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            self._process_exited(int(await _told(reader, "ended")))
        finally:
            writer.close()
