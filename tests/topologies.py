"""Redis in company: a cluster of masters and replicas, and a master that sentinels watch; real processes on loopback.

Created with commands of our own client, from the program that the embedded server is. They end with their block.
"""

import asyncio
import gc
import os
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.crc import key_slot
from redis.exceptions import RedisError

from gateway.sandbox.napcat import StandIn
from gateway.store.client import connected
from gateway.store.embedded import die_with_parent, find_server, free_port
from tests.world import SECRET, World, until

NODE_TIMEOUT_MS = 1_500  # without a word, after which a node of a cluster is thought to be dead
DOWN_AFTER_MS = 1_000  # the same for a master that sentinels watch
SERVICE = "mymaster"
_SLOTS = 16_384
_BUS = 10_000  # so far above its port a server listens to the others of its cluster


class Server:
    """One server process, and a client of it for the test."""

    def __init__(self, folder: Path, *words: str, port: int | None = None) -> None:
        """Prepare a server that keeps its data in FOLDER; WORDS are further arguments of its program."""
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.port = port or free_port()
        self._words = words
        self._process: subprocess.Popen[bytes] | None = None
        self.slots = range(0)  # of a cluster's, those it began with
        self.connect()

    def connect(self) -> None:
        """Make a new client of it, for a test that has a loop of its own."""
        self.redis = Redis(port=self.port, retry=Retry(NoBackoff(), 0), legacy_responses=False, socket_timeout=5)

    async def start(self) -> None:
        """Start it, or start it again with what it has written, and return when it answers."""
        self._process = subprocess.Popen(  # noqa: ASYNC220 - it returns at once
            [
                *(find_server(), *self._words, "--port", str(self.port), "--bind", "127.0.0.1"),
                *("--dir", str(self.folder), "--logfile", str(self.folder / "server.log"), "--daemonize", "no"),
            ],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            preexec_fn=die_with_parent if sys.platform == "linux" else None,  # noqa: PLW1509 - no thread runs here
        )
        await until(self.answers)

    async def answers(self) -> bool:
        """Return whether it answers."""
        try:
            return bool(await self.redis.ping())
        except (RedisError, OSError) as error:
            return "authenticated" in str(error)  # it wants a password first

    def kill(self) -> None:
        """End it as a power cut would."""
        self.signal(signal.SIGKILL)
        if self._process is not None:
            self._process.wait()

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal, if it runs: SIGSTOP freezes it, SIGCONT lets it go on."""
        if self._process is not None and self._process.poll() is None:
            os.kill(self._process.pid, number)

    async def close(self) -> None:
        """End it for good."""
        self.kill()
        with suppress(RedisError, OSError):
            await self.redis.aclose()


class Cluster:
    """Masters that share the slots evenly, and replicas; `servers` has the masters of the beginning first."""

    def __init__(self, servers: Sequence[Server]) -> None:
        self.servers = list(servers)

    def accounts(self, number: int) -> list[str]:
        """Return NUMBER names of accounts, spread over the masters as slots were given out at the beginning."""
        masters = sum(bool(server.slots) for server in self.servers)
        names = [f"account{count}" for count in range(50 * number)]
        homes: list[list[str]] = [[] for _ in range(masters)]
        for name in names:
            homes[next(at for at in range(masters) if key_slot(name.encode()) in self.servers[at].slots)].append(name)
        return [homes[count % masters][count // masters] for count in range(number)]

    async def clear(self) -> None:
        """Begin anew, with another loop: forget all data."""
        for server in self.servers:
            server.connect()
            with suppress(RedisError):  # a replica
                await server.redis.flushall()

    async def leave(self) -> None:
        """Close the test's connections; the servers go on."""
        for server in self.servers:
            await server.redis.aclose()

    @property
    def url(self) -> str:
        """The `redis.url` of it, which names all."""
        return f"redis+cluster://{','.join(f'127.0.0.1:{server.port}' for server in self.servers)}"

    async def masters(self) -> dict[int, list[range]]:
        """Return the slots of each master, by its port, as those say that are up."""
        for server in self.servers:
            with suppress(RedisError, OSError):
                ranges: Any = await server.redis.execute_command("CLUSTER", "SLOTS")  # type: ignore[no-untyped-call]
                found: dict[int, list[range]] = {}
                for first, last, (_, port, *_), *_ in ranges:
                    found.setdefault(port, []).append(range(first, last + 1))
                return found
        return {}

    async def owner(self, key: str) -> Server:
        """Return the master of the slot of KEY (an account's name, say)."""
        slot = key_slot(key.encode())
        ports = {port for port, ranges in (await self.masters()).items() if any(slot in one for one in ranges)}
        return next(server for server in self.servers if server.port in ports)

    async def fail(self, server: Server) -> Server:
        """Kill a master and return the one that has taken over."""
        slots = (await self.masters())[server.port]
        server.kill()

        async def heir() -> Server | None:
            for port, ranges in (await self.masters()).items():
                if port != server.port and any(slots[0][0] in one for one in ranges):
                    return next(one for one in self.servers if one.port == port)
            return None

        taken: Server = await until(heir)
        return taken

    async def begin_move(self, key: str, to: Server) -> Server:
        """Begin to move the slot of KEY: nothing is moved yet, and new keys go to the new owner."""
        slot, owner = key_slot(key.encode()), await self.owner(key)
        await _cluster(to, "SETSLOT", slot, "IMPORTING", await _id(owner))
        await _cluster(owner, "SETSLOT", slot, "MIGRATING", await _id(to))
        return owner

    async def move_keys(self, key: str, owner: Server, to: Server, most: int = 1_000_000) -> int:
        """Move up to MOST keys of the slot of KEY from its OWNER; return how many."""
        slot = key_slot(key.encode())
        keys: Any = await _cluster(owner, "GETKEYSINSLOT", slot, most)
        if keys:
            words = ("MIGRATE", "127.0.0.1", to.port, "", 0, 10_000, "KEYS", *keys)
            await owner.redis.execute_command(*words)  # type: ignore[no-untyped-call]
        return len(keys)

    async def end_move(self, key: str, owner: Server, to: Server) -> None:
        """Give the slot of KEY to its new owner, once nothing of it is left."""
        slot, new = key_slot(key.encode()), await _id(to)
        while await self.move_keys(key, owner, to):
            pass
        masters = await self.masters()
        for server in sorted(self.servers, key=lambda one: one is not to):
            if server.port in masters:
                await _cluster(server, "SETSLOT", slot, "NODE", new)


