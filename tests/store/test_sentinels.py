"""The master that sentinels name is found, followed, and never one that lost an election."""

import asyncio
import signal
import time
from contextlib import AsyncExitStack, suppress
from pathlib import Path

import pytest
from redis.exceptions import ConnectionError as Disconnected
from redis.exceptions import ReadOnlyError, ResponseError

from gateway.model.errors import SettingsInvalid, StoreUnavailable
from gateway.settings.sections import Redis
from gateway.store.client import Clients, connected
from gateway.store.connections import says_replica
from gateway.store.opening import opened
from gateway.store.server import server_numbers
from tests.topologies import DROPPED, SERVICE, Server, Watched, sentinel_of, watched
from tests.world import until

pytestmark = [DROPPED, pytest.mark.timeout(120)]


@pytest.fixture(name="watched")
async def _watched(tmp_path: Path, stack: AsyncExitStack) -> Watched:
    return await stack.enter_async_context(watched(tmp_path))


async def started(stack: AsyncExitStack, server: Server) -> Server:
    stack.push_async_callback(server.close)
    await server.start()
    return server


async def where(clients: Clients) -> str:
    """Return the address of the server that the clients talk to."""
    return (await server_numbers(clients)).nodes[0].address


async def test_a_master_that_gives_way_is_left_for_its_heir_and_nobody_writes_to_a_replica(
    watched: Watched, stack: AsyncExitStack
) -> None:
    clients = await stack.enter_async_context(connected(watched.url))
    before = await watched.master()
    assert await where(clients) == f"127.0.0.1:{before.port}"
    ring = await stack.enter_async_context(clients.blocking.pubsub())
    await ring.subscribe("bell")
    waiting = asyncio.ensure_future(clients.blocking.blpop(["nothing"], timeout=0))
    await until(before.redis.ping)
    await until(lambda: before.redis.info("clients"), lambda told: told["blocked_clients"] == 1)

    assert await watched.sentinels[0].redis.execute_command("SENTINEL", "FAILOVER", SERVICE)  # type: ignore[no-untyped-call]
    heir = await watched.heir(before)
    errors: list[Exception] = []

    async def written() -> bool:
        try:
            await clients.commands.set("key", "after")
            return await heir.redis.get("key") == b"after"
        except Exception as error:  # noqa: BLE001 - they are looked at below
            errors.append(error)
            return False

    await until(written)
    assert {type(error) for error in errors} <= {Disconnected}
    with pytest.raises(Disconnected):
        await waiting
    assert await where(clients) == f"127.0.0.1:{heir.port}"
    assert await clients.blocking.rpush("list", "x") == 1


async def test_a_sentinel_that_does_not_answer_delays_nothing(watched: Watched, stack: AsyncExitStack) -> None:
    watched.sentinels[0].signal(signal.SIGSTOP)
    took = []
    for _ in range(5):  # the machine may be busy, but not each time
        began = time.monotonic()
        await stack.enter_async_context(connected(watched.url))
        took.append(time.monotonic() - began)
    assert min(took) < 0.5
    watched.sentinels[0].signal(signal.SIGCONT)


async def test_of_two_sentinels_the_one_that_knows_the_later_election_is_believed(
    tmp_path: Path, stack: AsyncExitStack
) -> None:
    masters = [await started(stack, Server(tmp_path / f"master{number}")) for number in range(2)]
    epochs = (f"sentinel config-epoch {SERVICE} {epoch}" for epoch in (3, 8))
    made = [
        sentinel_of(master, tmp_path / f"sentinel{number}", 2, "sentinel current-epoch 8", epoch)
        for number, (master, epoch) in enumerate(zip(masters, epochs, strict=True))
    ]
    one, two = [await started(stack, sentinel) for sentinel in made]
    for first, second in ((one, two), (two, one)):
        url = f"redis+sentinel://127.0.0.1:{first.port},127.0.0.1:{second.port}/{SERVICE}"
        clients = await stack.enter_async_context(connected(url))
        assert await where(clients) == f"127.0.0.1:{masters[1].port}"


