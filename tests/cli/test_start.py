"""What cannot run is refused at start: exit code 2, one sentence that says what to change, no traceback, no secret."""

import asyncio
import ctypes
import json
import os
import socket
import sys
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from gateway.cli import app
from gateway.sandbox.process import GatewayProcess, free_port
from tests.cli.commands import ROOT, Ended, command
from tests.cli.test_run import servers
from tests.servers import saying, server
from tests.world import World, serving, until

SECRET = "h-u-s-h"
KEPT = ("--appendonly", "yes")
MAIN = {"name": "main", "endpoint": "http://127.0.0.1:9"}
HOOK = {"name": "a", "verify": {"kind": "none"}, "targets": "group:1"}


async def start(folder: Path, *words: str, **environ: str) -> Ended:
    """Run `gateway run`, which is to end by itself."""
    state = {"GATEWAY_STATE_DIR": str(folder / "state"), "GATEWAY_LOG__LEVEL": "error"}
    return await command(folder, "", "run", "--set", "http.port=0", *words, **(state | environ))


def refused(ended: Ended, *words: str) -> None:
    """Assert that a start was refused in one line that has WORDS in it."""
    assert (ended.code, ended.out) == (2, ""), ended.err
    (line,) = ended.err.splitlines()
    for word in words:
        assert word in line, line
    assert SECRET not in line, line


SETTINGS: dict[str, tuple[dict[str, Any], tuple[str, ...]]] = {
    "an account without its endpoint": ({"accounts": [{"name": "main"}]}, ("accounts.0.endpoint: is required",)),
    "no account": ({"accounts": []}, ("accounts: must not be empty", "write at least one")),
    "a misspelt setting": ({"redis": {"ulr": "x"}}, ("redis.ulr: unknown setting", "did you mean 'url'?")),
    "a misspelt section": ({"htpp": {}}, ("htpp: unknown setting", "did you mean 'http'?")),
    "two accounts of one name": (
        {"accounts": [MAIN, {**MAIN, "endpoint": "http://127.0.0.1:10"}]},
        ("accounts: two accounts are named 'main'", "give each its own name"),
    ),
    "two keys of one secret": (
        {"auth": {"keys": [{"name": "a", "sha256": "0" * 64}, {"name": "b", "sha256": "0" * 64}]}},
        ("auth.keys: 'a' and 'b' have the same sha256", "make a key for each"),
    ),
    "an address that others reach, without a key": (
        {"http": {"host": "0.0.0.0"}},
        ("http.host:", "auth.keys is empty", "bind to 127.0.0.1"),
    ),
    "a stream and a list of one name": (
        {"intake": {"lists": ["gw:jobs"]}},
        ("intake: 'gw:jobs' is named twice", "one stream or one list"),
    ),
    "a source that is a key of the gateway's own": (
        {"intake": {"streams": ["gw:invalid"]}},
        ("intake: 'gw:invalid' is a key of the gateway's own", "redis.prefix"),
    ),
    "a source among the keys of an account": (
        {"redis": {"prefix": "qq"}, "intake": {"lists": ["qq:{main}:receipts"]}},
        ("intake: 'qq:{main}:receipts' is a key of the gateway's own", "name the source otherwise, such as qq:jobs"),
    ),
    "a token that no header can carry": (
        {"accounts": [{**MAIN, "token": f"{SECRET}\nmore"}]},
        ("accounts.0.token: has a line break", "remove it"),
    ),
    "a user name and a token": (
        {"accounts": [{**MAIN, "endpoint": f"http://me:{SECRET}@127.0.0.1:9", "token": SECRET}]},
        ("accounts.0.token: the endpoint has a user name", "drop one"),
    ),
    "a port that is none": (
        {"accounts": [{**MAIN, "endpoint": f"http://me:{SECRET}@127.0.0.1:99999"}]},
        ("accounts.0.endpoint: no usable address", "from 1 to 65535"),
    ),
    "a port for events that is none": (
        {"accounts": [{**MAIN, "events_url": "ws://127.0.0.1:0"}]},
        ("accounts.0.events_url: no usable address", "from 1 to 65535"),
    ),
    "a rule with a verdict that is none": (
        {"delivery": {"rules": [{"retcode": 5, "verdict": "retri"}]}},
        ("delivery.rules.0.verdict:", "'retry'"),
    ),
    "a template that does not parse": (
        {"hooks": [{**HOOK, "template": "{{ x"}]},
        ("hooks.0.template: line 1:",),
    ),
    "a template that fails with the sample of its preset": (
        {
            "hooks": [
                {"name": "bell", "preset": "github", "secret": SECRET, "targets": "group:1", "template": "{{ x.y }}"}
            ]
        },
        ("hooks: 'bell': ", "template"),
    ),
    "a template that says nothing of the sample of its preset": (
        {"hooks": [{"name": "bell", "preset": "github", "secret": SECRET, "targets": "group:1", "template": "{# #}"}]},
        ("hooks: 'bell' says nothing of the sample of",),
    ),
}


