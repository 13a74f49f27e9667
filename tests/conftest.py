"""Fixtures every test may use, and how tests run beside each other: worlds are real, and end with their test."""

import asyncio
import gc
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from tests.topologies import Cluster, cluster
from tests.world import World, world


@pytest.hookimpl(tryfirst=True)
def pytest_cmdline_main(config: pytest.Config) -> None:
    """Run folders in three processes a core, as most tests wait; single files, `-k`, `-s`, `--pdb` and `-n` as told.

    It is no option in pyproject.toml, so that `-p no:xdist` does what it says.
    """
    if "PYTEST_XDIST_WORKER" in os.environ:  # one of these processes must not start as many again
        return
    option = config.option
    if not hasattr(option, "numprocesses") or option.numprocesses is not None or option.dist != "no":
        return
    folders = any((config.invocation_params.dir / name.partition("::")[0]).is_dir() for name in config.args)
    alone = option.keyword or option.usepdb or option.trace or option.capture == "no" or option.collectonly
    if folders and not alone:
        option.numprocesses = min(3 * _cores(), 12)
        # Who has nothing left takes over tests of others, of which some last a hundred times as long as most.
        option.dist = "worksteal"


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out, unless somebody names them, the trials that are steps of their own in .ci/run."""
    if config.option.markexpr or config.args != list(config.getini("testpaths")):
        return
    steps = {item for item in items for name in ("browser", "deploy") if item.get_closest_marker(name)}
    config.hook.pytest_deselected(items=list(steps))
    items[:] = [item for item in items if item not in steps]


def pytest_sessionstart() -> None:
    """Look for no garbage among what is imported now, nor later: every process imports all tests."""
    gc.disable()


def pytest_collection_finish() -> None:
    gc.freeze()
    gc.enable()


def _cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@pytest.fixture(scope="session", autouse=True)
def _compiled_once() -> Iterator[None]:
    """Let the hundreds of processes that tests start keep what they compile of us, also where Python is told not to."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("PYTHONDONTWRITEBYTECODE", raising=False)
        yield


@pytest.fixture(name="transport")
def _transport() -> str:
    """How gateways reach NapCat; `TEST_TRANSPORT=ws` says so for all, and a module's own fixture for its tests."""
    return os.environ.get("TEST_TRANSPORT", "http")


@pytest.fixture(name="world")
async def _world(tmp_path: Path, transport: str) -> AsyncIterator[World]:
    async with world(tmp_path, transport) as made:
        yield made


@pytest.fixture(name="stack")
async def _stack() -> AsyncIterator[AsyncExitStack]:
    """What a test enters here ends with it."""
    async with AsyncExitStack() as stack:
        yield stack


@pytest.fixture(scope="module", name="processes")
def _processes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A cluster that lasts for a file of tests, each of which has a loop of its own."""
    with asyncio.Runner() as runner:
        stack = AsyncExitStack()
        made = runner.run(stack.enter_async_context(cluster(tmp_path_factory.mktemp("cluster"))))
        runner.run(made.leave())
        yield made
        runner.run(stack.aclose())


@pytest.fixture(name="three")
async def _three(processes: Cluster) -> AsyncIterator[Cluster]:
    """Three masters without data."""
    await processes.clear()
    yield processes
    await processes.leave()
