"""Whether a server is fit to keep jobs, from what it tells of itself."""

import asyncio
from contextlib import aclosing
from dataclasses import replace
from typing import Any

import pytest
from redis.asyncio import Redis as Client

from gateway.model.errors import StoreUnavailable
from gateway.settings import Redis
from gateway.store.fitness import configured, findings
from gateway.store.server import ServerNumbers, ask
from gateway.store.unusable import unusable
from tests.world import World

MIB = 1024**2
WELL = ServerNumbers(
    program="Valkey",
    version="9.1.2",
    compatible=(7, 2),
    role="master",
    aof=True,
    failing="",
    now=1_700_000_000_000,
    ahead_ms=3,
    took=0.001,
    used_memory=10 * MIB,
    maxmemory=100 * MIB,
    policy="noeviction",
)
CONFIG = {"save": "", "appendfsync": "everysec", "maxmemory-policy": "noeviction"}


def about(settings: Redis | None = None, config: dict[str, str] = CONFIG, **told: Any) -> list[tuple[str, str, bool]]:
    """Return level, key and whether it refuses, of all that is not fine."""
    found = findings(replace(WELL, **told), config, settings or Redis())
    return [(one.level, one.key, one.refuses) for one in found if one.level != "fine"]


def test_a_server_that_keeps_everything_is_fine_in_every_respect() -> None:
    found = findings(WELL, CONFIG, Redis())
    assert {one.level for one in found} == {"fine"}
    assert [one.key for one in found] == ["redis.url", "redis.persistence", "redis.url"]


@pytest.mark.parametrize(
    ("told", "level", "key", "refuses"),
    [
        ({"compatible": (6, 0)}, "fault", "redis.url", True),
        ({"compatible": ()}, "advice", "redis.url", False),
        ({"role": "slave"}, "fault", "redis.url", True),
        ({"policy": "volatile-ttl"}, "fault", "redis.url", True),
        ({"policy": "allkeys-lru", "maxmemory": 0}, "advice", "redis.url", False),
        ({"policy": None, "config": {}}, "advice", "redis.url", False),
        ({"maxmemory": 0, "machine_memory": 64 * MIB}, "advice", "redis.url", False),
        ({"used_memory": 85 * MIB}, "fault", "redis.url", False),
        ({"aof": False}, "fault", "redis.persistence", True),
        ({"aof": False, "config": {"save": "3600 1"}}, "advice", "redis.persistence", False),
        ({"aof": False, "config": {}}, "advice", "redis.persistence", False),
        ({"aof": None}, "advice", "redis.persistence", False),
        ({"config": {"appendfsync": "no"}}, "advice", "redis.persistence", False),
        ({"failing": "append-only file"}, "fault", "redis.persistence", False),
        ({"ahead_ms": -60_000}, "advice", "redis.url", False),
    ],
)
def test_each_weakness_is_told_once_or_refuses_the_start(
    told: dict[str, Any], level: str, key: str, refuses: bool
) -> None:
    assert (level, key, refuses) in about(**told)
    assert [one for one in about(**told) if one[2]] == ([(level, key, True)] if refuses else [])


def test_who_wants_a_redis_that_keeps_nothing_gets_it() -> None:
    assert about(Redis(persistence="any"), aof=False) == [("advice", "redis.persistence", False)]


@pytest.mark.parametrize(
    ("connected", "found"),
    [
        (0, [("fault", "redis.durability", False)]),
        (1, []),
        (2, [("advice", "redis.replicas", False)]),
    ],
)
def test_as_many_replicas_have_a_job_as_a_failover_may_choose_from(
    connected: int, found: list[tuple[str, str, bool]]
) -> None:
    assert about(Redis(url="redis://there", durability="replicated", replicas=1), redis_replicas=connected) == found
    assert about(Redis(url="redis://there"), redis_replicas=connected) == []


@pytest.mark.parametrize(
    ("forbidden", "told"),
    [
        ((), {"save": "", "appendfsync": "everysec", "maxmemory-policy": "noeviction"}),
        (("save",), {"appendfsync": "everysec", "maxmemory-policy": "noeviction"}),
        (("save", "appendfsync", "maxmemory-policy"), {}),
    ],
)
async def test_a_server_is_asked_for_one_setting_at_a_time(forbidden: tuple[str, ...], told: dict[str, str]) -> None:
    """As Redis 6.2 has it, which takes no second name, and a service that keeps some for itself."""
    values = {"save": "", "appendfsync": "everysec", "maxmemory-policy": "noeviction"}

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while words := await command(reader):
            match [word.lower() for word in words]:
                case ["config", "get", name] if name not in forbidden:
                    writer.write(b"*2\r\n" + b"".join(bulk(one) for one in (name, values[name])))
                case ["config", "get", _]:
                    writer.write(b"-NOPERM no permission to run the 'config|get' command\r\n")
                case ["config", *_]:
                    writer.write(
                        b"-ERR Unknown subcommand or wrong number of arguments for 'GET'. Try CONFIG HELP.\r\n"
                    )
                case ["time"]:
                    writer.write(b"*2\r\n" + bulk("1700000000") + bulk("0"))
                case ["info"]:
                    writer.write(bulk("role:master\r\n"))
                case _:
                    writer.write(b"+OK\r\n")
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        async with aclosing(Client.from_url(f"redis://127.0.0.1:{port}/0?protocol=2")) as redis:
            assert await configured(redis) == told
            answer = await ask(redis)
    assert (answer.compatible, answer.aof, answer.policy) == ((), None, None)


async def command(reader: asyncio.StreamReader) -> list[str]:
    """Return the words of the next command, none when there comes no more."""
    line = await reader.readline()
    found = []
    for _ in range(int(line[1:]) if line else 0):
        size = int((await reader.readline())[1:])
        found.append((await reader.readexactly(size + 2))[:-2].decode())
    return found


def bulk(text: str) -> bytes:
    """Return TEXT as a server answers it."""
    return f"${len(text)}\r\n{text}\r\n".encode()


def test_every_fault_and_advice_says_what_to_change() -> None:
    worst = replace(WELL, role="slave", policy="volatile-ttl", aof=False, failing="snapshot", ahead_ms=9_000)
    found = findings(worst, CONFIG, Redis())
    assert len([one for one in found if one.level != "fine"]) == 5
    assert all(one.remedy for one in found if one.level != "fine")


@pytest.mark.parametrize(
    ("words", "remedy"),
    [
        ("Redis: Error 111 connecting to 127.0.0.1:1. Connection refused.", "start Redis there"),
        ("Redis: invalid username-password pair or user is disabled.", "right user and password"),
        ("Redis: Authentication required.", "right user and password"),
        ("Redis: HELLO must be called with the client already authenticated, otherwise …", "right user and password"),
        ("Redis: DB index is out of range", "a database number"),
        ("Redis: [SSL: WRONG_VERSION_NUMBER] wrong version number", "rediss://"),
    ],
)
def test_a_server_that_cannot_be_used_is_told_with_the_remedy_that_fits(words: str, remedy: str) -> None:
    line = str(unusable(StoreUnavailable(words)))
    assert line.startswith("redis.url: Redis: ")
    assert remedy in line


async def test_a_real_server_tells_everything_that_is_asked(world: World) -> None:
    told = await ask(world.clients.commands)
    assert (told.role, told.aof, told.policy) == ("master", True, "noeviction")
    assert told.program in {"Valkey", "Redis"}
    assert told.compatible >= (6, 2)
    assert abs(told.ahead_ms) < 2_000
    assert told.used_memory > 0
    assert await configured(world.clients.commands) == CONFIG
