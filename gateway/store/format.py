"""The format of what lies in Redis: its number, its history, and what a gateway makes of data of another one.

FORMAT is the newest format this gateway knows. Each account's data carry theirs as the field `format` of the hash
`counts`, the keys beside the accounts as the string `<prefix>:format`; where neither is, it is 1. A record of another
format than 1 says so in its field `v`. Every account script begins with `format.lua` and does nothing to data of a
newer format: at start such data are a reason not to start, later `DataNewer`, a 503 and a reason of `/status`.

History:

0  until a few hours before commit d8da54e. `flights` was a ZSET, what a job says was in its record. Of these data ended
   jobs can be read, though not replayed; a gateway does not start while others wait.
1  commit d8da54e. The keys of `keys.RING`; a record is what is unusual of a job (`USUAL` in `records.lua`), packed, and
   behind it, until it is delivered, what it says.

To change the format, which is what any older gateway would read wrongly, in this order:

1. Count FORMAT up, and say here what changed.
2. In `lua/included/format.lua` add `CASTS[n]`: `up` makes a record of the new format of one of the last, `down` the
   way back. All scripts know the newest shape only. What becomes of other keys goes into `STEPS[n]` of
   `lua/raise.lua`; until that has run, scripts look at LAYOUT for which of both is there.
3. Hold a dump made by the last version that wrote the old format to `tests/upgrade`.

The data are raised (`store/raising.py`) when every replica that lives knows the new format, and not before, so that old
and new ones work side by side and the way back is open until then. There is none behind it, but a backup.

What no version may change while the format is the same, as commit d8da54e reads it and looks at no mark:

* the keys of RING, their types, their order, and what is in them; new keys go to the end of RING, and new fields of
  records, holds, calls and counts are ones that an older gateway may pass over, or lose when it writes them anew
  (it keeps what it does not know of a record, but neither of a `call` nor of a `hold` that it replaces)
* that each number in `counts` is a whole one: all of them are read as such
* the words between the scripts and the keys: `<job> <fingerprint>` of a key, `<target> <job>` of a message id,
  `<place>:<job>` and `aside:<target>:<requester>` of the schedule, `<sequence>( <job>=<token>)*( !<job>)*` of a tick
* the bell: `<account> <ringer>` on `<prefix>:bell`; who hears more words than that takes them for part of the ringer
* presence: `<ms> <JSON>` with at least host, pid, version and began_at; more is passed over. `format` in it is the
  newest one that this replica knows; who does not say knows 1
* leases: STRING, the token of its holder, PX
* that the gateways of both versions have the same limits: the one whose tick comes last has its own applied
"""

import re
from collections.abc import AsyncIterator, Iterable, Sequence
from typing import Any

import msgpack

from gateway.model.errors import DataNewer, SettingsInvalid
from gateway.model.finding import Finding
from gateway.store.client import Clients, translated
from gateway.store.keys import Keys

FORMAT = 1

_NEWER = re.compile(r"\bNEWERDATA (\S+)")
"""How the scripts say that they met data of a newer format, and of which."""

_AMONG = 8  # lanes and scheduled jobs that are looked at for records of old


def newer_data(error: Exception, account: str) -> DataNewer | None:
    """Return ERROR as what it is, when a script raised it because the data of ACCOUNT are of a newer format."""
    found = _NEWER.search(str(error))
    if found is None:
        return None
    return DataNewer(
        f"the data of account {account!r} were raised to format {found[1]} by a newer gateway, and this one knows "
        f"{FORMAT}; it leaves them alone"
    )


async def refuse_unknown(clients: Clients, keys: Keys, accounts: Iterable[str]) -> None:
    """Raise SettingsInvalid when the data of one of ACCOUNTS, or those beside them, are of a format unknown here.

    Raises StoreUnavailable when Redis does not answer.
    """
    if found := [str(finding) async for finding in unknown(clients, keys, accounts)]:
        raise SettingsInvalid("\n".join(found))


async def unknown(clients: Clients, keys: Keys, accounts: Iterable[str]) -> AsyncIterator[Finding]:
    """Yield a fault for each of ACCOUNTS of which the data are of a format unknown here, and for those beside them.

    Raises StoreUnavailable when Redis does not answer.
    """
    redis: Any = clients.commands
    with translated():
        if _is_newer(mark := await redis.get(keys.format)):
            yield _newer_fault("the data", keys, mark)
        for account in accounts:
            if _is_newer(mark := await redis.hget(keys.of(account, "counts"), "format")):
                yield _newer_fault(f"the data of account {account!r}", keys, mark)
            elif await _is_older(redis, keys, account):
                yield _fault(
                    f"jobs of account {account!r} under {keys.prefix!r} wait that were written by an older gateway "
                    "than this one can read",
                    "start that version again and let it run its queue empty first, with intake.streams and "
                    "intake.lists empty",
                )


def _newer_fault(what: str, keys: Keys, mark: bytes) -> Finding:
    known = f"(format {mark.decode(errors='replace')}; this one knows {FORMAT})"
    return _fault(
        f"{what} under {keys.prefix!r} were written by a newer gateway {known}",
        "start that version or a newer one, restore a backup made before it",
    )


def _fault(detail: str, remedy: str) -> Finding:
    return Finding("fault", "redis.prefix", detail, f"{remedy}, or give this one another redis.prefix", refuses=True)


def _is_newer(mark: Any) -> bool:
    """Return whether the MARK of data says that they are of a format unknown here."""
    return mark is not None and not (mark.isdigit() and int(mark) <= FORMAT)


async def _is_older(redis: Any, keys: Keys, account: str) -> bool:
    """Return whether ACCOUNT has data of format 0: by its calls in flight, or by some of the jobs that wait."""
    if await redis.type(keys.of(account, "flights")) not in {b"none", b"hash"}:
        return True
    jobs: list[bytes] = []
    for target in await redis.zrange(keys.of(account, "due"), 0, _AMONG - 1):
        jobs += await redis.zrange(keys.of(account, "lane:") + target.decode(), 0, 0)
    for member in await redis.zrange(keys.of(account, "scheduled"), 0, _AMONG - 1):
        if not member.startswith(b"aside:"):
            jobs.append(member.partition(b":")[2])
    return _say_nothing([await redis.get(keys.of(account, "job:") + job.decode()) for job in jobs])


def _say_nothing(records: Sequence[bytes | None]) -> bool:
    """Return whether one of RECORDS, of jobs that wait, has nothing behind what is known of the job.

    Other gateways go on meanwhile: one that has ended since it was found waiting says nothing any more.
    """
    for record in records:
        if record is not None:
            unpacker = msgpack.Unpacker(raw=True, strict_map_key=False, max_buffer_size=0)
            unpacker.feed(record)
            known = unpacker.unpack()
            if unpacker.tell() == len(record) and b"ended" not in known:
                return True
    return False
