"""Callbacks that are due: handed out to one replica each, and settled by it."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple

from gateway.store.client import raise_when_all_failed, translated
from gateway.store.scripts.runner import ScriptRunner

Fate = Literal["posted", "again", "given_up", "back"]
"""What became of a callback: it is over, put off, over without success, or anybody's again."""


class Callback(NamedTuple):
    """A callback handed out to this replica until its lease lapses.

    state    the final state it tells of
    failed   how often it was posted in vain
    lease    epoch milliseconds; names this handing-out
    receipt  what to post, JSON
    """

    job_id: str
    host: str
    url: str
    state: str
    failed: int
    lease: int
    receipt: bytes


class HandedOut(NamedTuple):
    """Callbacks handed out: `next_in` milliseconds to the next turn, None when there is nothing to wait for.

    crowded  whether more is to come for a receiver that this replica has enough under way to
    dropped  job and host of callbacks whose record is no longer kept
    """

    next_in: int | None
    crowded: bool
    callbacks: list[Callback]
    dropped: list[tuple[str, str]]


class CallbackScripts(ScriptRunner):
    """What the posting of callbacks asks for."""

    async def callbacks_due(self, accounts: Sequence[str]) -> dict[str, int]:
        """Return in how many milliseconds the first callback is due of each account that has one.

        That of an account whose master is away, while others answer, may be due at once: nobody knows.
        """
        with translated():
            async with self._redis.pipeline(transaction=False) as pipe:
                for account in accounts:
                    pipe.zrange(self._keys.of(account, "receivers"), 0, 0, withscores=True)
                    pipe.time()  # of the server that has it
                replies = await pipe.execute(raise_on_error=False)
            raise_when_all_failed(replies)
        due: dict[str, int] = {}
        for account, first, time in zip(accounts, replies[::2], replies[1::2], strict=True):
            if isinstance(first, Exception) or isinstance(time, Exception):
                due[account] = 0
            elif first:
                due[account] = int(first[0][1]) - (time[0] * 1000 + time[1] // 1000)
        return due

    async def claim_callbacks(
        self, account: str, most: int, lease: int, most_of_one: int, under_way: Mapping[str, int]
    ) -> HandedOut:
        """Take up to MOST callbacks of ACCOUNT that are due for LEASE ms, to be posted by this replica.

        UNDER_WAY says to which hosts it is posting already, and how many; it gets no more than MOST_OF_ONE to a host.
        """
        args: list[Any] = [most, lease, most_of_one, len(under_way)]
        for host, number in under_way.items():
            args += [host, number]
        next_in, crowded, callbacks, dropped = await self._account("callback_claim", account, args)
        if dropped:
            self._metrics.callbacks.labels(account, "given_up").inc(len(dropped))
        return HandedOut(
            None if next_in < 0 else next_in,
            bool(crowded),
            [
                Callback(job.decode(), host.decode(), url.decode(), state.decode(), failed, int(until), document)
                for job, host, url, state, failed, until, document in callbacks
            ],
            [(job.decode(), host.decode()) for job, host in dropped],
        )

    async def settle_callback(self, account: str, callback: Callback, settlement: Fate, wait: int = 0) -> bool:
        """End CALLBACK or put it off by WAIT ms; return False when it is no longer this replica's to settle."""
        args = [callback.job_id, callback.host, callback.state, callback.lease, settlement, wait]
        settled = bool(await self._account("callback_settle", account, args))
        if settled:
            self._metrics.callbacks.labels(account, settlement).inc()
        return settled
