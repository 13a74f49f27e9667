"""Whatever goes wrong, /status says what and what to do, and readiness says whether this process can work."""

import asyncio
import json
import resource
import signal
import socket
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from gateway.clock import Clock
from gateway.sandbox.napcat import StandIn
from gateway.store.embedded import find_server
from tests.world import Gateway, World, listens, until

JOB = {"group_id": "1", "message": "hello"}
READY, UNREADY = 200, 503


class Ahead(Clock):
    """A clock that a test sets ahead."""

    seconds = 0.0

    def monotonic(self) -> float:
        return super().monotonic() + self.seconds


async def told(gateway: Gateway, code: str, deadline: float = 30.0, **about: str) -> dict[str, Any]:
    """Wait until /status names the reason CODE ABOUT something; return the document, and that reason as `the`."""

    def found(document: dict[str, Any]) -> list[dict[str, Any]]:
        return [reason for reason in document["reasons"] if reason.items() >= {"code": code, **about}.items()]

    document: dict[str, Any] = await until(gateway.status, found, deadline)
    (reason,) = found(document)
    assert reason["detail"]
    assert reason["advice"]
    return {**document, "the": reason}


async def readiness(gateway: Gateway, status: int) -> None:
    """Wait until readiness answers STATUS: a task may notice a moment later what /status found by itself."""

    async def answered() -> int:
        return (await gateway.get("/healthz/ready")).status

    await until(answered, lambda found: found == status)


async def metrics(gateway: Gateway) -> str:
    return (await gateway.get("/metrics")).body.decode()


async def test_redis_stopped(world: World) -> None:
    gateway = await world.gateway()
    await world.stop_redis()
    document = await told(gateway, "redis_unavailable")
    assert document["status"] == "down"
    assert (await gateway.get("/status")).status == 503
    assert (await gateway.request("HEAD", "/status")).status == 503
    await readiness(gateway, UNREADY)
    assert 'gateway_reasons{account="",code="redis_unavailable"} 1.0' in await metrics(gateway)
    await world.start_redis()
    await until(gateway.status, lambda document: document["status"] == "ok", 30)
    await readiness(gateway, READY)
    await gateway.stop()


async def test_napcat_down_while_nothing_is_to_be_sent(world: World) -> None:
    clock = Ahead()
    gateway = await world.gateway(clock)
    await until(gateway.status, lambda document: document["accounts"]["main"]["online"])
    await world.napcat.stop()
    clock.seconds = 30.0
    await world.clients.commands.publish("gw:bell", "main")
    document = await told(gateway, "account_paused")
    account = document["accounts"]["main"]
    assert (document["status"], account["reachable"], account["online"]) == ("degraded", False, None)
    assert document["the"]["account"] == "main"
    assert "not_connected" in document["the"]["detail"]
    await readiness(gateway, READY)
    assert 'gateway_account_reachable{account="main"} 0.0' in await metrics(gateway)
    await world.napcat.start()
    await until(gateway.status, lambda document: document["accounts"]["main"]["reachable"], 40)


async def test_napcat_down_while_all_there_is_waits_for_later(world: World) -> None:
    clock = Ahead()
    gateway = await world.gateway(clock)
    await until(gateway.status, lambda document: document["accounts"]["main"]["online"])
    await gateway.post("/v1/jobs", {**JOB, "delay": "1h"})
    await world.napcat.stop()
    clock.seconds = 30.0
    document = await told(gateway, "account_paused")
    account = document["accounts"]["main"]
    assert (account["scheduled"], account["reachable"], account["online"]) == (1, False, None)


async def test_a_napcat_that_stays_silent_about_a_message_is_not_told_as_away(world: World) -> None:
    gateway = await world.gateway(delivery={"timeout": "1s", "slack": "500ms"})
    await until(gateway.status, lambda document: document["accounts"]["main"]["online"])
    world.napcat.behave("group:1", "hang")
    job = (await gateway.post("/v1/jobs", JOB)).json["id"]
    await gateway.shows(job, "unknown")
    account = (await gateway.status())["accounts"]["main"]
    assert (account["reachable"], account["online"]) == (None, None)


async def test_a_wrong_token(world: World) -> None:
    world.napcat.token = "right"
    gateway = await world.gateway(accounts=[world.account(token="wrong")])
    document = await told(gateway, "account_paused")
    account = document["accounts"]["main"]
    assert (document["status"], account["reachable"], account["online"]) == ("degraded", True, None)
    assert "bad_token" in document["the"]["detail"]
    assert "token" in document["the"]["advice"]
    await readiness(gateway, READY)


