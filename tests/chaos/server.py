"""A Redis that a test may end and start again; what it has acknowledged is on disk."""

import asyncio
import signal
from pathlib import Path

from gateway.model.errors import StoreUnavailable
from gateway.sandbox.process import free_port
from gateway.store.client import connected
from gateway.store.embedded import find_server
from tests.world import until


class Server:
    """A server on loopback that keeps its data in a folder, written to disk before anything is acknowledged."""

    def __init__(self, folder: Path) -> None:
        """Prepare a server with its data in FOLDER; it keeps its port over restarts."""
        folder.mkdir()
        self.port = port = free_port()
        self.url = f"redis://127.0.0.1:{port}/0"
        self._command = (
            find_server(),
            *("--bind", "127.0.0.1", "--port", str(port), "--dir", str(folder)),
            *("--appendonly", "yes", "--appendfsync", "always", "--save", "", "--maxmemory-policy", "noeviction"),
            *("--repl-diskless-sync-delay", "0"),
            *("--daemonize", "no", "--logfile", str(folder / "server.log")),
        )
        self._process: asyncio.subprocess.Process | None = None

    async def start(self, master: int | None = None) -> None:
        """Start it with what it has on disk, as a replica if a port of its MASTER is given; return when it answers."""
        follow = () if master is None else ("--replicaof", "127.0.0.1", str(master))
        self._process = await asyncio.create_subprocess_exec(*self._command, *follow, stdin=asyncio.subprocess.DEVNULL)
        await until(self._answers)

    def freeze(self) -> None:
        """Let it stand still (SIGSTOP), as a machine that swaps, or one behind a network that fails."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on (SIGCONT)."""
        self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        if self._process is not None and self._process.returncode is None:
            self._process.send_signal(number)

    async def stop(self) -> None:
        """End it in order (SIGTERM)."""
        if self._process is not None and self._process.returncode is None:
            self._process.terminate()
            await self._process.wait()

    async def kill(self) -> None:
        """End it as a power cut would (SIGKILL)."""
        if self._process is not None and self._process.returncode is None:
            self._process.kill()
            await self._process.wait()

    async def _answers(self) -> bool:
        try:
            async with connected(self.url):
                return True
        except StoreUnavailable:
            return False
