"""What the last landed version left behind when its power was cut is worked through by this one: see `queue.py`."""

import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from functools import partial
from operator import eq
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from gateway.model.receipt import Receipt
from gateway.sandbox.process import GatewayProcess
from tests.upgrade import queue
from tests.upgrade.calling import ask
from tests.upgrade.dump import dumped, load
from tests.upgrade.trees import changed, running
from tests.world import World, until

LEFT = {"limited-2", "limited-3", "limited-4", "far"}
"""What waits for decades."""
SENT_BEFORE = {
    "delivered-1", "delivered-2", "limited-0", "limited-1", "unconfirmed", "called-back", "aside-0", "settling",
    "in-flight", "part-1",
}  # fmt: skip
"""What may have been sent by the version that is gone, and so must not be sent again."""


@pytest.fixture(name="told")
async def _told() -> AsyncIterator[list[Receipt]]:
    """What was posted to the receiver of the callback, which was away when the dump was made."""
    found: list[Receipt] = []

    async def take(request: web.Request) -> web.Response:
        found.append(Receipt.model_validate_json(await request.read()))
        return web.Response(status=204)

    async with AsyncExitStack() as stack:
        app = web.Application()
        app.router.add_post("/told", take)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        stack.push_async_callback(runner.cleanup)
        await web.TCPSite(runner, *queue.RECEIVER).start()
        yield found


async def started(world: World, folder: Path) -> GatewayProcess:
    """Load the dump, and start this version on it."""
    await load(world.clients.commands, queue.DUMP.read_text().splitlines())
    tree = changed(folder / "long", queue.LONG)
    accounts = [world.account(), world.account(name="second")]
    return await world.process_in(running(tree), accounts=accounts, **queue.settings(settle_for="300ms"))


async def receipt(gateway: GatewayProcess, key: str) -> Receipt:
    account = "second" if key.startswith("paused") else "main"
    status, document = await ask(f"{gateway.url}/v1/jobs/key:{key}?account={account}")
    assert status == 200, document
    return Receipt.model_validate(document)


async def shown(gateway: GatewayProcess, key: str) -> tuple[str, str | None]:
    """Return how the job of KEY is shown."""
    one = await receipt(gateway, key)
    return one.state, one.reason


async def ended(gateway: GatewayProcess, *keys: str, deadline: float = 20.0) -> dict[str, Receipt]:
    """Wait until the jobs of KEYS have ended and return their receipts."""
    found: dict[str, Receipt] = {}
    for key in keys:
        found[key] = await until(partial(receipt, gateway, key), lambda one: one.ended_at, deadline)
    return found


async def queued(gateway: GatewayProcess) -> dict[str, int]:
    _, status = await ask(f"{gateway.url}/status")
    return {name: account["queued"] for name, account in status["accounts"].items()}