async def test_one_account_offline(world: World) -> None:
    world.napcat.behave("*", "offline")
    async with StandIn(self_id="10002").serve() as other:
        accounts = [world.account(), world.account(name="second", endpoint=other.url)]
        gateway = await world.gateway(accounts=accounts)
        await until(gateway.status, lambda document: document["accounts"]["second"]["online"])
        document = await told(gateway, "account_paused")
        online = {name: account["online"] for name, account in document["accounts"].items()}
        assert (document["status"], online) == ("degraded", {"main": False, "second": True})
        assert document["the"]["account"] == "main"
        assert "log the account in" in document["the"]["advice"]
        await readiness(gateway, READY)


async def test_a_source_that_cannot_be_read_and_has_lost_its_reader(world: World) -> None:
    clock = Ahead()
    gateway = await world.gateway(clock)
    await until(gateway.status, lambda document: document["sources"]["gw:jobs"]["reader"] == "here")
    await world.clients.commands.set("gw:jobs", "not a stream")
    document = await told(gateway, "source_unreadable")
    assert (document["status"], document["the"]["source"]) == ("degraded", "gw:jobs")
    assert "WRONGTYPE" in document["the"]["detail"]
    await readiness(gateway, UNREADY)
    await world.clients.commands.delete("gw:jobs")
    await until(gateway.status, lambda document: document["status"] == "ok", 20)
    await readiness(gateway, READY)


async def test_a_source_that_nobody_reads(world: World) -> None:
    clock = Ahead()
    gateway = await world.gateway(clock)
    await until(gateway.status, lambda document: document["sources"]["gw:jobs"]["reader"] == "here")
    clock.seconds = 10.0
    redis: Any = world.clients.commands
    await redis.execute_command("ACL", "SETUSER", "default", "-xread")
    document = await told(gateway, "source_unread", source="gw:jobs")
    assert (document["status"], document["sources"]["gw:jobs"]["reader"]) == ("degraded", "none")
    assert "no permissions" in document["tasks"]["source gw:jobs"]
    assert 'gateway_source_read{source="gw:jobs"} 0.0' in await metrics(gateway)
    await readiness(gateway, UNREADY)
    await redis.execute_command("ACL", "SETUSER", "default", "+xread")
    await until(gateway.status, lambda document: document["status"] == "ok", 20)
    await readiness(gateway, READY)


async def test_a_source_whose_reader_hangs(world: World) -> None:
    lease = "gw:{gw:jobs}:reader:gw:jobs"
    await world.clients.commands.set(lease, "a process that does nothing any more")
    long_ago = Clock().epoch_ms() - 90_000
    await world.clients.commands.xadd("gw:jobs", {"job": '{"group_id": "1", "message": "hello"}'}, id=f"{long_ago}-0")
    gateway = await world.gateway()
    document = await told(gateway, "source_behind")
    source = document["sources"]["gw:jobs"]
    assert (document["status"], source["reader"], source["depth"]) == ("degraded", "elsewhere", 1)
    assert source["oldest_age_ms"] >= 90_000
    await world.clients.commands.delete(lease)
    await world.ended(1)
    await until(gateway.status, lambda document: document["status"] == "ok", 20)


async def test_a_growing_backlog(world: World) -> None:
    gateway = await world.gateway(limits={"account": ["10000/1s"], "group": ["5/1m"], "user": ["5/1m"]})
    await world.add(*({**JOB, "group_id": str(1 + n % 3)} for n in range(200)))
    document = await told(gateway, "backlog_growing")
    assert document["status"] == "degraded"
    assert "200 came and 15 ended" in document["the"]["detail"]
    waiting = document["backlog"]["targets"]
    assert {(lane["target"], lane["reason"]) for lane in waiting} == {(f"group:{n}", "rate_limited") for n in (1, 2, 3)}
    assert sum(lane["queued"] for lane in waiting) == 185
    assert all(lane["eta"] > document["at"] for lane in waiting)
    await readiness(gateway, READY)


@asynccontextmanager
async def small_disk(folder: Path) -> AsyncIterator[tuple[str, int]]:
    """Yield the URL and the process id of a server whose files a test can forbid to grow."""
    await asyncio.to_thread(folder.mkdir)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = await asyncio.create_subprocess_exec(
        find_server(),
        *("--bind", "127.0.0.1", "--port", str(port), "--dir", str(folder), "--save", ""),
        *("--appendonly", "yes", "--appendfsync", "everysec", "--logfile", str(folder / "log")),
        stdout=subprocess.DEVNULL,
        restore_signals=False,  # SIGXFSZ stays ignored: a write beyond the limit fails as on a full disk
    )
    try:
        await until(lambda: listens(port))
        yield f"redis://127.0.0.1:{port}/0", server.pid
    finally:
        server.send_signal(signal.SIGKILL)
        await server.wait()


