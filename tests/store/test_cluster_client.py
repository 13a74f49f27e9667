"""The client of a cluster is used like that of one server: every command reaches who answers for its key."""

import asyncio
import signal
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from redis.exceptions import ConnectionError as Disconnected
from redis.exceptions import NoScriptError, ResponseError

from gateway.model.errors import SettingsInvalid, StoreUnavailable
from gateway.settings.sections import Redis
from gateway.store.client import Clients, connected
from gateway.store.commands import Command, parts_of
from gateway.store.embedded import embedded_server
from gateway.store.feed import Feed
from gateway.store.keys import Keys
from gateway.store.opening import opened
from gateway.store.replication import replicated
from gateway.store.scripts import Scripts
from gateway.store.server import memory, server_numbers
from gateway.store.slots import slot_of
from tests.store.bench import Bench, job
from tests.topologies import Cluster, Server
from tests.world import until

pytestmark = pytest.mark.timeout(120)

KEYS = [f"key{number}" for number in range(40)]  # of all masters


@pytest.fixture(name="clients")
async def _clients(three: Cluster) -> AsyncIterator[Clients]:
    async with connected(three.url) as clients:
        yield clients


async def test_every_command_reaches_the_master_of_its_key(three: Cluster, clients: Clients) -> None:
    for key in KEYS:
        await clients.commands.set(key, key)
    assert [await clients.commands.get(key) for key in KEYS] == [key.encode() for key in KEYS]
    sizes = [await server.redis.dbsize() for server in three.servers]
    assert sum(sizes) == len(KEYS)
    assert min(sizes) > 0


async def test_commands_that_go_together_go_to_many_masters_and_are_answered_in_their_order(clients: Clients) -> None:
    async with clients.commands.pipeline(transaction=False) as pipe:
        for key in KEYS:
            pipe.set(key, key)
            pipe.get(key)
        pipe.time()
        *replies, (seconds, _) = await pipe.execute()
    assert replies == [reply for key in KEYS for reply in (True, key.encode())]
    assert seconds > 0


async def test_an_error_of_one_command_of_many_is_its_own(clients: Clients) -> None:
    async with clients.commands.pipeline(transaction=False) as pipe:
        pipe.set("key0", "text")
        pipe.lpush("key0", "element")
        pipe.set("key1", "text")
        first, second, third = await pipe.execute(raise_on_error=False)
    assert (first, third) == (True, True)
    assert isinstance(second, ResponseError)


async def test_a_script_is_told_to_each_master_that_does_not_know_it(three: Cluster, clients: Clients) -> None:
    script = clients.commands.register_script("return redis.call('SET', KEYS[1], ARGV[1])")
    for server in three.servers:
        await server.redis.script_flush()
    assert [await script(keys=[key], args=["one"]) for key in KEYS] == [b"OK"] * len(KEYS)
    for server in three.servers:
        await server.redis.script_flush()
    async with clients.commands.pipeline(transaction=False) as pipe:
        for key in KEYS:
            await script(keys=[key], args=["two"], client=pipe)
        assert await pipe.execute() == [b"OK"] * len(KEYS)


async def test_a_wait_goes_with_the_commands_before_it(three: Cluster, clients: Clients) -> None:
    script = clients.lanes.register_script("return redis.call('INCR', KEYS[1])")
    for server in three.servers:
        await server.redis.script_flush()

    async def counted(key: str) -> list[Any]:
        async with clients.lanes.pipeline(transaction=False) as pipe:
            for _ in range(2):
                pipe.evalsha(script.sha, 1, key)
            pipe.execute_command("WAIT", 0, 10)
            return list(await pipe.execute(raise_on_error=False))

    # What a WAIT is for is sent on its connection, so who sends it has to see that the scripts are known.
    for server in three.servers:
        key = next(key for key in KEYS if slot_of(key) in server.slots)
        first, second, _ = await counted(key)
        assert isinstance(first, NoScriptError)
        assert isinstance(second, NoScriptError)
    for server in three.servers:
        assert await server.redis.script_load(script.script) == script.sha
    for key in KEYS:
        assert await counted(key) == [1, 2, 0]
    before = await three.owner(KEYS[0])
    after = next(server for server in three.servers if server is not before)
    await three.begin_move(KEYS[0], after)
    assert await counted(KEYS[0]) == [3, 4, 0]
    await three.move_keys(KEYS[0], before, after)
    assert await counted(KEYS[0]) == [5, 6, 0]
    await three.end_move(KEYS[0], before, after)
    assert await counted(KEYS[0]) == [7, 8, 0]


