"""A gateway that is forked for a test is what a process of its own would be."""

import asyncio
import os
import signal
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gateway.sandbox.process import GatewayProcess, free_port
from tests import forks
from tests.world import World, listens, until

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="processes are forked on Linux only")
Starts = Callable[..., Any]


@pytest.fixture(name="starts", params=["a fork", "a process"])
def _starts(request: pytest.FixtureRequest) -> Starts:
    return forks.start if request.param == "a fork" else asyncio.create_subprocess_exec


async def gateway(starts: Starts, folder: Path, *words: str, stdin: int = DEVNULL, **environ: str) -> Process:
    process: Process = await starts(
        *(sys.executable, "-m", "gateway", *words),
        stdin=stdin,
        stdout=PIPE,
        stderr=PIPE,
        env={**os.environ, "PYTHONPATH": str(forks.ROOT), **environ},
        cwd=folder,
    )
    return process


def is_fork(pid: int) -> bool:
    return b"tests.fork_server" in Path(f"/proc/{pid}/cmdline").read_bytes()


def held(gateway: GatewayProcess) -> tuple[int, set[str]]:
    """Return how often a gateway holds its log, and what kinds of other things it holds."""
    names = [os.readlink(entry) for entry in Path(f"/proc/{gateway.pid}/fd").iterdir()]
    log = str(gateway.log)
    return names.count(log), {name.partition(":")[0] for name in names if name != log}


async def end_with_one_running(folder: Path) -> None:
    """Start one, tell its process id and whether it is a fork, and end as a crash does."""
    port = free_port()
    one = await gateway(forks.start, folder, "sandbox", "--port", str(port))
    await until(lambda: listens(port))
    sys.stdout.write(f"{one.pid} {is_fork(one.pid)}\n")
    sys.stdout.flush()
    os.kill(os.getpid(), signal.SIGKILL)


async def test_it_ends_with_the_same_code_and_words(starts: Starts, tmp_path: Path) -> None:
    fine = await gateway(starts, tmp_path, "version")
    assert (await fine.communicate(), fine.returncode) == ((b"0.1.0\n", b""), 0)
    wrong = await gateway(starts, tmp_path, "send", "--nonsense")
    out, err = await wrong.communicate()
    assert (out, wrong.returncode) == (b"", 2)
    assert err.startswith(b"Usage: python -m gateway send"), err


async def test_it_reads_what_it_is_given_and_has_the_environment_and_folder_it_is_given(
    starts: Starts, world: World, tmp_path: Path
) -> None:
    (tmp_path / "mine.yaml").write_text("nonsense: 1\n")
    refused = await gateway(starts, tmp_path, "check", GATEWAY_CONFIG="mine.yaml")
    _, err = await refused.communicate()
    assert (b"nonsense: unknown" in err, refused.returncode) == (True, 2), err
    url = (await world.gateway()).url
    sent = await gateway(starts, tmp_path, "send", "--file", "-", stdin=PIPE, GATEWAY_URL=url)
    out, _ = await sent.communicate(b'{"group_id": 1, "message": "x"}\n')
    assert (out, sent.returncode) == (b"1 taken, 0 duplicates, 0 refused, 0 not tried\n", 0)


async def test_a_signal_ends_it_and_is_told(starts: Starts, tmp_path: Path) -> None:
    for number in (signal.SIGKILL, signal.SIGTERM, signal.SIGHUP):
        process = await gateway(starts, tmp_path, "sandbox", "--port", str(free_port()))
        process.send_signal(signal.SIGSTOP)  # before it could listen to any
        process.send_signal(number)
        process.send_signal(signal.SIGCONT)
        assert await process.wait() == -number
        await process.communicate()


async def test_it_inherits_no_descriptors_but_its_own(world: World) -> None:
    neighbour = await world.process()
    process = await world.process()
    assert is_fork(process.pid)
    real = GatewayProcess(world.settings(log={"format": "json", "level": "info"}), world.folder)
    await real.start()
    assert held(neighbour) == held(process) == held(real)
    await real.kill()


async def test_it_may_open_as_many_files_as_who_starts_it(starts: Starts, tmp_path: Path) -> None:
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (500, hard))
    try:
        process = await gateway(starts, tmp_path, "sandbox", "--port", str(free_port()))
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert resource.prlimit(process.pid, resource.RLIMIT_NOFILE) == (500, hard)
    process.kill()
    await process.communicate()


async def test_one_whose_environment_changes_what_is_imported_is_a_process_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text("print('customized')")
    path = os.pathsep.join([str(tmp_path), str(forks.ROOT)])
    process = await gateway(forks.start, tmp_path, "version", PYTHONPATH=path)
    assert (await process.communicate())[0] == b"customized\n0.1.0\n"


async def test_forks_end_with_who_asked_for_them(tmp_path: Path) -> None:
    words = "import asyncio, pathlib, sys, tests.test_forks as here"
    ends = "asyncio.run(here.end_with_one_running(pathlib.Path(sys.argv[1])))"
    session = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", f"{words}; {ends}", str(tmp_path)), cwd=forks.ROOT, stdout=PIPE
    )
    out, _ = await session.communicate()
    pid, forked = out.split()
    assert (session.returncode, forked) == (-signal.SIGKILL, b"True")
    await until(lambda: not os.path.exists(f"/proc/{int(pid)}"), deadline=20)