@pytest.mark.parametrize("case", SETTINGS)
def test_settings_that_cannot_be_meant_are_refused_before_anything_is_started(tmp_path: Path, case: str) -> None:
    settings, words = SETTINGS[case]
    (tmp_path / "config.yaml").write_text(json.dumps(settings))
    ended = CliRunner().invoke(app, ["run", "--config", str(tmp_path / "config.yaml")])
    assert isinstance(ended.exception, SystemExit), ended.exception
    refused(Ended(ended.exit_code, ended.stdout, ended.stderr), *words)


@pytest.mark.parametrize(
    ("given", "environ", "words"),
    [
        (("--config", "missing.yaml"), {}, ("missing.yaml: cannot be read",)),
        (("--config", "."), {}, (".: cannot be read",)),
        ((), {"GATEWAY_SECRETS_DIR": "nowhere"}, ("GATEWAY_SECRETS_DIR=nowhere: cannot be read",)),
        (
            (),
            {"GATEWAY_SECRETS_DIR": "secrets"},
            ("acounts: unknown setting (the secret file acounts__0__token)", "did you mean 'accounts'?"),
        ),
        ((), {"GATEWAY_HTTP__PROT": "1"}, ("http.prot: unknown setting (GATEWAY_HTTP__PROT)", "did you mean 'port'?")),
        (("--set", "http.prot=1"), {}, ("http.prot: unknown setting (--set http.prot)", "did you mean 'port'?")),
    ],
)
def test_files_and_variables_that_cannot_be_meant_are_refused_by_name(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    given: tuple[str, ...],
    environ: dict[str, str],
    words: tuple[str, ...],
) -> None:
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets" / "acounts__0__token").write_text(SECRET)
    monkeypatch.chdir(tmp_path)
    ended = CliRunner().invoke(app, ["run", *given], env=environ)
    assert isinstance(ended.exception, SystemExit), ended.exception
    refused(Ended(ended.exit_code, ended.stdout, ended.stderr), *words)


async def test_a_file_that_is_no_yaml_is_refused_without_the_line_which_may_hold_a_secret(tmp_path: Path) -> None:
    (tmp_path / "broken.yaml").write_text(f"accounts: [{{token: {SECRET}\nhttp: [")
    refused(await start(tmp_path, "--config", "broken.yaml"), "broken.yaml: not YAML", "line 2")


async def test_a_redis_that_would_lose_jobs_is_refused(tmp_path: Path, stack: AsyncExitStack) -> None:
    evicting = await stack.enter_async_context(
        server(tmp_path / "evicting", *KEPT, "--maxmemory", "100mb", "--maxmemory-policy", "allkeys-lru")
    )
    forgetful = await stack.enter_async_context(server(tmp_path / "forgetful", "--save", "", "--appendonly", "no"))
    master = await stack.enter_async_context(server(tmp_path / "master", *KEPT))
    replica = await stack.enter_async_context(
        server(tmp_path / "replica", *KEPT, "--replicaof", "127.0.0.1", str(master))
    )
    old = await stack.enter_async_context(
        saying(master, **{"redis_version:7.2.4": "redis_version:6.0.9", "valkey_version": "another_number"})
    )
    ends = await asyncio.gather(
        *(
            start(tmp_path, "--set", f"redis.url=redis://127.0.0.1:{port}")
            for port in (evicting, forgetful, replica, old)
        )
    )
    refused(ends[0], "redis.url: Redis drops keys", "allkeys-lru", "set `maxmemory-policy noeviction`")
    refused(ends[1], "redis.persistence: Redis keeps neither", "set `appendonly yes`", "redis.persistence: any")
    refused(ends[2], "redis.url: leads to a replica", "let redis.url lead to its master")
    refused(ends[3], "redis.url: Redis 6.0.9 is too old", "use Redis 6.2 or newer")


async def _nobody(_folder: Path, _stack: AsyncExitStack) -> str:
    return f"redis://127.0.0.1:{free_port()}"