async def test_everything_that_the_last_landed_version_left_behind_is_worked_through(
    world: World, told: list[Receipt], tmp_path: Path
) -> None:
    world.napcat.behave("group:107", "normal")
    gateway = await started(world, tmp_path)
    url = gateway.url
    for key, state, reason in (
        ("low-1", "waiting", "parked"), ("paused-1", "waiting", "paused"), ("far", "waiting", "scheduled"),
        ("limited-2", "waiting", "rate_limited"), ("limited-3", "waiting", "behind"),
    ):  # fmt: skip
        # A lane that has been given a turn is queued until its tick.
        await until(partial(shown, gateway, key), partial(eq, (state, reason)))
    assert (await ask(f"{url}/v1/targets/group/100/release", {}))[0] == 200
    assert (await ask(f"{url}/v1/accounts/second/resume", {}))[0] == 200

    # What was over stays what it was, with all that is known of it.
    old = await ended(gateway, "delivered-1", "dead", "rejected", "unconfirmed", "collapsed", "cancelled")
    assert [one.state for one in old.values()] == [
        "delivered", "dead", "rejected", "unconfirmed", "cancelled", "cancelled",
    ]  # fmt: skip
    assert old["delivered-1"].metadata == {"run": 1}
    assert old["delivered-1"].message_ids
    assert [attempt.verdict for attempt in old["dead"].attempts or ()] == ["retry", "retry"]
    assert old["collapsed"].reason == "collapsed"

    # What waited goes, each once and in its order; what may have been sent is not sent again.
    texts = world.napcat.texts
    await until(lambda: len(texts("group:130")) == 3 and len(texts("group:131")) == 4)
    await ended(gateway, *queue.PARKED_GO, "short", "paused-2", "behind", "aside-2")
    await ended(gateway, "soon", "retried", "parts", "slowed", "muted", "resent", "settling", "in-flight")
    assert texts("group:100") == queue.PARKED_GO
    assert texts("group:300") == ["paused-0", "paused-1", "paused-2"]
    assert texts("group:130") == ["stream-0", "stream-1", "stream-2"]
    assert texts("group:131") == ["list-0", "list-1", "list-2", "list-3"]
    assert texts("group:104") == ["behind"]
    sent = [call.text for call in world.napcat.received]
    assert not SENT_BEFORE & set(sent)
    assert len(sent) == len(set(sent))
    assert (await receipt(gateway, "short")).state == "expired"
    for key in ("settling", "in-flight"):
        assert (await receipt(gateway, key)).state == "unconfirmed", key
    for key in ("resent", "parts", "retried", "slowed", "muted", "soon", "behind", "aside-1", "aside-2"):
        assert (await receipt(gateway, key)).state == "delivered", key
    assert (await receipt(gateway, "normal-3")).metadata == {"run": 3}
    whole = await receipt(gateway, "parts")
    assert (whole.parts.delivered, len(whole.message_ids)) == (2, 2)
    assert {attempt.n for attempt in (await receipt(gateway, "resent")).attempts or ()} == {1, 2}
    await until(lambda: told)
    assert [(one.key, one.state) for one in told] == [("called-back", "delivered")]

    # The windows of before count, keys tell what they are for, and the dead can be sent again.
    _, target = await ask(f"{url}/v1/targets/group/109")
    assert target["slowed"]["reason"] == "too_fast"
    assert await ask(f"{url}/v1/jobs", queue.DELIVERED[0]) == (
        202, {"id": old["delivered-1"].id, "state": "delivered", "duplicate": True},
    )  # fmt: skip
    assert (await ask(f"{url}/v1/jobs", {**queue.DELIVERED[0], "message": "other"}))[0] == 422
    assert (await ask(f"{url}/v1/jobs/{old['dead'].id}/replay", {}))[0] == 202
    await until(lambda: texts("group:201") == ["dead"])
    assert await until(lambda: queued(gateway), lambda found: found == {"main": len(LEFT), "second": 0})
    assert not texts("group:101")
    assert not texts("group:102")
    for key in LEFT:
        assert (await ask(f"{url}/v1/jobs/{(await receipt(gateway, key)).id}", method="DELETE"))[0] == 200
    assert await until(lambda: queued(gateway), lambda found: not any(found.values()))
    assert not [one for one in gateway.events("task.failed") if "lanes" in one["task"]]


async def test_what_is_loaded_is_what_was_dumped(world: World) -> None:
    lines = queue.DUMP.read_text().splitlines()
    assert queue.DUMP.stat().st_size < 200_000
    redis = world.clients.commands
    await load(redis, lines)
    now = int((await redis.time())[0]) * 1000
    expected = [one for one in map(json.loads, lines) if one.get("ends_at", now + 60_000) > now + 5_000]
    found: dict[str, Any] = {one["key"]: one for one in map(json.loads, await dumped(redis))}
    for one in expected:
        assert found[one["key"]]["value"] == one["value"], one["key"]
        assert abs(found[one["key"]].get("ends_at", 0) - one.get("ends_at", 0)) < 1_000, one["key"]
