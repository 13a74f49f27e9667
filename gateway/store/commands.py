"""Commands of Redis as a cluster has to see them: which key each names first, and which belong together."""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

from gateway.store.slots import slot_of

_KEYLESS = frozenset((
    "ACL", "BGREWRITEAOF", "BGSAVE", "CLIENT", "CLUSTER", "COMMAND", "CONFIG", "DBSIZE", "DEBUG", "ECHO", "FLUSHALL",
    "FLUSHDB", "HELLO", "INFO", "KEYS", "LASTSAVE", "LATENCY", "PING", "PUBLISH", "RANDOMKEY", "ROLE", "SCAN", "SCRIPT",
    "SLOWLOG", "TIME", "WAIT", "WAITAOF",
))  # fmt: skip
"""What any master may answer: each speaks of itself alone."""

_SCRIPTED = frozenset(("EVAL", "EVALSHA", "EVAL_RO", "EVALSHA_RO", "FCALL", "FCALL_RO"))


class Command(NamedTuple):
    """One command, and what redis-py needs to read its reply."""

    words: tuple[Any, ...]
    options: Mapping[str, Any]

    @property
    def name(self) -> str:
        """What it is called, in capitals."""
        return _name(self.words[0])

    @property
    def waits(self) -> bool:
        """Whether it asks how far the command before it has gone, and so belongs behind that."""
        return self.name in {"WAIT", "WAITAOF"}

    @property
    def key(self) -> str | bytes | None:
        """The first key that it names, None when it names none."""
        place, name = 1, self.name
        if name in _KEYLESS:
            return None
        if name in _SCRIPTED:
            if not int(self.words[2]):
                return None
            place = 3
        elif name in {"XREAD", "XREADGROUP"}:
            options = 4 if name == "XREADGROUP" else 1  # behind names that may be anything
            place = 1 + next(at for at in range(options, len(self.words)) if self.words[at] in {"STREAMS", b"STREAMS"})
        elif name == "OBJECT":
            place = 2
        key: str | bytes = self.words[place]
        return key

    @property
    def slot(self) -> int | None:
        """The slot of its first key; None when any master may answer."""
        key = self.key
        return None if key is None else slot_of(key)


@lru_cache(256)
def _name(word: str | bytes) -> str:
    """Return the name of a command by its first WORD; redis-py writes `XINFO STREAM` as one, and the key behind it."""
    name = word.decode() if isinstance(word, bytes) else str(word)
    return name.partition(" ")[0].upper()


def parts_of(commands: Sequence[Command]) -> list[list[int]]:
    """Return which places of COMMANDS belong together: each by itself, but those of a slot that a WAIT follows."""
    parts: list[list[int]] = []
    run: list[int] = []  # places of one slot, of which a WAIT may follow
    for place, command in enumerate(commands):
        if command.waits and (run or parts):
            if run:
                parts.append(run)
                run = []
            parts[-1].append(place)
            continue
        if run and command.slot not in {None, commands[run[0]].slot}:
            parts += [[one] for one in run]
            run = []
        run.append(place)
    return parts + [[one] for one in run]