async def test_a_redis_whose_disk_is_full(world: World) -> None:
    async with small_disk(world.folder / "small") as (url, pid):
        gateway = await world.gateway(redis={"url": url})
        await gateway.post("/v1/jobs", {**JOB, "key": "before"})
        await gateway.shows("key:before", "delivered")
        largest = max(file.stat().st_size for file in (world.folder / "small").rglob("*") if file.is_file())
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (largest, resource.RLIM_INFINITY))
        document = await told(gateway, "redis_takes_no_writes", 20)
        assert (document["status"], document["redis"]["persistence"]) == ("down", "failing")
        assert (await gateway.get("/status")).status == 503
        await readiness(gateway, UNREADY)
        posted = await gateway.post("/v1/jobs", {**JOB, "key": "during"})
        assert (posted.status, posted.json["code"]) == (503, "store_refuses")
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        await until(gateway.status, lambda document: document["status"] == "ok", 30)
        await readiness(gateway, READY)
        await gateway.post("/v1/jobs", {**JOB, "key": "after"})
        await gateway.shows("key:after", "delivered")
        await gateway.stop()


async def test_another_replica_is_told_with_its_version_until_it_ends(world: World) -> None:
    gateway, other = await world.gateway(), await world.process()
    document = await until(gateway.status, lambda document: len(document["replicas"]) == 2)
    assert {replica["version"] for replica in document["replicas"]} == {document["version"]}
    await other.stop()
    await until(gateway.status, lambda document: len(document["replicas"]) == 1)


async def test_a_replica_that_says_nothing_any_more_is_taken_for_dead(world: World) -> None:
    gateway = await world.gateway()
    document = await until(gateway.status, lambda document: document["replicas"])
    (alive,) = document["replicas"]
    told_of_itself = json.dumps({"host": "elsewhere", "pid": 7, "version": "0.0.1", "began_at": 0})
    for name, silent_s in (("lately", 10), ("long ago", 25)):
        seen = Clock().epoch_ms() - silent_s * 1000
        await world.clients.commands.hset("gw:replicas", name, f"{seen} {told_of_itself}")
    names = [replica["id"] for replica in (await gateway.status())["replicas"]]
    assert names == ["lately", alive["id"]]
    await until(lambda: world.clients.commands.hexists("gw:replicas", "long ago"), lambda there: not there)


@pytest.mark.parametrize(
    "told_of_itself",
    [
        "rubbish",
        "1 {",
        "1 []",
        "1 {}",
        '9999999999999999 {"host": "h", "pid": 1, "version": "2", "began_at": 0}',
        '1 {"host": "h", "pid": 1, "version": "2", "began_at": null}',
    ],
)
async def test_what_no_replica_wrote_among_the_replicas_is_passed_over(world: World, told_of_itself: str) -> None:
    await world.clients.commands.hset("gw:replicas", "odd", told_of_itself)
    gateway = await world.gateway()
    await until(gateway.status, lambda document: len(document["replicas"]) == 1)
    await world.clients.commands.hset("gw:replicas", "odd", told_of_itself)
    document = await gateway.status()
    assert (document["status"], len(document["replicas"])) == ("ok", 1)
    assert (await gateway.get("/metrics")).status == 200


async def test_a_replica_of_a_later_version_may_tell_more_of_itself(world: World) -> None:
    gateway = await world.gateway()
    await until(gateway.status, lambda document: document["replicas"])
    more = json.dumps({"host": "elsewhere", "pid": 7, "version": "99.0", "began_at": 0, "zone": "b"})
    await world.clients.commands.hset("gw:replicas", "later", f"{Clock().epoch_ms()} {more}")
    document = await gateway.status()
    assert [replica["version"] for replica in document["replicas"]] == ["99.0", document["version"]]


async def test_a_lease_of_another_type_makes_its_source_unreadable(world: World) -> None:
    redis: Any = world.clients.commands
    await redis.lpush("gw:{gw:jobs}:reader:gw:jobs", "not a token")
    gateway = await world.gateway()
    document = await told(gateway, "source_unreadable", source="gw:jobs")
    assert document["sources"]["gw:jobs"]["reader"] == "none"
