"""The runbook is true: its commands are run, or read, and it has a section for all that can happen."""

import ast
import asyncio
import json
import os
import re
import shlex
import signal
import subprocess
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from hashlib import sha256
from pathlib import Path

import pytest
import yaml

import gateway
from gateway.sandbox.process import free_port
from gateway.store.embedded import embedded_server, find_server
from tests.deploy.composition import DEPLOY, services
from tests.deploy.runbook import (
    README,
    Terminal,
    anchors,
    blocks,
    commands_at,
    missing,
    secrets_made,
    sections_under,
    steps,
)
from tests.deploy.test_alerts_and_board import alerts
from tests.readme.blocks import blocks_of
from tests.readme.programs import Programs
from tests.world import World, listens, until

ROOT = DEPLOY.parent
KEY = "gw_of-an-operator"
KINDS = {"run", "run compose", "run online", "run reload", "pip", "docker", "kubernetes", "systemd"}
READ = ("pip", "docker", "kubernetes", "systemd")
DOCKER = {"build", "run"}
COMPOSE = {"up", "ps", "logs", "build", "exec"}  # not kill, which marks as stopped by hand what should be kept up
KUBECTL = {"kustomize", "apply", "rollout", "exec", "port-forward", "label", "scale"}
SYSTEMCTL = {"daemon-reload", "enable", "status", "restart", "reload"}


class Operator:
    """Somebody at a terminal, with two gateways, a server and a NapCat at work beside."""

    def __init__(self, terminal: Terminal, world: World, url: str) -> None:
        self.terminal = terminal
        self.world = world
        self.url = url

    async def submits(self, **fields: str) -> None:
        """Have one more job queued, that does not go yet."""
        await self.world.add({"group_id": "123456", "message": "later", "delay": "1h", **fields})
        names = self.world.clients.commands
        await until(lambda: names.zcard("gw:{main}:scheduled"))

    async def empties(self) -> None:
        """Cancel what is queued."""
        code, printed = await self.terminal.types(
            "gateway jobs list --state queued,waiting --json | python3 -c 'import json, sys; "
            '[print(json.loads(line)["id"]) for line in sys.stdin]\' | xargs -r -n 1 gateway jobs cancel'
        )
        assert code == 0, printed


@asynccontextmanager
async def operator(world: World, folder: Path) -> AsyncIterator[Operator]:
    """Yield an operator in FOLDER."""
    settings = world.settings(
        accounts=[world.account(), world.account(name="second")],
        auth={
            "keys": [
                {"name": "operator", "sha256": sha256(KEY.encode()).hexdigest(), "scopes": ["send", "read", "admin"]}
            ]
        },
    )
    (folder / "config.yaml").write_text(json.dumps(settings))
    (folder / "deploy").symlink_to(DEPLOY)
    async with AsyncExitStack() as stack:
        new = await stack.enter_async_context(embedded_server(folder / "new"))
        ports = [free_port(), free_port()]
        host, _, port = world.redis_url.removeprefix("redis://").removesuffix("/0").partition(":")
        environ = commands_at(
            folder, GATEWAY_URL=f"http://127.0.0.1:{ports[0]}", GATEWAY_KEY=KEY, REDIS=world.redis_url, NEW=new,
            REDIS_HOST=host, REDIS_PORT=port, DATA=str(world.folder / "redis"), FREE_PORT=str(free_port()),
            OTHER_PORT=str(free_port()),
        )  # fmt: skip
        (folder / "bin" / "valkey-server").symlink_to(find_server())
        for port_ in ports:
            programs = Programs(folder, {**environ, "GATEWAY_HTTP__PORT": str(port_)}, _nothing)
            running = await stack.enter_async_context(programs.started("gateway", "run", "--config", "config.yaml"))
            while not await listens(port_):
                assert running.process.returncode is None, running.complaints
                await asyncio.sleep(0.02)
        stack.callback(_end, folder / "restored.pid")
        terminal = await stack.enter_async_context(Terminal(folder, environ))
        yield Operator(terminal, world, environ["GATEWAY_URL"])


def _end(noted: Path) -> None:
    """End the server whose process id is NOTED, where a step that failed has left it running."""
    with suppress(FileNotFoundError, ProcessLookupError):
        os.kill(int(noted.read_text()), signal.SIGTERM)


async def _nothing() -> None:
    """Nothing has to happen meanwhile."""


