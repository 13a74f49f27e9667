"""The accounts ever served here, so that jobs of one that is served no more are not forgotten."""

from collections.abc import Collection
from typing import Any

from gateway.store.client import Clients, translated
from gateway.store.keys import Keys


async def enrol(clients: Clients, keys: Keys, accounts: Collection[str]) -> None:
    """Write down that ACCOUNTS are served; raises StoreUnavailable."""
    with translated():
        await clients.commands.sadd(keys.roster, *accounts)


async def left_queued(clients: Clients, keys: Keys, served: Collection[str]) -> dict[str, int]:
    """Return how many jobs wait for each account that is none of SERVED, where any do; raises StoreUnavailable."""
    with translated():
        known: Any = await clients.commands.smembers(keys.roster)
        absent = sorted({name.decode() for name in known} - set(served))
        waiting = {name: await clients.commands.hget(keys.of(name, "counts"), "queued") for name in absent}
    return {name: int(queued) for name, queued in waiting.items() if queued and int(queued) > 0}
