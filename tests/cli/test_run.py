"""`gateway run` without a configured Redis: a server of its own, which keeps the data and ends with it."""

import sys
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from gateway.sandbox.process import GatewayProcess
from tests.world import until

ACCOUNT = {"name": "main", "endpoint": "http://127.0.0.1:9"}
LOG = {"format": "json"}
pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="asks the kernel of Linux to end a child with its parent"
)


@pytest.fixture(name="started")
async def _started(tmp_path: Path) -> AsyncIterator[list[GatewayProcess]]:
    """Collect the gateways a test starts, and end them."""
    gateways: list[GatewayProcess] = []
    yield gateways
    for gateway in gateways:
        await gateway.kill()
    await until(lambda: not servers(tmp_path))


async def embedded(started: list[GatewayProcess], folder: Path) -> GatewayProcess:
    """Start a gateway without a configured Redis, which keeps its data in FOLDER."""
    environ = {"GATEWAY_STATE_DIR": str(folder / "state")}
    gateway = GatewayProcess({"accounts": [ACCOUNT], "log": LOG}, folder, environ)
    started.append(gateway)
    await gateway.start()
    return gateway


def servers(folder: Path) -> list[int]:
    """Return the process ids of all servers whose data lies in FOLDER: a server works in the folder of its data."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if (process / "cwd").readlink() == folder / "state":
                found.append(int(process.name))
    return found


async def test_without_a_configured_redis_one_line_says_where_the_data_is(
    tmp_path: Path, started: list[GatewayProcess]
) -> None:
    gateway = await embedded(started, tmp_path)
    (line,) = gateway.events("server.embedded")
    assert line["data"] == str(tmp_path / "state")
    assert line["url"].startswith("redis://127.0.0.1:")
    assert len(servers(tmp_path)) == 1


async def test_a_queued_job_survives_a_restart_of_a_gateway_with_its_own_server(
    tmp_path: Path, started: list[GatewayProcess]
) -> None:
    first = await embedded(started, tmp_path)
    job = {"group_id": "1", "message": "later", "delay": "1h", "key": "a"}
    async with aiohttp.ClientSession() as session, session.post(f"{first.url}/v1/jobs", json=job) as answer:
        posted: dict[str, Any] = await answer.json()
    assert await first.stop() == 0
    second = await embedded(started, tmp_path)
    async with aiohttp.ClientSession() as session, session.get(f"{second.url}/v1/jobs/key:a") as answer:
        found: dict[str, Any] = await answer.json()
    assert (found["id"], found["state"], found["reason"]) == (posted["id"], "waiting", "scheduled")


async def test_sigterm_ends_the_gateway_well_and_leaves_no_server_behind(
    tmp_path: Path, started: list[GatewayProcess]
) -> None:
    gateway = await embedded(started, tmp_path)
    assert await gateway.stop() == 0
    assert servers(tmp_path) == []
    assert [gateway.events(name) != [] for name in ("gateway.stopping", "gateway.stopped")] == [True, True]


async def test_a_gateway_that_is_killed_leaves_no_server_behind(tmp_path: Path, started: list[GatewayProcess]) -> None:
    gateway = await embedded(started, tmp_path)
    assert servers(tmp_path)
    await gateway.kill()
    await until(lambda: not servers(tmp_path))
