"""The scripts with a clock of their own, which stands still until it is moved: no test sleeps for minutes."""

from collections.abc import Iterable

from gateway.store.client import Clients
from gateway.store.keys import Keys
from gateway.store.overview import AccountNumbers
from gateway.store.scripts import Scripts
from gateway.store.scripts.source import SCRIPTS, source_of
from tests.store.bench import Bench

BEGINNING = 1_700_000_000_000


class ScriptsInOurTime(Scripts):
    """The scripts with a clock that stands still until it is moved: they read it where Redis' TIME was."""

    def __init__(self, clients: Clients, keys: Keys) -> None:
        super().__init__(clients.commands, keys)
        for name in SCRIPTS:
            text = source_of(name).replace("redis.call('TIME')", "redis.call('MGET', 'seconds', 'microseconds')")
            self._scripts[name] = self._redis.register_script(text)

    async def set_clock(self, milliseconds: int) -> None:
        await self._redis.mset({"seconds": milliseconds // 1000, "microseconds": milliseconds % 1000 * 1000})

    async def look(self, account: str, job_ids: Iterable[str]) -> tuple[AccountNumbers, list[bytes | None]]:
        """Do what `overview` does, and what `read` does for many jobs, the latter in one round trip."""
        numbers = await self.overview(account)
        read, ring = self._scripts["read"], self._keys.account(account)
        async with self._redis.pipeline(transaction=False) as pipe:
            for job_id in job_ids:
                pipe.evalsha(read.sha, len(ring), *ring, job_id, "")
            return numbers, await pipe.execute()


class SlowBench(Bench):
    """The scripts of one account, driven by hand, in a time that only `move` lets pass (in milliseconds)."""

    def __init__(self, clients: Clients) -> None:
        self._timed = ScriptsInOurTime(clients, Keys("gw"))
        super().__init__(clients, self._timed)
        self.now = BEGINNING

    async def move(self, milliseconds: int) -> None:
        self.now += milliseconds
        await self._timed.set_clock(self.now)

    async def redis_time(self) -> int:
        return self.now // 1000