async def _asking_for_a_password(folder: Path, stack: AsyncExitStack) -> str:
    port = await stack.enter_async_context(server(folder / "guarded", *KEPT, "--requirepass", "another"))
    return f"redis://127.0.0.1:{port}"


async def _of_another_password(folder: Path, stack: AsyncExitStack) -> str:
    return (await _asking_for_a_password(folder, stack)).replace("//", f"//:{SECRET}@")


async def _that_allows_little(folder: Path, stack: AsyncExitStack) -> str:
    user = ("--user", "me", "on", f">{SECRET}", "~*", "+ping", "+hello", "+client")
    port = await stack.enter_async_context(server(folder / "weak", *KEPT, *user))
    return f"redis://me:{SECRET}@127.0.0.1:{port}"


async def _with_few_databases(folder: Path, stack: AsyncExitStack) -> str:
    return f"redis://127.0.0.1:{await stack.enter_async_context(server(folder / 'few', *KEPT))}/99"


async def _that_is_none(_folder: Path, stack: AsyncExitStack) -> str:
    return (await stack.enter_async_context(serving("GET", _answers_anything))).replace("http", "redis")


async def _that_says_nothing(_folder: Path, stack: AsyncExitStack) -> str:
    silent = stack.enter_context(socket.socket())
    silent.bind(("127.0.0.1", 0))
    silent.listen()
    return f"redis://127.0.0.1:{silent.getsockname()[1]}"


async def _without_a_name(_folder: Path, _stack: AsyncExitStack) -> str:
    return "redis://nowhere.invalid"


async def _without_a_socket(folder: Path, _stack: AsyncExitStack) -> str:
    return f"unix://{folder}/redis.sock"


async def _of_another_kind(_folder: Path, _stack: AsyncExitStack) -> str:
    return f"http://:{SECRET}@127.0.0.1"


@pytest.mark.parametrize(
    ("redis", "words"),
    [
        (_nobody, ("start Redis there", "leave redis.url empty")),
        (_asking_for_a_password, ("asks for a password", "put the right user and password")),
        (_of_another_password, ("put the right user and password",)),
        (_that_allows_little, ("no permissions", "+@all")),
        (_with_few_databases, ("DB index is out of range", "write a database number that the server has")),
        (_that_is_none, ("something else listens there",)),
        (_that_says_nothing, ("Timeout", "start Redis there")),
        (_without_a_name, ("nowhere.invalid", "start Redis there")),
        (_without_a_socket, ("redis.sock", "start Redis there")),
        (_of_another_kind, ("redis://",)),
    ],
)
async def test_a_redis_that_cannot_be_used_is_refused_with_what_to_change(
    tmp_path: Path,
    stack: AsyncExitStack,
    redis: Callable[[Path, AsyncExitStack], Awaitable[str]],
    words: tuple[str, ...],
) -> None:
    refused(await start(tmp_path, "--set", f"redis.url={await redis(tmp_path, stack)}"), "redis.url:", *words)


async def _answers_anything(_request: Any) -> Any:
    from aiohttp import web

    return web.Response()


async def test_what_is_known_only_to_the_operator_is_no_reason_to_refuse(
    tmp_path: Path, world: World, stack: AsyncExitStack
) -> None:
    forgetful = await stack.enter_async_context(server(tmp_path / "forgetful", "--save", "", "--appendonly", "no"))
    closed = await stack.enter_async_context(
        server(tmp_path / "closed", "--save", "", "--appendonly", "no", "--rename-command", "CONFIG", "")
    )
    trap = await stack.enter_async_context(server(tmp_path / "trap", *KEPT, "--maxmemory-policy", "allkeys-lru"))
    local = tmp_path / "redis.sock"
    await stack.enter_async_context(server(tmp_path / "local", *KEPT, "--unixsocket", str(local)))
    told = {
        "wished": ({"url": f"redis://127.0.0.1:{forgetful}", "persistence": "any"}, "loses every job"),
        "not told": ({"url": f"redis://127.0.0.1:{closed}"}, "may lose every job"),
        "evicting nothing": ({"url": f"redis://127.0.0.1:{trap}"}, "would drop keys"),
        "a socket": ({"url": f"unix://{local}"}, "no maxmemory"),
    }
    for redis, advice in told.values():
        gateway = await world.process(redis=redis)
        assert any(advice in line["detail"] for line in gateway.events("server.advised"))
        await gateway.stop()


