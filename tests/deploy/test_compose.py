"""compose.yaml is what it says: its services run as plain processes, and a job goes through each gateway."""

import asyncio
import json
import re
import shlex
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import yaml
from jsonschema import Draft7Validator

from gateway.model.duration import parse_duration
from gateway.settings import load_settings
from gateway.settings.sections import Delivery
from tests.debian import program_of, unpacked
from tests.deploy.composition import DEPLOY, Composition, instruction, services
from tests.deploy.runbook import secrets_made
from tests.readme.programs import Program, Programs
from tests.world import listens, until

KEY = "gw_of-the-operator"
LIBRARIES = ("liblua5.3-0", "libopentracing-c-wrapper0", "libopentracing1")
"""What Debian 12's haproxy needs, and few machines have."""
JOB = {"group_id": "123456", "message": "hello"}


async def _nothing() -> None:
    """Nothing has to happen meanwhile."""


@asynccontextmanager
async def composed(folder: Path) -> AsyncIterator[tuple[Composition, dict[str, Program]]]:
    """Yield the services that send, started one after the other as `depends_on` says."""
    await secrets_made(folder)
    secrets = folder / "compose" / "secrets"
    (secrets / "auth__keys__0__sha256").write_text(sha256(KEY.encode()).hexdigest())
    composition = Composition(folder)
    async with AsyncExitStack() as stack:
        running: dict[str, Program] = {}
        for service in ("valkey", "sandbox", "gateway-1", "gateway-2"):
            running[service] = await stack.enter_async_context(started(composition, service))
        yield composition, running


@asynccontextmanager
async def started(composition: Composition, service: str, *words: str) -> AsyncIterator[Program]:
    """Yield SERVICE when it listens; WORDS are its command, where that is another than it says."""
    programs = Programs(composition.place(service), composition.environment(service), _nothing)
    async with programs.started(*(words or composition.words(service))) as program:
        port = composition.ports[service]
        while not await listens(port):
            assert program.process.returncode is None, program.out + program.complaints
            await asyncio.sleep(0.02)
        yield program


async def send(url: str, key: str = KEY) -> Any:
    """Send a job by the gateway at URL and return its receipt when it has ended."""
    headers = {"Authorization": f"Bearer {key}"}
    async with aiohttp.ClientSession(url, headers=headers) as session:
        async with session.post("/v1/jobs", json=JOB) as answer:
            told = await answer.json()
            assert answer.status == 202, told
        async with session.get(f"/v1/jobs/{told['id']}", params={"wait": "20s"}) as answer:
            return await answer.json()


@pytest.mark.deploy
async def test_a_job_is_delivered_through_each_gateway_of_the_composition(tmp_path: Path) -> None:
    async with composed(tmp_path) as (composition, running):
        for service in ("gateway-1", "gateway-2"):
            receipt = await send(composition.url(service))
            assert receipt["state"] == "delivered", (receipt, running[service].complaints)
        async with (
            aiohttp.ClientSession() as session,
            session.get(f"{composition.url('sandbox')}/_sandbox/delivered") as answer,
        ):
            assert len((await answer.json())["items"]) == 2
        for service in ("gateway-1", "gateway-2", "valkey"):
            running[service].process.terminate()
            assert await running[service].ends_within(15)
            assert running[service].process.returncode == 0, running[service].complaints


