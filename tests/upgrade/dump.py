"""What a Redis holds, as text that any Redis or Valkey can load: a line of JSON for each key.

RESTORE takes what one server of one version has dumped; here is what each type holds, with bytes in base64. The time at
which a key ends is the same after loading as before: a key that has ended since is not loaded, as a server would.
"""

import base64
import json
from collections.abc import Iterator, Sequence
from typing import Any


def _text(value: bytes) -> str:
    return base64.b64encode(value).decode()


def _bytes(value: str) -> bytes:
    return base64.b64decode(value)


async def dumped(redis: Any) -> list[str]:
    """Return a line for each key of REDIS, in the order of their names."""
    return [await _line(redis, key) for key in sorted(await redis.keys("*"))]


async def _line(redis: Any, key: bytes) -> str:
    seconds, microseconds = await redis.time()
    left = await redis.pttl(key)
    kind = (await redis.type(key)).decode()
    document: dict[str, Any] = {"key": key.decode(), "type": kind}
    if left >= 0:
        document["ends_at"] = seconds * 1000 + microseconds // 1000 + left
    return json.dumps(document | {"value": await _value(redis, key, kind)})


async def _value(redis: Any, key: bytes, kind: str) -> Any:
    if kind == "string":
        return _text(await redis.get(key))
    if kind == "hash":
        return {_text(name): _text(value) for name, value in sorted((await redis.hgetall(key)).items())}
    if kind == "list":
        return [_text(item) for item in await redis.lrange(key, 0, -1)]
    if kind == "set":
        return sorted(_text(item) for item in await redis.smembers(key))
    if kind == "zset":
        flat = await redis.execute_command("EVAL", "return redis.call('ZRANGE', KEYS[1], 0, -1, 'WITHSCORES')", 1, key)
        return [[_text(flat[i]), flat[i + 1].decode()] for i in range(0, len(flat), 2)]
    assert kind == "stream", f"{key!r} is a {kind}"
    entries = [
        [entry.decode(), [_text(part) for pair in fields.items() for part in pair]]
        for entry, fields in await redis.xrange(key)
    ]
    return {"last": (await redis.xinfo_stream(key))["last-generated-id"].decode(), "entries": entries}


async def load(redis: Any, lines: Sequence[str]) -> None:
    """Put what LINES tell into an empty REDIS."""
    for line in lines:
        document = json.loads(line)
        key = document["key"]
        for command in _commands(key, document["type"], document["value"]):
            await redis.execute_command(*command)
        if "ends_at" in document:
            await redis.pexpireat(key, document["ends_at"])


def _commands(key: str, kind: str, value: Any) -> Iterator[list[Any]]:
    if kind == "string":
        yield ["SET", key, _bytes(value)]
    elif kind == "hash":
        yield ["HSET", key, *(_bytes(part) for pair in value.items() for part in pair)]
    elif kind == "list":
        yield ["RPUSH", key, *map(_bytes, value)]
    elif kind == "set":
        yield ["SADD", key, *map(_bytes, value)]
    elif kind == "zset":
        for member, score in value:
            yield ["ZADD", key, score, _bytes(member)]
    else:
        for entry, fields in value["entries"]:
            yield ["XADD", key, entry, *map(_bytes, fields)]
        if not value["entries"]:
            yield ["XADD", key, value["last"], "made", "empty"]
            yield ["XDEL", key, value["last"]]
        yield ["XSETID", key, value["last"]]
