"""The real thing: an Alertmanager of Debian's package tells a gateway, which tells the stand-in NapCat."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from gateway.intake.hooks.hook import Hook
from gateway.sandbox.process import free_port
from gateway.settings import Hook as HookSettings
from tests.debian import program_of
from tests.hooks.samples import NOW, samples
from tests.world import World, serving, until

PACKAGE = "prometheus-alertmanager"
TEMPLATES = b"usr/share/prometheus/alertmanager"
SECRET = "alerts:pass word"
BASIC = {"basic_auth": {"username": "alerts", "password": "pass word"}}
BEARER = {"authorization": {"credentials": SECRET}}
HOOK = {"name": "alerts", "preset": "alertmanager", "secret": SECRET, "targets": "group:123456"}


class Alertmanager:
    """A running Alertmanager that waits for nothing before it tells."""

    def __init__(self, binary: Path, folder: Path) -> None:
        self.url = f"http://127.0.0.1:{free_port()}"
        self.log = folder / "alertmanager.log"
        self._binary = binary
        self._folder = folder

    @asynccontextmanager
    async def telling(self, url: str, http_config: dict[str, Any]) -> AsyncIterator["Alertmanager"]:
        """Run it until the block ends, telling URL."""
        waits = {"group_by": ["alertname"], "group_wait": "0s", "group_interval": "1s", "repeat_interval": "1h"}
        told = [{"url": url, "http_config": http_config, "send_resolved": True}]
        receivers = [{"name": "qq", "webhook_configs": told}]
        file = self._folder / "alertmanager.yml"
        file.write_text(json.dumps({"route": {"receiver": "qq", **waits}, "receivers": receivers}))
        options = {
            "config.file": file,
            "storage.path": self._folder / "alertmanager",
            "web.listen-address": self.url.removeprefix("http://"),
            "web.external-url": self.url,
            "cluster.listen-address": "",
            "log.level": "debug",
        }
        with self.log.open("ab") as log:
            process = await asyncio.create_subprocess_exec(
                *(str(self._binary), *(f"--{name}={value}" for name, value in options.items())),
                cwd=self._binary.parents[2],
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        try:
            await until(lambda: self._ready(process))
            yield self
        finally:
            if process.returncode is None:
                process.kill()  # it has nothing to keep
            await process.wait()

    async def alert(self, name: str, *, over: bool = False, **annotations: str) -> None:
        """Post an alert as Prometheus does, or that it is OVER."""
        now = datetime.now(UTC)
        ends_at = {"endsAt": now.isoformat()} if over else {}
        starts_at = (now - timedelta(minutes=5)).isoformat()
        labels = {"alertname": name, "instance": "web-1:9100", "severity": "critical"}
        alert = {"labels": labels, "annotations": annotations, "startsAt": starts_at, **ends_at}
        async with (
            aiohttp.ClientSession() as session,
            session.post(f"{self.url}/api/v2/alerts", json=[alert]) as answer,
        ):
            assert answer.status == 200, await answer.text()

    async def _ready(self, process: asyncio.subprocess.Process) -> bool:
        assert process.returncode is None, self.log.read_text()
        try:
            async with aiohttp.ClientSession() as session, session.get(f"{self.url}/-/ready") as answer:
                return answer.status == 200
        except aiohttp.ClientError:
            return False


@pytest.fixture(scope="session", name="binary")
def _binary(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The program, fetched once for all tests."""
    folder = tmp_path_factory.mktemp("debian")
    program = program_of(PACKAGE, PACKAGE, folder)
    if not program.is_relative_to(folder):
        return program
    # Debian's reads its templates where packages are installed; this one reads them below the folder it runs in.
    program.write_bytes(program.read_bytes().replace(b"/" + TEMPLATES, TEMPLATES + b"/"))
    return program