async def test_a_master_is_taught_a_script_that_is_waited_for_while_another_one_hangs(
    three: Cluster, clients: Clients
) -> None:
    script = clients.lanes.register_script("return redis.call('INCR', KEYS[1])")
    hung, well = three.servers[:2]
    key = next(key for key in KEYS if slot_of(key) in well.slots)
    await clients.lanes.get(key)
    await well.redis.script_flush()
    hung.signal(signal.SIGSTOP)
    try:
        async with asyncio.timeout(4):
            assert await replicated(clients.lanes, [(script, [key], []), (script, [key], [])], 0) == (1, 0)
    finally:
        hung.signal(signal.SIGCONT)
    assert await clients.lanes.get(key) == b"2"


def test_what_a_wait_is_for_stays_together() -> None:
    words = (
        "SET a",
        "SET {a}b",
        "WAIT 1",
        "WAITAOF 1",
        "SET c",
        "GET c",
        "SET d",
        "SET {d}e",
        "TIME",
        "WAIT 1",
        "GET a",
    )
    assert parts_of([Command(tuple(one.split()), {}) for one in words]) == [
        *([0, 1, 2, 3], [4], [5], [6, 7, 8, 9], [10]),
    ]


async def test_keys_that_moved_are_found_and_nothing_is_done_twice(three: Cluster, clients: Clients) -> None:
    key = "moving"
    for _ in range(3):
        assert await clients.commands.incr(key) > 0  # the client knows where it is
        before = await three.owner(key)
        after = next(server for server in three.servers if server is not before)
        await three.begin_move(key, after)
        await three.end_move(key, before, after)
        async with clients.commands.pipeline(transaction=False) as pipe:
            for _ in range(5):
                pipe.incr(key)
            pipe.execute_command("WAIT", 0, 10)
            *counts, waited = await pipe.execute()
        assert counts == list(range(counts[0], counts[0] + 5))
        assert waited == 0
    assert await clients.commands.get(key) == b"18"


async def test_while_keys_are_on_their_way_each_is_served_where_it_is(three: Cluster, clients: Clients) -> None:
    here, gone = "{way}here", "{way}gone"
    await clients.commands.set(gone, "1")
    before = await three.owner("way")
    after = next(server for server in three.servers if server is not before)
    await three.begin_move("way", after)
    await three.move_keys("way", before, after)
    assert await clients.commands.incr(gone) == 2  # there already
    assert await clients.commands.incr(here) == 1  # new, and so there
    async with clients.commands.pipeline(transaction=False) as pipe:
        pipe.incr(here)
        pipe.incr(gone)
        pipe.execute_command("WAIT", 0, 10)
        assert await pipe.execute() == [2, 3, 0]
    script = clients.commands.register_script("return {redis.call('GET', KEYS[1]), redis.call('GET', KEYS[2])}")
    assert await script(keys=[here, gone]) == [b"2", b"3"]
    await three.end_move("way", before, after)


async def test_what_needs_keys_of_both_sides_waits_until_they_are_together(three: Cluster, clients: Clients) -> None:
    keys = [f"{{both}}{number}" for number in range(3)]
    before = await three.owner("both")
    after = next(server for server in three.servers if server is not before)
    for key in keys:
        await clients.commands.set(key, "1")
    await three.begin_move("both", after)
    await three.move_keys("both", before, after, most=1)
    count = clients.commands.register_script(
        "local n = 0 for _, key in ipairs(KEYS) do n = n + redis.call('INCR', key) end return n"
    )
    counting = asyncio.ensure_future(count(keys=keys))
    done, _ = await asyncio.wait({counting}, timeout=0.3)
    assert not done
    await three.end_move("both", before, after)
    assert await counting == 6


