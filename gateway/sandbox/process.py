"""A gateway as a process of its own, as an operator would start it."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

import aiohttp

from gateway.store.embedded import free_port

__all__ = ["GatewayProcess", "free_port"]

_ONE_LOOK = aiohttp.ClientTimeout(total=3)  # a connection to what is just starting may be lost

Start = Callable[..., Awaitable[asyncio.subprocess.Process]]
"""What takes what asyncio.create_subprocess_exec takes, and gives what that gives."""


class GatewayProcess:
    """`gateway run` with the given settings; its log goes to `log`, a file."""

    def __init__(
        self,
        settings: Mapping[str, Any],
        folder: Path,
        environ: Mapping[str, str] | None = None,
        start: Start = asyncio.create_subprocess_exec,
    ) -> None:
        """Prepare a gateway with SETTINGS (as in the YAML file); FOLDER takes its file and its log, START starts it."""
        folder.mkdir(parents=True, exist_ok=True)
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.log = folder / f"gateway-{self.port}.log"
        self._file = folder / f"gateway-{self.port}.yaml"
        http = {"host": "127.0.0.1", **settings.get("http", {}), "port": self.port}
        self._settings = {**settings, "http": http}
        self.change()
        self._environ = {**os.environ, **(environ or {})}
        self._start = start
        self._process: asyncio.subprocess.Process | None = None

    async def start(self, deadline: float = 30.0) -> None:
        """Start it and return when it is ready; raises RuntimeError with its log when it is not within DEADLINE s."""
        with self.log.open("ab") as log:
            self._process = await self._start(
                *(sys.executable, "-m", "gateway", "run", "--config", str(self._file)),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=self._environ,
            )
        try:
            async with asyncio.timeout(deadline), aiohttp.ClientSession() as session:
                while not await self._ready(session):
                    await asyncio.sleep(0.02)
        except TimeoutError:
            await self.kill()
            raise RuntimeError(f"the gateway is not ready:\n{self.log.read_text()}") from None

    def change(self, **sections: Any) -> None:
        """Write other SECTIONS into its file of settings; it is told nothing of that."""
        self._settings = {**self._settings, **sections}
        # YAML takes JSON as it is.
        self._file.write_text(json.dumps(self._settings, indent=2))

    async def _ready(self, session: aiohttp.ClientSession) -> bool:
        if self._running().returncode is not None:
            raise RuntimeError(f"the gateway did not start:\n{self.log.read_text()}")
        try:
            async with session.get(f"{self.url}/healthz/ready", timeout=_ONE_LOOK) as answer:
                return answer.status == 200
        except (aiohttp.ClientError, TimeoutError):
            return False

    @property
    def pid(self) -> int:
        """Return its process id; raises RuntimeError when it was not started."""
        return self._running().pid

    async def stop(self) -> int:
        """Ask it to end (SIGTERM) and return its exit code."""
        process = self._running()
        if process.returncode is None:
            process.terminate()
        return await process.wait()

    async def kill(self) -> None:
        """End it as a power cut would (SIGKILL)."""
        process = self._running()
        if process.returncode is None:
            process.kill()
        await process.wait()

    def send_signal(self, number: signal.Signals) -> None:
        """Send it a signal."""
        self._running().send_signal(number)

    def events(self, name: str) -> list[dict[str, Any]]:
        """Return its log lines of one event."""
        whole, _, _ = self.log.read_text().rpartition("\n")  # the last line may be being written
        lines = (json.loads(line) for line in whole.splitlines() if line.startswith("{"))
        return [line for line in lines if line.get("event") == name]

    def _running(self) -> asyncio.subprocess.Process:
        if self._process is None:
            raise RuntimeError("the gateway was not started")
        return self._process