@pytest.mark.deploy
@pytest.mark.timeout(180)
async def test_the_commands_of_the_runbook_do_what_it_says(world: World, tmp_path: Path) -> None:
    folder = tmp_path / "operator"
    folder.mkdir()
    async with operator(world, folder) as one:
        await one.submits()
        wrong: list[str] = []
        for block in blocks("run"):
            if "drained" in block.text:
                await one.empties()
            wrong += await one.terminal.follows(block)
        assert not wrong, "\n\n".join(wrong)
        assert (folder / "backup.tar.gz").stat().st_size < 10_000_000
        _, elsewhere = await one.terminal.types("echo $ELSEWHERE")
        led = re.findall(r"--set accounts\.(\d+)\.endpoint=http://127\.0\.0\.1:9\b", elsewhere)
        assert led == ["0", "1"], "what is restored would be sent twice by the others"
        _, names = await one.terminal.types("echo $ACCOUNTS")
        assert names.split() == ["main", "second"], "one of them would not be paused"


@pytest.mark.deploy
@pytest.mark.parametrize("part", ["online", "reload"])
async def test_the_commands_that_ask_others_do_what_the_runbook_says(world: World, tmp_path: Path, part: str) -> None:
    folder = tmp_path / "operator"
    folder.mkdir()
    (block,) = blocks(f"run {part}")
    async with operator(world, folder) as one:
        wrong = await one.terminal.follows(block)
        assert not wrong, "\n\n".join(wrong)


@pytest.mark.parametrize(("queued", "in_flight"), [(256, 0), (255, 1), (0, 512), (1, 0), (0, 0)])
def test_an_account_is_drained_when_nothing_of_it_is_left(queued: int, in_flight: int) -> None:
    (step,) = [step for block in blocks("run") for step in steps(block) if step.command.startswith("until gateway st")]
    _, script = step.command.split("|", 1)
    told = json.dumps({"accounts": {"main": {"queued": queued, "in_flight": in_flight}}})
    asked = subprocess.run(["sh", "-c", script.partition("; do")[0]], input=told, text=True, check=False)
    assert (asked.returncode == 0) == (queued + in_flight == 0), "an exit code is a byte"


async def test_the_secrets_of_the_composition_are_as_private_as_they_can_be(tmp_path: Path) -> None:
    await secrets_made(tmp_path)
    folder = tmp_path / "compose" / "secrets"
    assert folder.stat().st_mode & 0o077 == 0
    key = (folder / "operator.key").read_text().strip()
    assert sha256(key.encode()).hexdigest() == (folder / "auth__keys__0__sha256").read_text().strip()
    assert {file.name: file.stat().st_mode & 0o777 for file in folder.iterdir()} == {
        "valkey_conf": 0o644, "redis__url": 0o644, "accounts__0__token": 0o644, "auth__keys__0__sha256": 0o644,
        "operator.key": 0o600,
    }  # fmt: skip


def test_every_block_is_of_a_kind_that_is_run_or_read() -> None:
    found = [block.language for block in blocks_of(README.read_text("utf-8"))]
    assert set(found) == {"yaml", *(f"console {kind}" for kind in KINDS)}
    assert README.read_text("utf-8").count("```") == 2 * len(found)


def test_a_producer_of_another_composition_joins_the_network_of_valkey() -> None:
    (block,) = [block for block in blocks_of(README.read_text("utf-8")) if block.language == "yaml"]
    (network,) = yaml.safe_load(block.text)["networks"].values()
    document = yaml.safe_load((DEPLOY / "compose.yaml").read_text("utf-8"))
    project, _, name = network["name"].rpartition("_")
    assert (project, network["external"]) == (document["name"], True)
    assert name in services()["valkey"]["networks"]
    assert name in document["networks"]


@pytest.mark.parametrize("kind", READ)
def test_the_commands_that_need_more_than_this_machine_can_be_read(kind: str) -> None:
    wrong = []
    for block in blocks(kind):
        for step in steps(block):
            read = subprocess.run(["bash", "-n", "-c", step.command], capture_output=True, check=False, text=True)
            faults = [read.stderr] if read.returncode else list(_faults(step.command))
            wrong += [f"README.md:{step.line}: {step.command}: {fault}" for fault in faults]
    assert not wrong, "\n".join(wrong)


def _faults(command: str) -> Iterator[str]:
    """Yield what of a command is not in this repository, or not a command that is known."""
    words = shlex.split(re.sub(r"\w+=\$\([^)]*\) ", "", command))
    yield from (f"there is no {word}" for word in words if word.startswith("deploy/") and not (ROOT / word).exists())
    names = [word for word in words if not word.startswith("-")]
    while "=" in names[0]:
        names.pop(0)
    program, rest = names[0], names[1:]
    if program in ASKED:
        yield from ASKED[program](rest)
    elif not program.startswith("/opt/napcat-gateway/bin/"):
        yield f"who is {program}?"


