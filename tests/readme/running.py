"""A reader who types what the README prints: in a folder of their own, beside a NapCat that is not there."""

import asyncio
import base64
import contextlib
import json
import os
import re
import shutil
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any

import aiohttp

from gateway.sandbox.napcat import StandIn
from gateway.sandbox.process import GatewayProcess, free_port
from tests.readme.blocks import Command
from tests.readme.shape import differences
from tests.world import until

ROOT = Path(__file__).parents[2]
KEY = "gw_a-key-of-this-test"
KEY_LINE = {
    "name": "reader",
    "sha256": sha256(KEY.encode()).hexdigest(),
    "scopes": ["send", "read", "admin"],
}
JOB = {"group_id": "123456", "message": "a job"}
FILES = {"job.json": json.dumps(JOB)}
"""The files the README names without having made them."""
PATIENCE = 20.0  # seconds a command may take
SECRET = "whsec_" + base64.b64encode(b"the secret of callbacks, 32 byte").decode()
PLACEHOLDERS = {"gw_…": KEY, "whsec_…": SECRET, "{…}": json.dumps(JOB)}
"""What stands for something of the reader's own. `main.Zk3…` is a job made for the command that names it."""
JOBS_FOR = [
    (r"recall", {**JOB}, "delivered"),
    (r"replay", {"group_id": "404", "message": "to a group that removed the account"}, "rejected"),
    (r"DELETE|cancel", {**JOB, "delay": "1h"}, "waiting"),
    (r"", {**JOB}, "delivered"),
]
"""Which job `main.Zk3…` is, and how it stands by then: the first whose pattern is found in the command."""
ENDLESS = [r"jobs watch\s*$"]
"""Commands that go on until Ctrl-C, which is pressed once they have printed something."""
_ERROR = re.compile(r"^\(?(error|ERR|WRONGTYPE|NOAUTH|OOM|MISCONF)\b")
_WORLD = re.compile(r"gateway (run|sandbox)\b")
_ASSIGNMENT = re.compile(r"^(export )?[A-Za-z_]+=\S+$")
_SERVER = re.compile(r"\bport=(\d+)")
_RECEIVER = re.compile(r"web\.post\(\"(/[^\"]*)\"")


