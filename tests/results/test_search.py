"""Pages over several accounts against a plain sorted list, whatever happens between and within them."""

import random
from typing import Any

import pytest

from gateway.clock import Clock
from gateway.results.search import Hit, Position, Search
from gateway.store.keys import Keys
from gateway.store.scripts import Scripts
from gateway.store.scripts.readings import Wanted
from tests.store.bench import POLICY, job
from tests.world import World


class Hasty(Clock):
    """A clock on which any look may find that the time of a page is over."""

    def __init__(self, chance: random.Random) -> None:
        super().__init__()
        self._chance = chance
        self._now = 0.0

    def monotonic(self) -> float:
        self._now += self._chance.choice([0, 0.3, 1.0])
        return self._now


class Shelf:
    """Jobs in several accounts, and what the indexes say of them."""

    def __init__(self, world: World, chance: random.Random) -> None:
        self.scripts = Scripts(world.clients.commands, Keys("gw"))
        self.accounts = ["b", "a", "c", "main"][: chance.randint(1, 4)]
        self.targets: dict[str, tuple[str, str]] = {}
        self._redis: Any = world.clients.commands
        self._chance = chance

    async def fill(self, most: int) -> None:
        account, jobs = self._chance.choice(self.accounts), []
        for _ in range(self._chance.randint(1, most)):
            name, target = f"j{len(self.targets)}", f"group:{self._chance.choice([1, 1, 2, 3])}"
            jobs.append(job(name, target, delay=10**8)._replace(account=account))
            self.targets[name] = (account, target)
        await self.scripts.admit(account, "", jobs, 10**6, 60_000, 10**9, 1_000)

    async def cancel(self) -> None:
        for name, (account, _) in self.targets.items():
            if self._chance.random() < 0.3:
                await self.scripts.cancel(account, POLICY, name)

    async def drop(self, name: str) -> None:
        await self._redis.delete(f"gw:{{{self.targets[name][0]}}}:job:{name}")

    async def listed(self, stream: str, target: str) -> list[str]:
        """Return the jobs of TARGET in all indexes, the newest entry first."""
        entries = []
        for account in self.accounts:
            for entry, fields in await self._redis.xrange(f"gw:{{{account}}}:{stream}"):
                entries.append((Position.of(entry.decode(), account), fields[b"job"].decode()))
        names = [name for _, name in sorted(entries, reverse=True)]
        return [name for name in names if not target or self.targets[name][1] == target]


@pytest.mark.parametrize("stream", ["index", "letters"])
@pytest.mark.parametrize("seed", range(8))
async def test_all_pages_together_are_the_whole_list_whatever_happens_between_them(
    world: World, stream: str, seed: int
) -> None:
    chance = random.Random(f"{stream} {seed}")
    shelf = Shelf(world, chance)
    for _ in range(chance.randint(1, 25)):
        await shelf.fill(6)
    for _ in range(3):  # more than one look goes through at once
        await shelf.fill(120)
    await shelf.cancel()
    target = chance.choice(["", "group:1", "group:2"])
    states = frozenset({"cancelled"}) if stream == "letters" else frozenset()
    wanted, expected = Wanted(target=target, states=states), await shelf.listed(stream, target)
    search = Search(shelf.scripts, Hasty(chance), shelf.accounts)
    hits: list[Hit] = []
    dropped: set[str] = set()
    after, ended = None, False
    while not ended:
        page = await search.page(wanted, None, after, chance.randint(1, 40), chance.choice([0, 0, 0, 1]))
        assert after is None or page.after is None or page.after < after
        hits += page.hits
        after, ended = page.after, page.after is None
        if chance.random() < 0.3:
            await shelf.fill(2)
        if chance.random() < 0.2 and expected:
            dropped.add(chance.choice(expected))
            for name in dropped:
                await shelf.drop(name)
    names = [hit.found.job_id for hit in hits]
    assert len(set(names)) == len(names)
    assert [name for name in names if name not in dropped] == [name for name in expected if name not in dropped]