async def test_a_port_that_is_taken_or_not_ours_is_refused(tmp_path: Path, world: World) -> None:
    taken = socket.socket()
    with taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        keys = '[{name: a, sha256: "' + "0" * 64 + '"}]'
        redis = ("--set", f"redis.url={world.redis_url}", "--set", f"auth.keys={keys}")
        ends = await asyncio.gather(
            start(tmp_path, "--set", f"http.port={port}"),
            start(tmp_path, *redis, "--set", "http.host=192.0.2.1"),
            start(tmp_path, *redis, "--set", "http.host=nowhere.invalid"),
        )
    for ended, place in zip(ends, (f"127.0.0.1:{port}", "192.0.2.1:0", "nowhere.invalid:0"), strict=True):
        refused(ended, f"http: cannot listen on {place}", "change http.host or http.port")
    assert servers(tmp_path) == []


async def test_a_folder_that_the_embedded_server_cannot_use_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "odd" / "port").mkdir(parents=True)
    elsewhere, odd = await asyncio.gather(
        start(tmp_path, GATEWAY_STATE_DIR=str(tmp_path / "file" / "state")),
        start(tmp_path, GATEWAY_STATE_DIR=str(tmp_path / "odd")),
    )
    for ended in (elsewhere, odd):
        refused(ended, "embedded server", "cannot be written", "set GATEWAY_STATE_DIR or redis.url")


async def test_a_folder_that_another_gateway_uses_is_refused(tmp_path: Path) -> None:
    first = GatewayProcess({"accounts": [MAIN], "log": {"format": "json"}}, tmp_path, _state(tmp_path))
    await first.start()
    try:
        refused(await start(tmp_path), "another gateway uses the embedded server", "redis.url", "GATEWAY_STATE_DIR")
    finally:
        assert await first.stop() == 0


def _state(folder: Path) -> dict[str, str]:
    return {"GATEWAY_STATE_DIR": str(folder / "state")}


def _drop_privileges() -> None:
    """Let even root write only where the permissions of a file let its owner, as everybody else."""
    if os.geteuid() == 0:
        for capability in (1, 2):  # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH
            ctypes.CDLL(None).prctl(24, capability, 0, 0, 0)  # PR_CAPBSET_DROP, which the next exec obeys


@pytest.mark.skipif(sys.platform != "linux", reason="drops the privileges of Linux")
async def test_it_runs_where_nothing_can_be_written_with_the_credentials_that_systemd_gives(
    tmp_path: Path, world: World
) -> None:
    # What LoadCredential makes: a folder that only its user may read, and files that nobody may write.
    folder, names = tmp_path / "credentials", {"accounts__0__token": SECRET, "redis__url": world.redis_url}
    folder.mkdir()
    for name, text in names.items():
        (folder / name).write_text(f"{text}\n")
        (folder / name).chmod(0o400)
    folder.chmod(0o500)
    world.napcat.token = SECRET
    port = free_port()
    here = {"HOME": str(folder), "XDG_STATE_HOME": "", "XDG_CACHE_HOME": "", "TMPDIR": str(folder)}
    account = {"GATEWAY_ACCOUNTS__0__NAME": "main", "GATEWAY_ACCOUNTS__0__ENDPOINT": world.napcat.url}
    environ = {
        **{name: value for name, value in os.environ.items() if not name.startswith("GATEWAY_")},
        "PYTHONPATH": str(ROOT),
        "GATEWAY_SECRETS_DIR": str(folder),
        **here,
        **account,
    }
    written = await asyncio.create_subprocess_exec(
        "touch", str(folder / "file"), preexec_fn=_drop_privileges, stderr=-3
    )
    if await written.wait() == 0:
        pytest.skip("whoever runs this can write everywhere")
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "gateway", "run", "--set", f"http.port={port}", "--set", "log.format=json"),
        cwd=folder,
        env=environ,
        preexec_fn=_drop_privileges,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        asked = await until(
            lambda: command(tmp_path, f"http://127.0.0.1:{port}", "check", "--ready"), lambda ended: ended.code == 0
        )
        assert "is ready" in asked.out
        await world.add({"group_id": "1", "message": "hello"})
        assert [receipt.state for receipt in await world.ended(1)] == ["delivered"]
    finally:
        process.terminate()
        _, err = await process.communicate()
        folder.chmod(0o700)
    assert process.returncode == 0
    assert sorted(file.name for file in folder.iterdir()) == sorted(names)
    assert SECRET not in err.decode()
