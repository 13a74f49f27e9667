"""What systemd hears of a gateway: over a socket as it gives one, from the process as it starts it."""

import asyncio
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from gateway.notify import Service
from gateway.sandbox.process import GatewayProcess
from tests.world import World, until

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="systemd is of Linux")


class Manager:
    """The service manager's end of the socket."""

    def __init__(self, address: str) -> None:
        """Listen at ADDRESS; one that begins with @ is abstract, as systemd spells it."""
        self.address = address
        self.heard: list[str] = []
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        self._socket.bind(f"\0{address[1:]}" if address.startswith("@") else address)

    def listen(self) -> list[str]:
        """Return all lines heard so far."""
        while True:
            try:
                self.heard += self._socket.recv(65536).decode().split("\n")
            except BlockingIOError:
                return self.heard

    def count(self, line: str) -> int:
        return self.listen().count(line)

    def close(self) -> None:
        self._socket.close()


@pytest.fixture(name="manager", params=["path", "abstract"])
def _manager(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Manager]:
    manager = Manager(str(tmp_path / "notify") if request.param == "path" else f"@{tmp_path}/notify")
    yield manager
    manager.close()


@pytest.fixture(name="gateway")
async def _gateway(world: World, tmp_path: Path, manager: Manager) -> AsyncIterator[GatewayProcess]:
    environ = {"NOTIFY_SOCKET": manager.address, "WATCHDOG_USEC": "400000"}
    gateway = GatewayProcess(world.settings(), tmp_path, environ)
    await gateway.start()
    yield gateway
    await gateway.kill()


async def test_systemd_hears_that_it_is_ready_that_it_lives_that_it_hangs_and_that_it_stops(
    gateway: GatewayProcess, manager: Manager
) -> None:
    await until(lambda: manager.count("READY=1") == 1)
    (status,) = [line for line in manager.heard if line.startswith("STATUS=")]
    assert status == f"STATUS=serving at {gateway.url}"
    beats = manager.count("WATCHDOG=1")
    began = asyncio.get_running_loop().time()
    await until(lambda: manager.count("WATCHDOG=1") >= beats + 5)
    assert asyncio.get_running_loop().time() - began > 0.6, "it beats twice in its 400 ms, and not all the time"

    gateway.send_signal(signal.SIGSTOP)
    await asyncio.sleep(0.1)  # for what it said just before
    last = manager.count("WATCHDOG=1")
    await asyncio.sleep(0.6)  # longer than systemd would wait
    assert manager.count("WATCHDOG=1") == last
    gateway.send_signal(signal.SIGCONT)
    await until(lambda: manager.count("WATCHDOG=1") > last)

    assert await gateway.stop() == 0
    heard = manager.listen()
    assert heard.count("STOPPING=1") == 1
    assert heard.index("STOPPING=1") > heard.index("READY=1")
    assert "STATUS=finishing what is in flight" in heard


async def test_what_is_refused_at_start_is_never_called_ready(world: World, tmp_path: Path) -> None:
    manager = Manager(str(tmp_path / "notify"))
    settings = world.settings(redis={"url": "redis://127.0.0.1:1"})
    gateway = GatewayProcess(settings, tmp_path, {"NOTIFY_SOCKET": manager.address, "WATCHDOG_USEC": "100000"})
    with pytest.raises(RuntimeError, match=r"redis\.url"):
        await gateway.start()
    assert manager.listen() == []
    manager.close()


async def test_the_beats_are_those_of_the_process_they_were_asked_of(tmp_path: Path) -> None:
    manager = Manager(str(tmp_path / "notify"))
    asked = {"NOTIFY_SOCKET": manager.address, "WATCHDOG_USEC": "2000"}
    for pid, beats in ((os.getpid(), True), (1, False)):
        manager.heard.clear()
        async with Service({**asked, "WATCHDOG_PID": str(pid)}).watched():
            await asyncio.sleep(0.05)
        assert bool(manager.count("WATCHDOG=1")) is beats
    manager.close()


@pytest.mark.parametrize("odd", ["", "0", "soon", "-5"])
async def test_a_watchdog_that_asks_for_nothing_sensible_hears_nothing(tmp_path: Path, odd: str) -> None:
    manager = Manager(str(tmp_path / "notify"))
    async with Service({"NOTIFY_SOCKET": manager.address, "WATCHDOG_USEC": odd}).watched():
        await asyncio.sleep(0.02)
    assert manager.listen() == []
    manager.close()


async def test_reloading_says_since_when_and_ready_ends_it(tmp_path: Path) -> None:
    manager = Manager(str(tmp_path / "notify"))
    service = Service({"NOTIFY_SOCKET": manager.address})
    service.reloading()
    service.ready("serving main")
    began = next(line for line in manager.listen() if line.startswith("MONOTONIC_USEC="))
    assert manager.heard == ["RELOADING=1", began, "STATUS=reloading", "READY=1", "STATUS=serving main"]
    assert began.partition("=")[2].isdigit()
    manager.close()


def test_a_service_manager_that_has_gone_or_reads_nothing_holds_nothing_up(tmp_path: Path) -> None:
    for address in ("", str(tmp_path / "nowhere"), "relative", "/" + "long" * 50):
        Service({"NOTIFY_SOCKET": address}).ready("serving")
    deaf = Manager(str(tmp_path / "deaf"))
    for _ in range(10_000):  # more than its socket takes
        Service({"NOTIFY_SOCKET": deaf.address}).ready("x" * 100)
    assert "READY=1" in deaf.listen()
    deaf.close()