async def test_no_script_sees_half_an_account(three: Cluster, clients: Clients) -> None:
    bench = Bench(clients)
    assert await bench.admit(job("a"), job("b")) == ["admitted", "admitted"]
    before = await three.owner("main")
    after = next(server for server in three.servers if server is not before)
    for most in (0, 3, 1_000_000):  # nothing has gone yet, some keys, all
        if most == 0:
            await three.begin_move("main", after)
        else:
            assert await three.move_keys("main", before, after, most) > 0
        ticking = asyncio.ensure_future(bench.tick())
        done, _ = await asyncio.wait({ticking}, timeout=0.3)
        assert not done
        ticking.cancel()
        await asyncio.wait({ticking})
    ticking = asyncio.ensure_future(bench.tick())
    await asyncio.sleep(0)
    await three.end_move("main", before, after)
    assert [claim.job_id for claim in (await ticking).claims] == ["a"]


async def test_what_was_lost_with_its_connection_is_not_repeated(three: Cluster, clients: Clients) -> None:
    await clients.commands.set("counter", 0)
    owner = await three.owner("counter")
    waiting = asyncio.ensure_future(clients.blocking.blpop(["{counter}list"], timeout=0))

    async def blocked() -> int:
        return int((await owner.redis.info("clients"))["blocked_clients"])

    await until(blocked)
    await owner.redis.client_kill_filter(_type="normal", skipme=True)
    with pytest.raises(Disconnected):
        await waiting
    # The next one finds a new connection by itself.
    assert await clients.blocking.rpush("{counter}list", "x") == 1


@pytest.fixture(name="hung")
async def _hung(three: Cluster) -> AsyncIterator[Server]:
    """One of three masters that answers nothing, of which the others do not make much."""
    for server in three.servers:
        await server.redis.config_set("cluster-require-full-coverage", "no")
    hung = three.servers[2]
    yield hung
    hung.signal(signal.SIGCONT)
    for server in three.servers:
        await until(partial(server.redis.execute_command, "CLUSTER", "INFO"), lambda told: b"cluster_state:ok" in told)
        await server.redis.config_set("cluster-require-full-coverage", "yes")


async def test_a_master_that_hangs_takes_its_own_replies_and_no_others(three: Cluster, hung: Server) -> None:
    clients = Clients(three.url, answer=1.0)
    names = three.accounts(6)
    lost = {name for name in names if slot_of(name) in hung.slots}
    scripts, feed = Scripts(clients.commands, Keys("gw")), Feed(clients, Keys("gw"))
    try:
        for name in names:
            await clients.commands.zadd(f"gw:{{{name}}}:receivers", {"h": (time.time() + 60) * 1000})
            await clients.commands.xadd(f"gw:{{{name}}}:receipts", {"receipt": "{}"}, id="1-0")
        hung.signal(signal.SIGSTOP)
        async with clients.commands.pipeline(transaction=False) as pipe:
            for name in names:
                pipe.exists(f"gw:{{{name}}}:receipts")
            replies = await pipe.execute(raise_on_error=False)
        assert {name for name, reply in zip(names, replies, strict=True) if reply != 1} == lost
        due = await scripts.callbacks_due(names)
        assert due.keys() == set(names)
        assert {name for name, wait in due.items() if wait < 50_000} == lost
        told = await feed.next(dict.fromkeys(names, "0-0"), 10, 100)
        assert {one.account for one in told} == set(names) - lost
        assert (await memory(clients))[0] > 0
    finally:
        await clients.close()


async def test_a_ring_at_one_master_is_heard_at_all(clients: Clients) -> None:
    async with AsyncExitStack() as stack:
        subscribed = [await stack.enter_async_context(clients.blocking.pubsub()) for _ in range(9)]
        for one in subscribed:
            await one.subscribe("bell")
            assert (await one.get_message(timeout=5) or {})["type"] == "subscribe"
        await clients.commands.publish("bell", "ring")
        for one in subscribed:
            assert (await one.get_message(timeout=5) or {})["data"] == b"ring"