class Reader:
    """Runs commands and programs of the README one after the other; what is wrong is told with the line it is in."""

    def __init__(self, folder: Path, napcat: StandIn) -> None:
        self.folder = folder
        self.wrong: list[str] = []
        self._napcat = napcat
        self._stack = contextlib.AsyncExitStack()
        self._gateway: asyncio.subprocess.Process | None = None
        self._port = free_port()
        self._redis = ""
        self._others: dict[str, str] = {}  # addresses of further gateways, by the settings they have
        self._settled: list[str] = []  # assignments of earlier commands, which hold for later ones
        self._environ = {
            **{name: value for name, value in os.environ.items() if not name.startswith("GATEWAY_")},
            "PATH": f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT),
            "GATEWAY_STATE_DIR": str(folder / "state"),
            "GATEWAY_HTTP__PORT": str(self._port),
            "GATEWAY_ACCOUNTS__0__ENDPOINT": napcat.url,
            "GATEWAY_LIMITS__ACCOUNT": "[10000/1s]",
            "GATEWAY_LIMITS__GROUP": "[10000/1s]",
            "GATEWAY_LIMITS__USER": "[10000/1s]",
            "GATEWAY_LOG__FORMAT": "json",
            "GATEWAY_URL": self.url,
        }

    @property
    def url(self) -> str:
        """Where the gateway is, once it was started."""
        return f"http://127.0.0.1:{self._port}"

    async def close(self) -> None:
        await self._stack.aclose()
        if self._gateway is not None and self._gateway.returncode is None:
            self._gateway.terminate()
            await self._gateway.wait()

    async def types(self, command: Command) -> None:
        """Run one command and compare what it prints with what the README says."""
        if _WORLD.search(command.code):
            await self._start()
            return
        try:
            text = await self._in_this_world(command.code)
            code, out, err = await self._run("bash", "-euo", "pipefail", "-c", "\n".join([*self._settled, text]))
        except (AssertionError, TimeoutError) as error:
            self.wrong.append(f"README.md:{command.line}: {command.text}\n  {error!r}")
            return
        faults = [] if code == 0 and not _ERROR.match(out) else [f"exit code {code}: {(err + out)[-600:]}"]
        if not faults and command.answers:
            faults = _compared(command.answers, out)
        if _ASSIGNMENT.match(text):
            self._settled.append(text)
        if faults:
            self.wrong.append("\n  ".join([f"README.md:{command.line}: {command.text}", *faults]))

    async def runs(self, line: int, program: str) -> None:
        """Run a Python program of the README; one that serves is posted the receipt of a job, and has to print it."""
        try:
            text = await self._in_this_world(program)
            python = [sys.executable, "-u", "-W", "error", "-c"]
            if _SERVER.search(text):
                await self._receives(python, text)
                return
            code, out, err = await self._run(*python, text)
        except (AssertionError, TimeoutError) as error:
            self.wrong.append(f"README.md:{line}: {error!r}")
            return
        if code:
            self.wrong.append(f"README.md:{line}: exit code {code}: {(err + out)[-1000:]}")

    async def looks(self, path: str) -> Any:
        """Return what the gateway answers to a GET."""
        async with aiohttp.ClientSession(self.url) as session, session.get(path) as answer:
            return await answer.json()

    async def refused(self) -> str:
        """Return what stands in the stream of refused entries, as redis-cli prints it: nothing, when all was well."""
        return (await self._run("redis-cli", "-u", self._redis, "XRANGE", "gw:invalid", "-", "+"))[1].strip()

    async def _start(self) -> None:
        """Start the gateway as `gateway run` does, with a server of its own, and read its address in the log."""
        if self._gateway is not None:
            return
        log = self.folder / "gateway.log"
        with log.open("wb") as to:
            self._gateway = await asyncio.create_subprocess_exec(
                ".venv/bin/gateway", "run", cwd=self.folder, env=self._environ, stdout=to, stderr=to,
                stdin=asyncio.subprocess.DEVNULL,
            )  # fmt: skip
        await until(lambda: "gateway.started" in log.read_text() or self._gateway_ended(log), deadline=30)
        lines = [json.loads(line) for line in log.read_text().splitlines() if line.startswith("{")]
        self._redis = next(line["url"] for line in lines if line["event"] == "server.embedded")

    def _gateway_ended(self, log: Path) -> bool:
        assert self._gateway is not None
        assert self._gateway.returncode is None, log.read_text()
        return False

    async def _in_this_world(self, text: str) -> str:
        """Return TEXT with this world's addresses, and with something real for what is the reader's own."""
        address = await self._another(auth={"keys": [KEY_LINE]}) if "gw_…" in text else self.url
        for here, there in (("http://127.0.0.1:8080", address), ("http://127.0.0.1:3000", self._napcat.url)):
            text = text.replace(here, there)
        text = text.replace("redis://127.0.0.1:6379/0", self._redis)
        if "main.Zk3…" in text:
            text = text.replace("main.Zk3…", await self._job_for(text))
        for placeholder, value in PLACEHOLDERS.items():
            text = text.replace(placeholder, value)
        assert "…" not in text, "what does the ellipsis stand for? tell tests/readme/running.py: PLACEHOLDERS, JOBS_FOR"
        return text

    async def _job_for(self, text: str) -> str:
        """Return the id of a job that the command in TEXT can be about."""
        job, state = next((job, state) for pattern, job, state in JOBS_FOR if re.search(pattern, text))
        async with aiohttp.ClientSession(self.url) as session:
            async with session.post("/v1/jobs", json=job) as answer:
                made: str = (await answer.json())["id"]
            await until(lambda: self.looks(f"/v1/jobs/{made}"), lambda seen: seen["state"] == state)
        return made

    async def _another(self, **sections: Any) -> str:
        """Return the address of a further gateway on the same Redis that has SECTIONS in its settings."""
        name = repr(sections)
        if name not in self._others:
            account = {"name": "main", "endpoint": self._napcat.url}
            settings = {"redis": {"url": self._redis}, "accounts": [account], **sections}
            gateway = GatewayProcess(settings, self.folder)
            await gateway.start()
            self._stack.push_async_callback(gateway.kill)
            self._others[name] = gateway.url
        return self._others[name]

    async def _receives(self, python: list[str], program: str) -> None:
        """Run a program that serves and takes the receipts posted to it; it has to print something of one."""
        port, path = free_port(), _RECEIVER.search(program)
        assert path is not None, "what is posted to this server? tell tests/readme/running.py"
        gateway = await self._another(callbacks={"secrets": [SECRET], "allow_private": True})
        async with self._started(*python, _SERVER.sub(f"port={port}", program)) as (process, output):
            await until(lambda: _listens(port), deadline=PATIENCE)
            banner = output.read_text()
            job = {**JOB, "callback_url": f"http://127.0.0.1:{port}{path[1]}"}
            async with aiohttp.ClientSession(gateway) as session, session.post("/v1/jobs", json=job) as answer:
                assert answer.status == 202, await answer.text()
            await until(lambda: "delivered" in output.read_text().removeprefix(banner), deadline=PATIENCE)
            assert process.returncode is None, output.read_text()

    async def _run(self, *words: str) -> tuple[int, str, str]:
        """Return exit code, output and complaints of a program; what waits for something to happen sees it happen."""
        endless = any(re.search(pattern, words[-1]) for pattern in ENDLESS)
        async with self._started(*words) as (process, output):
            try:
                async with asyncio.timeout(PATIENCE):
                    while not await _ended(process, 1.0):
                        if endless and output.stat().st_size:
                            os.killpg(process.pid, signal.SIGINT)
                        await self._something_happens()
            except TimeoutError:
                raise TimeoutError(f"it did not end within {PATIENCE:.0f} s: {output.read_text()}") from None
            code = process.returncode or 0
            stopped = endless and code in {130, -signal.SIGINT}
            return 0 if stopped else code, output.read_text(), output.with_suffix(".err").read_text()

    @asynccontextmanager
    async def _started(self, *words: str) -> AsyncIterator[tuple[asyncio.subprocess.Process, Path]]:
        """Yield a running program and the file with its output, beside which are its complaints; end it after that."""
        output = self.folder / "command.out"
        with output.open("wb") as out, output.with_suffix(".err").open("wb") as err:
            process = await asyncio.create_subprocess_exec(
                *words, cwd=self.folder, env=self._environ, stdin=asyncio.subprocess.DEVNULL,
                stdout=out, stderr=err, start_new_session=True,
            )  # fmt: skip
        try:
            yield process, output
        finally:
            if process.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
            await process.wait()

    async def _something_happens(self) -> None:
        if self._redis:
            async with aiohttp.ClientSession(self.url) as session:
                await session.post("/v1/jobs", json={"group_id": "1", "message": "meanwhile"})