async def test_a_master_that_was_replaced_and_does_not_know_is_left_though_it_answers(
    tmp_path: Path, stack: AsyncExitStack
) -> None:
    before, heir = [await started(stack, Server(tmp_path / f"master{number}")) for number in range(2)]
    sentinel = await started(stack, sentinel_of(before, tmp_path / "sentinel"))
    url = f"redis+sentinel://127.0.0.1:{sentinel.port}/{SERVICE}"
    clients = await stack.enter_async_context(connected(url))
    assert await clients.commands.set("key", "before")
    for words in (("REMOVE", SERVICE), ("MONITOR", SERVICE, "127.0.0.1", heir.port, 1)):
        await sentinel.redis.execute_command("SENTINEL", *words)  # type: ignore[no-untyped-call]

    async def written() -> bool:
        with suppress(Disconnected):
            await clients.commands.set("key", "after")
        return await heir.redis.get("key") == b"after"

    await until(written)


def test_a_script_that_met_a_replica_says_so_in_every_version() -> None:
    before_7 = (
        "Error running script (call to f_1): @user_script:1: -READONLY You can't write against a read only replica."
    )
    assert says_replica(ResponseError(before_7))
    assert says_replica(ReadOnlyError("You can't write against a read only replica."))
    assert not says_replica(ResponseError("WRONGTYPE"))


async def test_server_and_sentinels_have_passwords_of_their_own(tmp_path: Path, stack: AsyncExitStack) -> None:
    server = await started(stack, Server(tmp_path / "master"))
    sentinel = await started(
        stack,
        sentinel_of(server, tmp_path / "sentinel", 1, f"sentinel auth-pass {SERVICE} p@ss", "requirepass w&tch"),
    )
    await server.redis.config_set("requirepass", "p@ss")
    there = f"127.0.0.1:{sentinel.port}/{SERVICE}"
    clients = await stack.enter_async_context(connected(f"redis+sentinel://:p%40ss@{there}?sentinel_password=w%26tch"))
    assert await clients.commands.set("key", "value")
    for wrong in (f"redis+sentinel://:p%40ss@{there}", f"redis+sentinel://{there}?sentinel_password=w%26tch"):
        with pytest.raises(StoreUnavailable, match="uthenticat") as caught:
            await stack.enter_async_context(connected(wrong))
        assert "p@ss" not in str(caught.value)
        assert "w&tch" not in str(caught.value)


async def test_a_database_is_chosen_behind_the_service(tmp_path: Path, stack: AsyncExitStack) -> None:
    server = await started(stack, Server(tmp_path / "master"))
    sentinel = await started(stack, sentinel_of(server, tmp_path / "sentinel"))
    clients = await stack.enter_async_context(connected(f"redis+sentinel://127.0.0.1:{sentinel.port}/{SERVICE}/3"))
    await clients.commands.set("key", "value")
    assert "db3" in await server.redis.info("keyspace")


async def test_a_master_that_nobody_knows_is_told_with_what_the_sentinels_say(
    tmp_path: Path, stack: AsyncExitStack
) -> None:
    server = await started(stack, Server(tmp_path / "master"))
    sentinel = await started(stack, sentinel_of(server, tmp_path / "sentinel"))
    with pytest.raises(SettingsInvalid, match=r"no sentinel tells where 'other' is.*No such master"):
        await stack.enter_async_context(opened(Redis(url=f"redis+sentinel://127.0.0.1:{sentinel.port}/other")))
    with pytest.raises(SettingsInvalid, match="no sentinel tells where"):
        await stack.enter_async_context(opened(Redis(url=f"redis+sentinel://127.0.0.1:{server.port}/other")))
    with pytest.raises(SettingsInvalid, match=r"write redis\+sentinel://"):
        await stack.enter_async_context(opened(Redis(url=f"redis://127.0.0.1:{sentinel.port}")))
