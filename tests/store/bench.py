"""The scripts of one account, driven by hand as a replica would."""

import json
from dataclasses import replace
from typing import Any

from gateway.model.attempt import Claim, Outcome
from gateway.model.part import Part
from gateway.model.rate import parse_rate
from gateway.model.verdict import Verdict
from gateway.store.client import Clients
from gateway.store.keys import Keys
from gateway.store.scripts import Scripts
from gateway.store.values import Limits, Submission, Tick, TickPolicy

WIDE = Limits(*(([parse_rate("10000/1s")]),) * 4)
POLICY = TickPolicy(
    limits=WIDE,
    most_in_flight=5,
    lease=20_000,
    settle_for=60_000,
    keep=60_000,
    stream=1000,
    on_unknown="hold",
    retries=3,
)
DELIVERED: dict[str, Any] = {
    "settlement": "delivered",
    "verdict": Verdict.DELIVERED,
    "message_id": 7,
    "http_status": 200,
}


class Bench:
    """The scripts of one account, driven by hand as a replica would."""

    def __init__(self, clients: Clients, scripts: Scripts | None = None) -> None:
        self.scripts = scripts or Scripts(clients.commands, Keys("gw"))
        self._redis = clients.commands
        self._sequence = 0

    async def admit(self, *jobs: Submission, source: str = "", most: int = 100) -> list[str]:
        reply = await self.scripts.admit("main", source, jobs, most, 60_000, 60_000, 100)
        return [outcome for outcome, _ in reply]

    async def tick(
        self,
        *outcomes: Outcome,
        replica: str = "r1",
        policy: TickPolicy = POLICY,
        sequence: int | None = None,
        most_claims: int = 5,
    ) -> Tick:
        number = sequence or self._sequence + 1
        self._sequence = max(self._sequence, number)
        return await self.scripts.tick("main", policy, replica, number, outcomes, most_claims, 0.0)

    async def claim(self, **options: Any) -> Claim:
        (claim,) = (await self.tick(**options)).claims
        return claim

    async def deliver(self, policy: TickPolicy = POLICY) -> str:
        """Claim one send, let it be delivered, and return its job."""
        claim = await self.claim(policy=replace(policy, most_in_flight=1))
        await self.settle(claim, policy)
        return claim.job_id

    async def settle(self, claim: Claim, policy: TickPolicy = POLICY) -> None:
        """Let a claimed send be delivered, and claim nothing."""
        await self.tick(Outcome(claim, **DELIVERED), policy=replace(policy, most_in_flight=0))

    async def keys(self, pattern: str) -> list[Any]:
        return await self._redis.keys(pattern)

    async def drop(self, key: Any) -> None:
        """Let KEY be gone, as when its time is over."""
        await self._redis.delete(key)

    async def weight(self, key: Any) -> int:
        """Return how many bytes the value of KEY has."""
        return int(await self._redis.strlen(key))

    async def entries(self, stream: str) -> int:
        """Return how many entries the account's STREAM (`index`, `letters`) has."""
        return int(await self._redis.xlen(f"gw:{{main}}:{stream}"))

    async def left(self, key: Any) -> int:
        """Return how many milliseconds KEY has left, negative for one that does not end."""
        return int(await self._redis.pttl(key))

    async def fill(self) -> None:
        """Leave Redis no memory for more than it holds."""
        await self._redis.config_set("maxmemory", 1)

    async def redis_time(self) -> int:
        seconds, _ = await self._redis.time()
        return int(seconds)

    async def reconnect(self) -> None:
        """Give up connections that lead nowhere any more."""
        await self._redis.connection_pool.disconnect()

    async def redis_ms(self) -> int:
        seconds, microseconds = await self._redis.time()
        return int(seconds) * 1000 + int(microseconds) // 1000

    async def state(self, name: str) -> dict[str, Any]:
        document = await self.scripts.read("main", job_id=name)
        assert document is not None
        receipt: dict[str, Any] = json.loads(document)
        return receipt


def job(name: str, target: str = "group:1", *, parts: int = 1, media: str = "", **fields: Any) -> Submission:
    part = Part("send_group_msg", b'{"group_id":"1"}', 1_000, 0, "0123456789abcdef", nodes=False, media=media)
    return Submission("main", name, target, f"print-{name}", (part,) * parts, **fields)
