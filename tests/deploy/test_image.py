"""The Dockerfile builds what it says it does, by the rules of those who look at many; its commands are ours."""

import asyncio
import fnmatch
import os
import re
import shutil
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

import gateway
from gateway.sandbox.process import GatewayProcess
from tests.debian import run
from tests.deploy.composition import DEPLOY, dockerfile, image_environment, instruction
from tests.readme.programs import Programs
from tests.world import World, listens

ROOT = DEPLOY.parent
TEXT = (DEPLOY / "Dockerfile").read_text("utf-8")


@pytest.mark.deploy
def test_hadolint_has_nothing_to_say(tmp_path: Path) -> None:
    program = shutil.which("hadolint") or str(Path(sys.executable).with_name("hadolint"))
    if not Path(program).exists():
        pytest.skip("hadolint is not installed: extra deploy")
    done = run([program, str(DEPLOY / "Dockerfile")], tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_the_last_stage_holds_only_what_was_built() -> None:
    stages = re.findall(r"^FROM (\S+)(?: AS (\w+))?$", TEXT, re.MULTILINE)
    assert [name for _, name in stages] == ["build", ""]
    assert {image for image, _ in stages} == {"python:${PYTHON}-slim"}
    names = [name for name, _ in dockerfile()]
    assert "RUN" not in names, "it would have to be built by something"
    assert [words for name, words in dockerfile() if name == "COPY"] == [
        "--from=build /opt/napcat-gateway /opt/napcat-gateway"
    ]
    assert TEXT.count("--constraint deploy/constraints.txt") == TEXT.count(" install "), "everything is pinned"


def test_it_runs_as_nobody_and_says_how_it_is_asked_and_stopped() -> None:
    user, group = instruction("USER").split(":")
    assert user.isdigit(), "Kubernetes can only tell by a number that it is not root"
    assert int(user) > 0 < int(group)
    assert instruction("STOPSIGNAL") == "SIGTERM"
    assert instruction("ENTRYPOINT") + instruction("CMD") == ["gateway", "run"]
    assert instruction("EXPOSE") == "8080"
    assert {"PYTHONUNBUFFERED", "PYTHONDONTWRITEBYTECODE", "GATEWAY_HTTP__HOST"} <= image_environment().keys()
    assert f"VERSION={gateway.__version__}\n" in TEXT


def test_what_is_copied_into_the_build_is_let_in() -> None:
    lines = (ROOT / ".dockerignore").read_text("utf-8").splitlines()
    rules = [line for line in lines if line and not line.startswith("#")]
    assert rules[0] == "*", "what is not named is not sent"
    copied = re.findall(r"^COPY (?!--)(.+) \S+$", TEXT, re.MULTILINE)
    for source in " ".join(copied).split():
        assert (ROOT / source).exists(), source
        assert f"!{source}" in rules
    assert not any(fnmatch.fnmatch("deploy/compose/secrets/a", rule.removeprefix("!")) for rule in rules[1:])


@asynccontextmanager
async def one(world: World, folder: Path) -> AsyncIterator[GatewayProcess]:
    """Yield a gateway that is ready."""
    process = GatewayProcess(world.settings(), folder)
    await process.start()
    try:
        yield process
    finally:
        await process.kill()


async def test_the_health_check_is_green_while_it_lives_and_red_after(world: World, tmp_path: Path) -> None:
    found = re.fullmatch(r"(?:--\S+ +)+CMD (\[.*\])", re.sub(r" {2,}", " ", instruction("HEALTHCHECK")))
    assert found
    program, *words = re.findall(r'"([^"]*)"', found[1])
    assert program == "gateway"

    async def code(url: str) -> int | None:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "gateway", *words[:-1], url),
            env={"PATH": "", "PYTHONPATH": str(ROOT)},
            cwd=tmp_path,
        )
        return await process.wait()

    assert words[-1] == f"http://127.0.0.1:{instruction('EXPOSE')}"
    async with one(world, tmp_path) as process:
        assert await code(process.url) == 0
    assert await code(process.url) == 1


async def test_it_needs_nothing_that_can_be_written_to(world: World, tmp_path: Path) -> None:
    """The read-only root of the containers: a mount of our own, where this system lets us make one."""
    alone = ["unshare", "--mount", "sh", "-c", 'mount -o remount,bind,ro / && exec "$@"', "sh"]
    if os.geteuid() != 0 or shutil.which("unshare") is None or run([*alone, "true"], tmp_path).returncode:
        pytest.skip("no file system of one's own can be made here")
    assert run([*alone, "touch", str(tmp_path / "a")], tmp_path).returncode == 1
    prepared = GatewayProcess(world.settings(), tmp_path)
    environ = {**os.environ, **image_environment(), "PATH": os.environ["PATH"], "HOME": "/nonexistent",
               "PYTHONPATH": str(ROOT), "GATEWAY_HTTP__HOST": "127.0.0.1"}  # fmt: skip
    words = (
        *alone,
        sys.executable,
        "-m",
        "gateway",
        "run",
        "--config",
        str(tmp_path / f"gateway-{prepared.port}.yaml"),
    )
    async with Programs(tmp_path, environ, _nothing).started(*words) as program:
        while not await listens(prepared.port):
            assert program.process.returncode is None, program.complaints
            await asyncio.sleep(0.02)
        program.process.terminate()
        assert await program.ends_within(15)
        assert program.process.returncode == 0, program.complaints


async def _nothing() -> None:
    """Nothing has to happen meanwhile."""
