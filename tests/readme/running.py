"""A reader who types what the README prints: in a folder of their own, beside a NapCat that is not there."""

import json
import os
import re
import shutil
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import aiohttp

from gateway.sandbox.napcat import StandIn
from gateway.sandbox.process import GatewayProcess, free_port
from tests.readme.blocks import Command
from tests.readme.given import FILES, JOB, JOBS_FOR, KEY_LINE, PLACEHOLDERS, REMOVED, SECRET
from tests.readme.programs import PATIENCE, Programs
from tests.readme.shape import differences
from tests.world import listens, until

ROOT = Path(__file__).parents[2]
_ERROR = re.compile(r"^\(?(error|ERR|WRONGTYPE|NOAUTH|OOM|MISCONF)\b")
_WORLD = re.compile(r"gateway (run|sandbox)\b")
_ASSIGNMENT = re.compile(r"^(export )?[A-Za-z_]+=\S+$")
_SERVER = re.compile(r"\bport=(\d+)")
_RECEIVER = re.compile(r"web\.post\(\"(/[^\"]*)\"")


class Reader:
    """Runs commands and programs of the README one after the other; what is wrong is told with the line it is in."""

    def __init__(self, folder: Path, napcat: StandIn, stack: AsyncExitStack) -> None:
        self.wrong: list[str] = []
        self._napcat = napcat
        self._stack = stack
        self._folder = folder
        self._port = free_port()
        self._redis = ""  # its address, once the gateway was started
        self._others: dict[str, str] = {}  # addresses of further gateways, by the settings they have
        self._settled: list[str] = []  # assignments of earlier commands, which hold for later ones
        environ = {
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
        self._programs = Programs(folder, environ, self._something_happens)

    @property
    def url(self) -> str:
        """Where the gateway is, once it was started."""
        return f"http://127.0.0.1:{self._port}"

    async def types(self, command: Command) -> None:
        """Run one command and compare what it prints with what the README says."""
        with self._noting(command.line, command.text):
            if _WORLD.search(command.code):
                await self._start()
                return
            text = await self._in_this_world(command.code)
            if _ASSIGNMENT.match(text):
                self._settled.append(text)
            script = "\n".join([*self._settled, text])
            ended = await self._programs.run("bash", "-euo", "pipefail", "-c", script)
            assert ended.code == 0, f"exit code {ended.code}: {(ended.complaints + ended.out)[-600:]}"
            assert not _ERROR.match(ended.out), ended.out
            if command.answers:
                faults = _compared(command.answers, ended.out)
                assert not faults, "\n  ".join(faults)

    async def runs(self, line: int, program: str) -> None:
        """Run a Python program of the README; one that serves is posted the receipt of a job, and has to print it."""
        with self._noting(line, "this program"):
            text = await self._in_this_world(program)
            if _SERVER.search(text):
                await self._receives(text)
                return
            ended = await self._programs.run(sys.executable, "-W", "error", "-c", text)
            assert ended.code == 0, f"exit code {ended.code}: {(ended.complaints + ended.out)[-1000:]}"

    async def looks(self, path: str) -> Any:
        """Return what the gateway answers to a GET."""
        async with aiohttp.ClientSession(self.url) as session, session.get(path) as answer:
            return await answer.json()

    async def refused(self) -> str:
        """Return what stands in the stream of refused entries, as redis-cli prints it: nothing, when all was well."""
        ended = await self._programs.run("redis-cli", "-u", self._redis, "XRANGE", "gw:invalid", "-", "+")
        return ended.out.strip()

    @contextmanager
    def _noting(self, line: int, text: str) -> Iterator[None]:
        """Note what fails as wrong, and where that is."""
        try:
            yield
        except (AssertionError, TimeoutError) as error:
            self.wrong.append(f"README.md:{line}: {text}\n  {error}")

    async def _start(self) -> None:
        """Start the gateway as `gateway run` does, with a server of its own, and read its address in the log."""
        if self._redis:
            return
        gateway = await self._stack.enter_async_context(self._programs.started(".venv/bin/gateway", "run"))
        ready = "gateway.started"
        await until(lambda: ready in gateway.complaints or gateway.process.returncode is not None, deadline=30)
        assert ready in gateway.complaints, gateway.out + gateway.complaints
        lines = [json.loads(line) for line in gateway.complaints.splitlines() if line.startswith("{")]
        self._redis = next(line["url"] for line in lines if line["event"] == "server.embedded")

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
        assert "…" not in text, "what does the ellipsis stand for? tell tests/readme/given.py: PLACEHOLDERS, JOBS_FOR"
        return text

    async def _job_for(self, text: str) -> str:
        """Return the id of a job that the command in TEXT can be about."""
        job, state = next((job, state) for pattern, job, state in JOBS_FOR if re.search(pattern, text))
        made: str = (await self._submit(self.url, job))["id"]
        await until(lambda: self.looks(f"/v1/jobs/{made}"), lambda seen: seen["state"] == state)
        return made

    async def _another(self, **sections: Any) -> str:
        """Return the address of a further gateway on the same Redis that has SECTIONS in its settings."""
        name = repr(sections)
        if name not in self._others:
            account = {"name": "main", "endpoint": self._napcat.url}
            # Under keys of its own: another gateway that shared them could take its jobs, and knows no secrets.
            redis = {"url": self._redis, "prefix": f"other{len(self._others)}"}
            intake: dict[str, list[str]] = {"streams": [], "lists": []}
            settings = {"redis": redis, "accounts": [account], "intake": intake, **sections}
            gateway = GatewayProcess(settings, self._folder)
            await gateway.start()
            self._stack.push_async_callback(gateway.kill)
            self._others[name] = gateway.url
        return self._others[name]

    async def _receives(self, program: str) -> None:
        """Run a program that takes receipts; it has to print how the job of one that is posted to it ended."""
        path = _RECEIVER.search(program)
        assert path is not None, "what is posted to this server? tell tests/readme/running.py"
        gateway = await self._another(callbacks={"secrets": [SECRET], "allow_private": True})
        port = free_port()
        words = (sys.executable, "-u", "-W", "error", "-c", _SERVER.sub(f"port={port}", program))
        async with self._programs.started(*words) as server:
            try:
                await until(lambda: listens(port), deadline=PATIENCE)
                await self._submit(gateway, {**JOB, "callback_url": f"http://127.0.0.1:{port}{path[1]}"})
                await until(lambda: "delivered" in server.out, deadline=PATIENCE)
            except AssertionError as error:
                raise AssertionError(f"{error}; it says {(server.out + server.complaints)[-1000:]}") from None

    async def _submit(self, gateway: str, job: dict[str, str]) -> dict[str, Any]:
        async with aiohttp.ClientSession(gateway) as session, session.post("/v1/jobs", json=job) as answer:
            assert answer.status == 202, await answer.text()
            told: dict[str, Any] = await answer.json()
            return told

    async def _something_happens(self) -> None:
        if self._redis:
            await self._submit(self.url, {"group_id": "1", "message": "meanwhile"})


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
    async with AsyncExitStack() as stack:
        napcat = await stack.enter_async_context(StandIn().serve())
        napcat.behave(f"group:{REMOVED}", "kick")
        yield Reader(folder, napcat, stack)