async def test_receipts_of_accounts_on_many_masters_are_read_together(three: Cluster, clients: Clients) -> None:
    feed, names = Feed(clients, Keys("gw")), three.accounts(6)
    after = {name: await feed.last(name) for name in names}
    assert await feed.next(after, 10, 50) == []
    reading = asyncio.ensure_future(feed.next(after, 10, 5_000))
    await asyncio.sleep(0)
    await clients.commands.xadd(f"gw:{{{names[4]}}}:receipts", {"receipt": "{}"})
    assert [told.account for told in await reading] == [names[4]]
    for name in names:
        await clients.commands.xadd(f"gw:{{{name}}}:receipts", {"receipt": "{}"})
    assert {told.account for told in await feed.next(after, 10, 5_000)} == set(names)


async def test_the_servers_numbers_are_of_all_masters_and_memory_of_the_fullest(
    three: Cluster, clients: Clients
) -> None:
    numbers = await server_numbers(clients)
    assert [node.address for node in numbers.nodes] == sorted(f"127.0.0.1:{server.port}" for server in three.servers)
    full = three.servers[1].redis
    used = int((await full.info("memory"))["used_memory"])
    await full.config_set("maxmemory", used * 2)
    await full.config_set("appendonly", "no")
    try:
        assert (await memory(clients))[1] == used * 2
        numbers = await server_numbers(clients)
        assert (numbers.maxmemory, numbers.aof) == (used * 2, False)
        assert [node.aof for node in numbers.nodes].count(False) == 1
    finally:
        await full.config_set("maxmemory", 0)
        await full.config_set("appendonly", "yes")


async def test_every_master_is_told_the_password_of_the_url(three: Cluster, stack: AsyncExitStack) -> None:
    for server in three.servers:
        await server.redis.config_set("requirepass", "p@ss")
    try:
        clients = await stack.enter_async_context(connected(three.url.replace("://", "://:p%40ss@")))
        assert [await clients.commands.set(key, key) for key in KEYS] == [True] * len(KEYS)
        with pytest.raises(StoreUnavailable, match="uthenticat"):
            await stack.enter_async_context(connected(three.url))
    finally:
        for server in three.servers:
            await server.redis.config_set("requirepass", "")


async def test_a_url_of_one_server_that_leads_to_a_cluster_says_what_to_write(three: Cluster) -> None:
    with pytest.raises(SettingsInvalid, match=r"redis\+cluster://"):
        async with opened(Redis(url=f"redis://127.0.0.1:{three.servers[0].port}/0")):
            pass


async def test_a_url_of_a_cluster_that_leads_to_a_single_server_says_what_to_write(tmp_path: Path) -> None:
    async with embedded_server(tmp_path) as url:
        address = url.removeprefix("redis://").removesuffix("/0")
        with pytest.raises(SettingsInvalid, match=r"write redis://"):
            async with opened(Redis(url=f"redis+cluster://{address}")):
                pass


async def test_a_cluster_of_which_no_node_answers_is_told_with_the_reasons() -> None:
    async with AsyncExitStack() as stack:
        with pytest.raises(StoreUnavailable, match="no node of the cluster"):
            await stack.enter_async_context(connected("redis+cluster://127.0.0.1:1,127.0.0.1:2"))


@pytest.mark.parametrize(
    ("words", "key"),
    [
        (("GET", "a"), "a"),
        (("XINFO STREAM", "a"), "a"),
        (("EVALSHA", "sha", 2, "a", "b", "c"), "a"),
        (("EVAL", "text", 0, "c"), None),
        (("XREAD", "COUNT", 1, b"BLOCK", 5, b"STREAMS", "a", "0-0"), "a"),
        (("XREADGROUP", "GROUP", "STREAMS", "c", "STREAMS", "a", ">"), "a"),
        (("OBJECT", "ENCODING", "a"), "a"),
        ((b"get", b"a"), b"a"),
        (("CONFIG SET", "maxmemory", 1), None),
        (("PUBLISH", "channel", "x"), None),
        (("SCRIPT LOAD", "text"), None),
        (("PING",), None),
    ],
)
def test_the_first_key_of_a_command_is_known(words: tuple[Any, ...], key: str | None) -> None:
    assert Command(words, {}).key == key