@pytest.mark.deploy
async def test_the_balancer_gives_jobs_to_the_gateway_that_is_left(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("debian")
    haproxy = program_of("haproxy", "haproxy", folder, *LIBRARIES)
    libraries = ":".join(str(file) for file in folder.glob("usr/lib/*-linux-gnu"))
    async with composed(tmp_path) as (composition, running):
        words = ["env", f"LD_LIBRARY_PATH={libraries}", str(haproxy), *composition.words("balancer")[1:]]
        async with started(composition, "balancer", *words) as balancer:
            assert (await send(composition.url("balancer")))["state"] == "delivered", balancer.complaints
            running["gateway-1"].process.terminate()
            assert await running["gateway-1"].ends_within(15)
            for _ in range(4):  # a connection that the one that is gone refuses is made at the other one
                assert (await send(composition.url("balancer")))["state"] == "delivered", balancer.complaints
            running["valkey"].process.terminate()
            assert await running["valkey"].ends_within(15)
            await until(lambda: "backend gateways has no server available" in balancer.out + balancer.complaints)
            said = await refused(composition.url("balancer"))
            assert said == "application/problem+json", "who is unready is asked nevertheless when nobody is ready"


async def refused(url: str) -> str:
    """Return the type of the answer to a job that cannot be taken."""
    headers = {"Authorization": f"Bearer {KEY}"}
    async with aiohttp.ClientSession(url, headers=headers) as session, session.post("/v1/jobs", json=JOB) as answer:
        assert answer.status == 503, await answer.text()
        return answer.content_type


async def test_valkey_is_healthy_when_it_takes_the_password(tmp_path: Path) -> None:
    await secrets_made(tmp_path)
    secrets = tmp_path / "compose" / "secrets"
    password = (secrets / "valkey_conf").read_text().split()[1]
    assert f":{password}@" in (secrets / "redis__url").read_text()
    kind, test = services()["valkey"]["healthcheck"]["test"]
    assert kind == "CMD-SHELL"
    (tmp_path / "valkey-cli").write_text(
        f'#!/bin/sh\n[ "$1" = ping ] && [ "$REDISCLI_AUTH" = {password} ] && echo PONG || echo NOAUTH\n'
    )
    (tmp_path / "valkey-cli").chmod(0o755)
    script = test.replace("$$", "$").replace("/run/secrets", str(secrets))
    for text, code in ((f"requirepass {password}\n", 0), ("requirepass other\n", 1)):
        (secrets / "valkey_conf").write_text(text)
        process = await asyncio.create_subprocess_exec(
            "sh", "-c", script, env={"PATH": f"{tmp_path}:/usr/bin:/bin"}, stdout=asyncio.subprocess.DEVNULL
        )
        assert await process.wait() == code


def test_the_gateways_do_not_start_before_a_key_was_made(tmp_path: Path) -> None:
    """What a container without its secrets says is one sentence."""
    from gateway.model.errors import SettingsInvalid

    with pytest.raises(SettingsInvalid, match=r"auth\.keys\.0\.sha256: is required"):
        load_settings(DEPLOY / "compose" / "config.yaml", {})
    environ = {"GATEWAY_AUTH__KEYS__0__SHA256": "0" * 64, "GATEWAY_HTTP__HOST": "0.0.0.0"}
    assert load_settings(DEPLOY / "compose" / "config.yaml", environ).accounts[0].endpoint == "http://napcat:3000"
    assert tmp_path.exists()


def test_nothing_in_the_composition_has_more_rights_than_it_needs() -> None:
    for name, service in services().items():
        assert service["read_only"] is True, name
        assert service["cap_drop"] == ["ALL"], name
        assert "cap_add" not in service, name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert service.get("user", instruction("USER")) != "0:0"
        assert all(address.startswith("127.0.0.1:") for address in service.get("ports", ())), name
        assert service["mem_limit"], name
    assert not services()["valkey"].get("ports")
    words = shlex.split(services()["valkey"]["command"])
    for name, value in (("--appendonly", "yes"), ("--maxmemory-policy", "noeviction")):
        assert words[words.index(name) + 1] == value


def test_a_gateway_is_given_the_time_to_end_what_it_sends() -> None:
    delivery = Delivery()
    needed = delivery.timeout + delivery.slack + 5_000
    for name in ("gateway-1", "gateway-2"):
        assert parse_duration(services()[name]["stop_grace_period"]) >= needed + 5_000


def test_the_secrets_that_services_name_are_those_that_are_made() -> None:
    document = yaml.safe_load((DEPLOY / "compose.yaml").read_text("utf-8"))
    named = {secret for service in document["services"].values() for secret in service.get("secrets", ())}
    assert named == set(document["secrets"])
    assert {Path(secret["file"]).name for secret in document["secrets"].values()} == named
    text = json.dumps(document)
    assert set(re.findall(r"/run/secrets/(\w+)", text)) <= named
    assert not re.search(r"requirepass \w{8}|gw_\w{8}", text)


@pytest.mark.deploy
def test_the_schema_of_compose_files_takes_it(tmp_path: Path) -> None:
    """The schema is that of Debian's docker-compose, which knows no `name` yet."""
    folder = unpacked("docker-compose", tmp_path)
    schema = next(iter(folder.rglob("compose_spec.json")), None)
    if schema is None:
        pytest.skip("this Debian's docker-compose brings no schema as a file")
    document = yaml.safe_load((DEPLOY / "compose.yaml").read_text("utf-8"))
    assert document.pop("name") == "napcat-gateway"
    faults = Draft7Validator(json.loads(schema.read_text())).iter_errors(document)
    assert [f"{list(fault.absolute_path)}: {fault.message}" for fault in faults] == []
