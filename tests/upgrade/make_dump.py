"""Make the dump that `test_dump.py` reads: what the last landed version leaves behind when its power is cut.

Run it by hand, in a repository that has the commit: python -m tests.upgrade.make_dump
"""

import asyncio
import json
import tempfile
from pathlib import Path
from typing import Any

import aiohttp

from gateway.sandbox.process import GatewayProcess
from gateway.store.keys import Keys
from tests.upgrade import queue
from tests.upgrade.dump import dumped
from tests.upgrade.trees import LANDED, changed, landed, running
from tests.world import World, until, world


async def make(folder: Path) -> None:
    """Run the last landed version in FOLDER until jobs are in every state, and write down what it leaves."""
    old = landed(folder / "landed")
    assert old is not None, f"this repository has no commit {LANDED}"
    tree = running(changed(folder / "long", queue.LONG, old))
    async with world(folder / "world") as made:
        accounts = [made.account(), made.account(name="second")]
        first = await made.process_in(tree, accounts=accounts, **queue.settings(settle_for="300ms"))
        await _what_is_over(made, first)
        assert await first.stop() == 0
        second = await made.process_in(tree, accounts=accounts, **queue.settings())
        await _what_is_under_way(made, second)
        await second.kill()
        await made.producer.push(*map(json.dumps, queue.BY_LIST[:2]))
        redis: Any = made.clients.commands
        for document in await redis.lpop("gw:jobs:list", 2):
            await redis.xadd(Keys("gw").list_stream("gw:jobs:list"), {"job": document})
        await made.producer.push(*map(json.dumps, queue.BY_LIST[2:]))
        await made.add(*queue.BY_STREAM)
        lines = await dumped(redis)
    queue.DUMP.write_text("\n".join(lines) + "\n")


async def _what_is_over(made: World, gateway: GatewayProcess) -> None:
    napcat = made.napcat
    napcat.behave("group:201", "reject")
    napcat.behave("group:202", "kick")
    napcat.behave("group:203", "timeout", 1, wait_ms=10)
    await made.add(*queue.DELIVERED, queue.DEAD, queue.REJECTED, queue.UNCONFIRMED, *queue.LIMITED)
    for key, state in (("dead", "dead"), ("rejected", "rejected"), ("unconfirmed", "unconfirmed")):
        await _shows(gateway, key, state)
    for key in ("delivered-1", "delivered-2", "limited-0", "limited-1"):
        await _shows(gateway, key, "delivered")
    napcat.clear()


async def _what_is_under_way(made: World, gateway: GatewayProcess) -> None:
    napcat, url = made.napcat, gateway.url
    await _post(f"{url}/v1/targets/group/100/park", {"reason": "quarrel"})
    await _post(f"{url}/v1/accounts/second/pause", {"reason": "night"})
    napcat.behave("group:105", "rate", 1)
    napcat.behave("group:106", "timeout", 1, wait_ms=10)
    napcat.behave("group:107", "normal", 1)
    napcat.behave("group:107", "rate", 1)
    napcat.behave("group:109", "too_fast", 1)
    napcat.behave("group:110", "mute", 1)
    napcat.behave("group:104", "hang", 1)
    napcat.behave("group:111", "hang", 1)
    await made.add(*queue.PARKED, queue.CANCELLED, *queue.PAUSED, queue.NEVER, queue.CALLED_BACK, queue.RETRIED)
    await made.add(queue.SETTLING, queue.PARTS, queue.SLOWED, queue.MUTED)
    await _shows(gateway, "settling", "unknown")
    for key, reason in (("retried", "retry"), ("slowed", "retry"), ("muted", "parked"), ("paused-2", "paused")):
        await _shows(gateway, key, "waiting", reason)
    await _shows(gateway, "called-back", "delivered")
    await until(lambda: gateway.events("callback.failed"))
    await until(lambda: _receipt(gateway, "parts"), lambda told: told and told["parts"]["delivered"] == 1)
    async with aiohttp.ClientSession() as session:
        job = (await _receipt(gateway, "cancelled") or {})["id"]
        async with session.delete(f"{url}/v1/jobs/{job}") as answer:
            assert answer.status == 200, await answer.text()
    # What does not last is made last: the leases of calls, and who stands aside for some seconds.
    await made.add(queue.SOON, *queue.ASIDE)
    await until(lambda: "aside-0" in {call.text for call in napcat.received})
    await made.add(queue.IN_FLIGHT, queue.BEHIND, queue.RESENT)
    await until(lambda: {call.text for call in napcat.received} >= {"in-flight", "resent"})


async def _receipt(gateway: GatewayProcess, key: str) -> dict[str, Any] | None:
    async with aiohttp.ClientSession() as session, session.get(f"{gateway.url}/v1/jobs/key:{key}") as answer:
        return await answer.json() if answer.status == 200 else None


async def _shows(gateway: GatewayProcess, key: str, state: str, reason: str | None = None) -> None:
    async def looks() -> dict[str, Any] | None:
        account = "second" if key.startswith("paused") else "main"
        async with (
            aiohttp.ClientSession() as session,
            session.get(f"{gateway.url}/v1/jobs/key:{key}?account={account}") as answer,
        ):
            return await answer.json() if answer.status == 200 else None

    await until(looks, lambda told: told and told["state"] == state and reason in {None, told.get("reason")})


async def _post(url: str, document: dict[str, Any]) -> None:
    async with aiohttp.ClientSession() as session, session.post(url, json=document) as answer:
        assert answer.status == 200, await answer.text()


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as temporary:
        asyncio.run(make(Path(temporary)))
    print(f"{queue.DUMP}: {queue.DUMP.stat().st_size} bytes")  # noqa: T201