@pytest.mark.deploy
@pytest.mark.parametrize("proof", [BASIC, BEARER], ids=["basic", "bearer"])
async def test_an_alert_that_fires_is_told_once_and_once_that_it_is_over(
    world: World, binary: Path, proof: dict[str, Any]
) -> None:
    gateway = await world.gateway(hooks=[{**HOOK, "at": [10001]}])
    async with Alertmanager(binary, world.folder).telling(f"{gateway.url}/hooks/alerts", proof) as alertmanager:
        await alertmanager.alert("InstanceDown", summary="web-1 is down")
        await world.ended(1)
        await alertmanager.alert("InstanceDown", summary="web-1 is down", over=True)
        await world.ended(2)
    fired, over = [message.splitlines() for message in world.napcat.texts("group:123456")]
    link = f"{alertmanager.url}/#/alerts?receiver=qq"
    assert fired[0].endswith("[Alertmanager] FIRING: InstanceDown (critical)")
    assert fired[1] == "web-1:9100: web-1 is down"
    assert over[0] == "[Alertmanager] RESOLVED: InstanceDown (critical)"
    assert fired[-1] == over[-1] == link
    assert len(await world.receipts()) >= 2


@pytest.mark.deploy
async def test_what_alertmanager_tries_again_is_told_once(world: World, binary: Path) -> None:
    """It sends again after 429 (with the next look at the group) and 503 (soon), also when only the answer was lost."""
    gateway = await world.gateway(hooks=[HOOK])
    refusals = [429, 503, 503]
    answers: list[int] = []

    async def between(request: web.Request) -> web.Response:
        body = await request.read()
        if refusals:
            refusal = refusals.pop(0)
            if not refusals:  # the last one was taken, and nobody hears of it
                answers.append((await gateway.post("/hooks/alerts", body, _proof_in(request))).status)
            return web.Response(status=refusal)
        reply = await gateway.post("/hooks/alerts", body, _proof_in(request))
        answers.append(reply.status)
        return web.Response(status=reply.status, body=reply.body)

    async with (
        serving("POST", between) as url,
        Alertmanager(binary, world.folder).telling(f"{url}/", BASIC) as alertmanager,
    ):
        await alertmanager.alert("InstanceDown", summary="web-1 is down")
        await until(lambda: len(answers) == 2, deadline=20)
        await world.ended(1)
    assert answers == [202, 202]
    assert len(world.napcat.texts("group:123456")) == 1


@pytest.mark.deploy
async def test_what_is_one_too_many_comes_again_and_is_told(world: World, binary: Path) -> None:
    gateway = await world.gateway(hooks=[{**HOOK, "limits": "1/2s"}])
    async with Alertmanager(binary, world.folder).telling(f"{gateway.url}/hooks/alerts", BASIC) as alertmanager:
        await alertmanager.alert("InstanceDown", summary="web-1 is down")
        await alertmanager.alert("DiskFull", summary="web-1 has no space left")
        await world.ended(2)
        assert "429" in alertmanager.log.read_text()
    assert len(world.napcat.texts("group:123456")) == 2


@pytest.mark.deploy
async def test_who_has_another_password_tells_nothing(world: World, binary: Path) -> None:
    gateway = await world.gateway(hooks=[HOOK])
    wrong = {"basic_auth": {"username": "alerts", "password": "password"}}
    async with Alertmanager(binary, world.folder).telling(f"{gateway.url}/hooks/alerts", wrong) as alertmanager:
        await alertmanager.alert("InstanceDown", summary="web-1 is down")
        await until(lambda: "unexpected status code 401" in alertmanager.log.read_text())
    assert await world.receipts() == []


def test_a_retry_has_the_id_of_the_first_try_whenever_it_comes_and_a_reminder_another() -> None:
    hook = Hook(HookSettings.model_validate(HOOK))
    sample = next(sample for sample in samples("alertmanager") if sample.name == "firing")

    def delivery(seconds: float) -> str:
        return hook.read(sample.delivery, hook.payload(sample.delivery), NOW + seconds).delivery

    first = delivery(0)
    assert {delivery(seconds) for seconds in (1, 60, 200, 299)} == {first}
    reminder = delivery(4 * 3600)
    assert reminder != first
    assert delivery(4 * 3600 + 299) == reminder
    assert delivery(4 * 3600 + 300) != reminder


def test_what_is_told_has_the_id_that_another_process_gives_it_at_that_time() -> None:
    sample = next(sample for sample in samples("alertmanager") if sample.name == "firing")
    hooks = [Hook(HookSettings.model_validate(HOOK)) for _ in range(2)]
    assert len({hook.read(sample.delivery, hook.payload(sample.delivery), NOW).delivery for hook in hooks}) == 1


def _proof_in(request: web.Request) -> dict[str, str]:
    return {"Authorization": request.headers["Authorization"]}