def _of_docker(words: list[str]) -> Iterator[str]:
    if words[0] != "compose":
        yield from [] if words[0] in DOCKER else [f"docker {words[0]} is not known"]
        return
    verb = next((word for word in words if word in COMPOSE), None)
    if verb is None:
        yield f"docker compose knows none of {words}"
    else:
        named = words[words.index(verb) + 1 :][: 1 if verb == "exec" else None]
        named = [word for word in named if not re.fullmatch(r"\d+[smh]", word)]
        yield from (f"compose.yaml has no {word}" for word in named if word not in services())


def _of_kubectl(words: list[str]) -> Iterator[str]:
    if not set(words) & KUBECTL:
        yield "kubectl has no such verb"
    known = {"deployment/napcat-gateway", "service/napcat-gateway"}
    named = (word for word in words if re.match(r"(deployment|service)/", word))
    yield from (f"no manifest has {word}" for word in named if word not in known)


def _of_systemctl(words: list[str]) -> Iterator[str]:
    if words[0] not in SYSTEMCTL or set(words[1:]) - {"gateway"}:
        yield "systemctl is not asked like this"


def _of_install(words: list[str]) -> Iterator[str]:
    target = words[-1].rstrip("/")
    if target.startswith("/etc/napcat-gateway") and target not in (DEPLOY / "gateway.service").read_text("utf-8"):
        yield f"the unit does not read {target}"


ASKED: dict[str, Callable[[list[str]], Iterable[str]]] = {
    "docker": _of_docker,
    "kubectl": _of_kubectl,
    "{": _of_kubectl,
    "systemctl": _of_systemctl,
    "install": _of_install,
    **dict.fromkeys(("journalctl", "python3", "gateway"), lambda _: ()),
}
"""Who reads the words behind the name of a program, and yields what is wrong with them."""


def test_the_rule_that_is_made_of_the_alerts_is_one() -> None:
    (step,) = [step for block in blocks("kubernetes") for step in steps(block) if "PrometheusRule" in step.command]
    script = step.command.rpartition("|")[0]
    printed = subprocess.run(["bash", "-c", script], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    rule = yaml.safe_load(printed)
    assert rule["kind"] == "PrometheusRule"
    assert rule["spec"] == yaml.safe_load((DEPLOY / "alerts.yaml").read_text("utf-8"))


def test_a_move_leaves_the_way_back_open() -> None:
    text = README.read_text("utf-8")
    assert text.count("--cluster import") == text.count("--cluster-copy`, start") == 1, "it would move the keys"


def test_every_alert_has_a_section_that_it_leads_to() -> None:
    names = [rule["alert"] for rule in alerts()]
    assert sections_under("What to do when an alert fires") == names
    for rule in alerts():
        assert rule["annotations"]["runbook_url"] == f"README.md#{rule['alert'].lower()}"
        assert rule["alert"].lower() in anchors()


def test_every_reason_of_status_has_a_section() -> None:
    given = set(codes())
    assert {"redis_unavailable", "stopping", "task_failing", "events_lost"} <= given, "codes() reads them no more"
    assert set(sections_under("What to do for each reason in /status")) == given


def codes() -> Iterator[str]:
    """Yield the code of each reason that anything in the gateway gives: the first argument of `reason`."""
    for file in Path(gateway.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func).rpartition(".")[2] == "reason" and node.args:
                code = node.args[0]
                if isinstance(code, ast.Constant) and isinstance(code.value, str):
                    yield code.value


def test_every_link_leads_somewhere() -> None:
    for target in re.findall(r"\]\(([^)]+)\)", README.read_text("utf-8")):
        path, _, anchor = target.partition("#")
        assert (README.parent / path).exists(), target
        if anchor and not path:
            assert anchor in anchors(), target


@pytest.mark.parametrize(
    ("lines", "printed", "wanted"),
    [
        (["a…c"], "x\nabc\n", ""),
        (["a", "b"], "b\na\n", "it does not print 'b'"),
        (["a"], "ab\n", "it does not print 'a'"),
        (["  a…"], "  ab\n", ""),
    ],
)
def test_what_a_command_prints_is_compared_line_by_line(lines: list[str], printed: str, wanted: str) -> None:
    assert missing(lines, printed) == wanted