@asynccontextmanager
async def cluster(folder: Path, masters: int = 3, replicas: int = 0) -> AsyncIterator[Cluster]:
    """Yield a cluster of so many MASTERS, each with so many REPLICAS, whose data lies in FOLDER."""
    async with AsyncExitStack() as stack:
        servers = [_member(folder / f"node{number}") for number in range(masters * (1 + replicas))]
        for server in servers:
            stack.push_async_callback(server.close)
        await asyncio.gather(*(server.start() for server in servers))
        made = Cluster(servers)
        for number, server in enumerate(servers):
            await _cluster(server, "SET-CONFIG-EPOCH", number + 1)
            await _cluster(servers[0], "MEET", "127.0.0.1", server.port)
        for number, server in enumerate(servers[:masters]):
            server.slots = range(_SLOTS * number // masters, _SLOTS * (number + 1) // masters)
            await _cluster(server, "ADDSLOTS", *server.slots)
        await asyncio.gather(*(_whole(server, len(servers)) for server in servers))
        ids = [await _id(server) for server in servers[:masters]]
        for number, server in enumerate(servers[masters:]):
            await _cluster(server, "REPLICATE", ids[number % masters])
        for server in servers[masters:]:
            await until(partial(_synchronised, server))
        for server in servers:
            # A replica takes over only where the others know it as one.
            await until(partial(_knows_replicas, server, masters * replicas))
        yield made


@asynccontextmanager
async def cluster_world(
    folder: Path, masters: int = 3, replicas: int = 0, transport: str = "http"
) -> AsyncIterator[tuple[World, Cluster]]:
    """Yield a world whose Redis is a cluster."""
    async with cluster(folder / "redis", masters, replicas) as made, world_of(made.url, folder, transport) as world:
        yield world, made


@asynccontextmanager
async def world_of(url: str, folder: Path, transport: str = "http") -> AsyncIterator[World]:
    """Yield a world whose Redis is at URL; what a test starts there keeps its files in FOLDER."""
    async with AsyncExitStack() as stack:
        clients = await stack.enter_async_context(connected(url))
        napcat = await stack.enter_async_context(StandIn(events_secret=SECRET).serve())
        yield World(stack, folder, url, clients, napcat, transport=transport)


class Watched:
    """A master and its replica, watched by sentinels."""

    def __init__(self, servers: Sequence[Server], sentinels: Sequence[Server]) -> None:
        self.servers = list(servers)
        self.sentinels = list(sentinels)

    @property
    def url(self) -> str:
        """The `redis.url` of it."""
        return f"redis+sentinel://{','.join(f'127.0.0.1:{one.port}' for one in self.sentinels)}/{SERVICE}"

    async def master(self) -> Server:
        """Return who the sentinels say is the master."""
        words = ("SENTINEL", "GET-MASTER-ADDR-BY-NAME", SERVICE)
        _, port = await self.sentinels[0].redis.execute_command(*words)  # type: ignore[no-untyped-call]
        return next(server for server in self.servers if server.port == int(port))

    async def heir(self, before: Server) -> Server:
        """Wait until another server than BEFORE is the master, and return it."""
        master: Server = await until(self.master, lambda master: master is not before)
        return master


@asynccontextmanager
async def watched(folder: Path, sentinels: int = 3) -> AsyncIterator[Watched]:
    """Yield a master with a replica and SENTINELS that watch them, whose data lies in FOLDER."""
    async with AsyncExitStack() as stack:
        master = Server(folder / "one", *_DURABLE)
        replica = Server(folder / "two", *_DURABLE, "--replicaof", "127.0.0.1", str(master.port))
        servers = [master, replica]
        for server in servers:
            stack.push_async_callback(server.close)
            await server.start()
        await until(lambda: _synchronised(replica))
        watchers = []
        for number in range(sentinels):
            watcher = sentinel_of(master, folder / f"sentinel{number}", sentinels // 2 + 1)
            stack.push_async_callback(watcher.close)
            await watcher.start()
            watchers.append(watcher)
        for watcher in watchers:
            await until(partial(_company, watcher), lambda found: found == (sentinels - 1, 1))
        yield Watched(servers, watchers)


def sentinel_of(master: Server, folder: Path, quorum: int = 1, *lines: str) -> Server:
    """Return a sentinel that watches MASTER; LINES are more of its configuration."""
    folder.mkdir(parents=True)
    file = folder / "sentinel.conf"
    written = (
        f"sentinel monitor {SERVICE} 127.0.0.1 {master.port} {quorum}",
        f"sentinel down-after-milliseconds {SERVICE} {DOWN_AFTER_MS}",
        f"sentinel failover-timeout {SERVICE} 3000",
        *lines,
    )
    file.write_text("\n".join(written) + "\n")
    return Server(folder, str(file), "--sentinel")


@asynccontextmanager
async def watched_world(folder: Path, transport: str = "http") -> AsyncIterator[tuple[World, Watched]]:
    """Yield a world whose Redis is a master with a replica and sentinels."""
    async with watched(folder / "redis") as made, world_of(made.url, folder, transport) as world:
        yield world, made
    gc.collect()  # see DROPPED: here, and not in a later test


DROPPED = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
"""For tests in which masters are replaced: a connection that is broken off while it is being made again loses one of
its two sockets, which the collector closes, and warns."""


_DURABLE = ("--appendonly", "yes", "--save", "", "--maxmemory-policy", "noeviction", "--repl-diskless-sync-delay", "0")


def _member(folder: Path) -> Server:
    """Return a server that may become part of a cluster."""
    words = ("--cluster-enabled", "yes", "--cluster-node-timeout", str(NODE_TIMEOUT_MS))
    return Server(folder, *_DURABLE, *words, port=cluster_port())


def cluster_port() -> int:
    """Return a free port for a server of a cluster; so is the one above it where it listens to the others."""
    return next(port for port in iter(free_port, 0) if _is_free(port + _BUS))


def _is_free(port: int) -> bool:
    with suppress(OSError, OverflowError), socket.socket() as probe:
        probe.bind(("127.0.0.1", port))
        return True
    return False


async def _cluster(server: Server, *words: Any) -> Any:
    return await server.redis.execute_command("CLUSTER", *words)  # type: ignore[no-untyped-call]


async def _id(server: Server) -> str:
    name: bytes = await _cluster(server, "MYID")
    return name.decode()


async def _whole(server: Server, number: int) -> None:
    async def sees() -> tuple[bool, bool]:
        lines = (await _cluster(server, "INFO")).decode().split()
        return "cluster_state:ok" in lines, f"cluster_known_nodes:{number}" in lines

    await until(sees, lambda seen: seen == (True, True))


async def _synchronised(server: Server) -> bool:
    info: dict[str, Any] = await server.redis.info("replication")
    return bool(info.get("master_link_status") == "up")


async def _knows_replicas(server: Server, number: int) -> bool:
    nodes: bytes = await _cluster(server, "NODES")
    flags = [line.split()[2] for line in nodes.decode().splitlines()]
    return sum("slave" in one for one in flags) == number


async def _company(sentinel: Server) -> tuple[int, int]:
    """Return how many other sentinels and replicas one knows."""
    words = ("SENTINEL", "MASTER", SERVICE)
    told: Any = await sentinel.redis.execute_command(*words)  # type: ignore[no-untyped-call]
    fields = told if isinstance(told, dict) else dict(zip(told[::2], told[1::2], strict=True))
    return int(fields[b"num-other-sentinels"]), int(fields[b"num-slaves"])
