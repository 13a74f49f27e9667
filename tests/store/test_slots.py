"""Every script keeps to one slot of a Redis Cluster: that of its account, or that of its source."""

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from typing import Any

import pytest
from redis import Redis
from redis.crc import key_slot
from redis.exceptions import ClusterDownError, ResponseError
from redis.exceptions import ConnectionError as RedisConnectionError

from gateway.model.attempt import Claim, Outcome
from gateway.model.rate import parse_rate
from gateway.model.verdict import Verdict, Widespread
from gateway.store.client import Clients, connected
from gateway.store.embedded import die_with_parent, find_server
from gateway.store.keys import RING, Keys
from gateway.store.producer import Producer
from gateway.store.sources import Sources
from gateway.store.values import Row, Tick
from tests.store.bench import DELIVERED, POLICY, WIDE, Bench, job
from tests.topologies import cluster_port
from tests.world import World, until

KEYS = Keys("gw")
PRINT = "0123456789abcdef"  # of the parts that `job` makes
SOURCES = ["jobs", "a:{b}:c", "{b}", "{main}", "工作:{组}"]


class Cluster:
    """A cluster of one node, on which a key of a slot that is not served here is an error, in scripts too."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.url = f"redis://127.0.0.1:{port}/0"
        self._redis = Redis(port=port)
        self._served: set[int] = set()

    def serve_only(self, *keys: str) -> None:
        """Serve the slots of KEYS, and of no other keys, from now on; all data is gone."""
        _insist(self._redis.flushall)
        wanted = {key_slot(key.encode()) for key in keys}
        for command, slots in (("ADDSLOTS", wanted - self._served), ("DELSLOTS", self._served - wanted)):
            if slots:
                self._redis.cluster(command, *slots)
        self._served = wanted
        _insist(lambda: self._redis.exists(keys[0]))

    def close(self) -> None:
        self._redis.close()


@pytest.fixture(scope="module", name="cluster")
def _cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    folder = tmp_path_factory.mktemp("cluster")
    port = cluster_port()
    server = subprocess.Popen(
        [
            *(find_server(), "--bind", "127.0.0.1", "--port", str(port), "--dir", str(folder)),
            *("--cluster-enabled", "yes", "--cluster-require-full-coverage", "no"),
            *("--appendonly", "yes", "--save", "", "--logfile", str(folder / "server.log")),
        ],
        preexec_fn=die_with_parent if sys.platform == "linux" else None,  # noqa: PLW1509 - no thread runs here
    )
    cluster = Cluster(port)
    try:
        yield cluster
    finally:
        cluster.close()
        server.kill()
        server.wait()


def _insist(call: Callable[[], Any]) -> None:
    """Call again and again until the server does it: it answers at once, and serves its slots two seconds later."""
    ends_at = time.monotonic() + 20
    while True:
        try:
            call()
            return
        except (RedisConnectionError, ClusterDownError):
            assert time.monotonic() < ends_at, "the cluster does not come up"
            time.sleep(0.02)


@pytest.fixture(name="clients")
async def _clients(cluster: Cluster) -> AsyncIterator[Clients]:
    """Connect to a cluster that serves the slot of the account `main`."""
    cluster.serve_only("main")
    async with connected(cluster.url) as clients:
        yield clients


@pytest.fixture(name="bench")
async def _bench(clients: Clients) -> Bench:
    """Drive the scripts on the cluster."""
    return Bench(clients)


async def test_this_server_fails_a_script_that_leaves_the_slot_of_its_keys(clients: Clients) -> None:
    assert await clients.commands.eval("return redis.call('GET', '{main}b')", 1, "{main}a") is None
    with pytest.raises(ResponseError, match="non local key"):
        await clients.commands.eval("return redis.call('GET', '{second}b')", 1, "{main}a")


async def test_whatever_happens_to_a_job_its_scripts_keep_to_the_slot_of_the_account(
    clients: Clients, bench: Bench
) -> None:
    async with touched(clients) as keys:
        for life in (admission, endings, doubt, waiting, media, holds, slowing, callbacks):
            await life(bench)
            await clients.commands.flushall()
    # No kind of key was left out.
    assert [name for name in RING if not any(key.startswith(f"gw:{{main}}:{name}") for key in keys)] == []


@asynccontextmanager
async def touched(clients: Clients) -> AsyncIterator[set[str]]:
    """Yield a set that holds, at the end of the block, every word that scripts gave to a command in it."""
    words: set[str] = set()
    async with clients.blocking.monitor() as monitor:

        async def note() -> None:
            async for line in monitor.listen():
                if line["client_type"] == "lua":
                    words.update(line["command"].split(" "))
                elif line["command"] == "ECHO end":
                    return

        noting = asyncio.create_task(note())
        yield words
        await clients.commands.echo("end")
        await asyncio.wait_for(noting, 10)


async def admission(bench: Bench) -> None:
    first = job("a", key="k}{1}", entry="1-0", metadata='{"a":1}', parts=2)
    again = first._replace(id="b", entry="2-0")
    other = again._replace(id="c", entry="3-0", fingerprint="other")
    assert await bench.admit(first, again, other, source="a:{b}") == ["admitted", "duplicate", "conflict"]
    assert await bench.admit(again, source="a:{b}") == ["seen"]
    assert await bench.admit(job("d", collapse_key="}{2}"), job("e", collapse_key="}{2}")) == ["admitted"] * 2
    assert await bench.admit(job("f"), most=1) == ["full"]
    assert (await bench.state("d"))["reason"] == "collapsed"
    assert b'"main.a"' in (await bench.scripts.read("main", key="k}{1}") or b"")
    assert [await bench.deliver() for _ in range(3)] == ["a", "a", "e"]


async def endings(bench: Bench) -> None:
    await bench.admit(*(job(name, f"group:{place}", key=name, requester="7") for place, name in enumerate("abcde", 1)))
    parked, paused, rejected, dead, handed_back = (await bench.tick(sequence=41)).claims
    assert len((await bench.tick(sequence=41)).claims) == 5
    busy: dict[str, Any] = {"verdict": Verdict.RETRY, "rule": "busy", "hold_ms": 1}
    await bench.tick(
        Outcome(parked, "retry", effect="park", spends=False, **busy),
        Outcome(paused, "retry", effect="pause", **busy),
        Outcome(rejected, "rejected", Verdict.REJECTED, rule="bad", http_status=200, retcode=200, result=1, text="no"),
        Outcome(dead, "dead", **busy),
        Outcome(handed_back, "unstarted"),
    )
    await deliver_all(bench, 3)  # which asks whether the account works, and tries it
    assert (await bench.scripts.probed("main", "", 1, "10001", "")).state == "fine"
    assert (await bench.scripts.overview("main")).ended == {"dead": 1, "delivered": 3, "rejected": 1}


async def doubt(bench: Bench) -> None:
    async def reported(message_id: int) -> str:
        return (await bench.scripts.evidence("main", POLICY, "group:1", PRINT, message_id, await bench.redis_time()))[0]

    async def unknown(name: str, **fields: Any) -> Tick:
        await bench.admit(job(name, **fields))
        return await bench.tick(
            Outcome(await bench.claim(), "unknown", Verdict.UNKNOWN, rule="reset"), policy=impatient
        )

    impatient = replace(POLICY, settle_for=0)
    await bench.admit(job("a"))
    claim = await bench.claim()
    assert await reported(1) == "remembered"
    await bench.tick(Outcome(claim, "unknown", Verdict.UNKNOWN, rule="reset"))
    assert await reported(1) == "known"
    await unknown("b")
    assert await reported(2) == "credited"
    (again,) = (await unknown("c", on_unknown="resend")).claims
    await bench.tick(Outcome(again, **DELIVERED))
    await bench.admit(job("d"))
    await bench.claim(policy=replace(POLICY, lease=-1_000))
    await bench.tick(replica="r2", policy=impatient)
    await bench.tick(replica="r2", policy=impatient)
    assert (await bench.state("d"))["state"] == "unconfirmed"
    assert await reported(3) == "credited"
    await bench.admit(job("e"))
    await bench.tick(Outcome(await bench.claim(), "unknown", Verdict.UNKNOWN, rule="reset"))
    rows = [Row(4, await bench.redis_time(), PRINT)]
    assert (await bench.scripts.history("main", POLICY, "e", rows, trusted=True))[0] == "delivered"
    assert await bench.scripts.recall("main", "group:1", 4) == "e"
    assert (await bench.scripts.overview("main")).ended == {"delivered": 5, "unconfirmed": 0}


async def waiting(bench: Bench) -> None:
    policy = replace(POLICY, limits=replace(WIDE, requester=[parse_rate("1/50ms")]))
    await bench.admit(
        job("later", delay=30), job("low", priority="low"), job("high", priority="high"), job("old", ttl=1)
    )
    await bench.admit(*(job(name, "group:2", requester="7") for name in "abc"))
    assert (await bench.state("later"))["reason"] == "scheduled"
    await deliver_all(bench, 6, policy)
    assert (await bench.scripts.overview("main")).ended == {"delivered": 6, "expired": 1}


async def media(bench: Bench) -> None:
    await bench.admit(*(job(name, f"group:{place}", media="aa bb") for place, name in enumerate("abc", 1)))
    await deliver_all(bench, 3)


async def holds(bench: Bench) -> None:
    await bench.admit(job("a"), job("b"), job("c", delay=60_000), job("d", "group:2", requester="7"))
    for name in ("group:1", "account"):
        assert await bench.scripts.hold("main", name, "quarrel", operator=True)
        assert not await bench.scripts.hold("main", name, "muted", operator=False, milliseconds=9)
    assert (await bench.tick()).claims == []
    assert len((await bench.scripts.overview("main")).holds) == 2
    for name in "acd":
        assert (await bench.scripts.cancel("main", POLICY, name)) is not None
    for name in ("account", "group:1"):
        assert await bench.scripts.release("main", name, operator=True)
    assert (await bench.tick()).probe
    await bench.scripts.probed("main", "", 1_000, "10001", "")
    assert await bench.deliver() == "b"


async def slowing(bench: Bench) -> None:
    await bench.admit(job("a"), job("b", "group:2"))
    everywhere = Widespread(targets=2, within="1m", effect="slow_account", hold="1ms", reason="everywhere")
    first, second = (await bench.tick()).claims
    for claim in (first, second):
        await bench.tick(
            Outcome(
                claim, "retry", Verdict.RETRY, rule="too_fast", effect="slow_target", hold_ms=1, widespread=everywhere,
                http_status=200, unmatched="01234567",
            )
        )  # fmt: skip
    await deliver_all(bench, 2)
    await bench.admit(job("c"))
    assert [ended.state for ended in await bench.scripts.reject("main", POLICY, "group:1", "kicked")] == ["rejected"]


async def callbacks(bench: Bench) -> None:
    await bench.admit(job("a", callback="a.example http://a.example/}{"))
    assert await bench.deliver() == "a"
    (first,) = (await bench.scripts.claim_callbacks("main", 8, 60_000, 2, {})).callbacks
    assert await bench.scripts.settle_callback("main", first, "again")
    (again,) = (await bench.scripts.claim_callbacks("main", 8, 60_000, 2, {"b.example": 2})).callbacks
    assert await bench.scripts.settle_callback("main", again, "given_up")


async def deliver_all(bench: Bench, count: int, policy: Any = POLICY) -> None:
    """Tick, and answer each claim, until COUNT sends were delivered."""
    claims: list[Claim] = []
    delivered = 0

    async def turn() -> int:
        nonlocal claims, delivered
        settled = [Outcome(claim, **DELIVERED) for claim in claims]
        delivered += len(settled)
        tick = await bench.tick(*settled, policy=policy)
        claims = tick.claims
        if tick.probe:
            await bench.scripts.probed("main", "", 1, "10001", "")
        return delivered

    await until(turn, lambda number: number == count)


@pytest.mark.parametrize("source", SOURCES)
async def test_leasing_a_source_and_moving_a_list_keep_to_its_slot(
    cluster: Cluster, clients: Clients, bench: Bench, source: str
) -> None:
    cluster.serve_only(source)
    assert await bench.scripts.lease("reader", source, "a", 5_000)
    assert not await bench.scripts.lease("reader", source, "b", 5_000)
    await bench.scripts.lease("reader", source, "a", 0)
    await Producer(clients).push("one", "two", name=source)
    sources = Sources(clients, KEYS)
    assert await sources.wait_for_list(source, 1)
    assert await bench.scripts.move(source, 10) == 2
    assert [entry.raw for entry in await sources.read(KEYS.list_stream(source), "0-0", 10, 0)] == [b"one", b"two"]


async def test_a_gateway_serves_stream_list_and_http_on_a_cluster(
    cluster: Cluster, clients: Clients, world: World
) -> None:
    own = ("gw:invalid", "gw:replicas", "gw:accounts", "gw:format")
    cluster.serve_only("main", "gw:jobs", "gw:jobs:list", *own)
    gateway = await world.gateway(redis={"url": f"redis+cluster://127.0.0.1:{cluster.port}"})
    texts = ["stream", "list", "http"]
    jobs = [{"group_id": "1", "message": text, "key": text} for text in texts]
    producer = Producer(clients)
    await producer.add(json.dumps(jobs[0]))
    await producer.push(json.dumps(jobs[1]))
    assert (await gateway.post("/v1/jobs", jobs[2])).status == 202
    for text in texts:
        await gateway.shows(f"key:{text}", "delivered")
    assert sorted(world.napcat.texts("group:1")) == sorted(texts)
    assert (await gateway.status())["status"] == "ok"


async def test_a_slot_that_nobody_served_is_found_once_somebody_does(cluster: Cluster) -> None:
    cluster.serve_only("main")
    async with connected(f"redis+cluster://127.0.0.1:{cluster.port}") as clients:
        with pytest.raises(ClusterDownError):
            await clients.commands.set("second", 1)
        cluster.serve_only("main", "second")

        async def is_set() -> bool:
            with suppress(ClusterDownError):
                return bool(await clients.commands.set("second", 1))
            return False

        await until(is_set)