async def _ended(process: asyncio.subprocess.Process, seconds: float) -> bool:
    """Wait up to SECONDS for the end of PROCESS; return whether it has come."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await process.wait()
    return process.returncode is not None


async def _listens(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    return True


def _compared(answers: list[str], out: str) -> list[str]:
    """Return what the lines printed by a command are otherwise than the ANSWERS under it."""
    try:
        told = [json.loads(line) for line in out.splitlines() if line.strip()]
    except ValueError:
        return [f"this is not the JSON that is printed: {out[:600]}"]
    if len(told) != len(answers):
        return [f"{len(told)} answers; {len(answers)} are printed: {out[:600]}"]
    pairs = zip(answers, told, strict=True)
    return [fault for printed, answered in pairs for fault in differences(json.loads(printed), answered)]


@asynccontextmanager
async def reading(folder: Path) -> AsyncIterator[Reader]:
    """Yield a reader in FOLDER, with the gateway at .venv/bin, curl and redis-cli, and the files the README names."""
    for path, words in (
        (".venv/bin/gateway", f"{sys.executable} -m gateway"),
        (".venv/bin/python", sys.executable),
        ("bin/curl", f"{shutil.which('curl') or f'{sys.executable} -m tests.readme.curl'} --fail-with-body"),
        ("bin/redis-cli", shutil.which("redis-cli") or f"{sys.executable} -m tests.readme.redis_cli"),
    ):
        file = folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f'#!/bin/sh\nexec {words} "$@"\n')
        file.chmod(0o755)
    for name, words in FILES.items():
        (folder / name).write_text(words)
    async with StandIn().serve() as napcat:
        napcat.behave("group:404", "kick")
        reader = Reader(folder, napcat)
        try:
            yield reader
        finally:
            await reader.close()
