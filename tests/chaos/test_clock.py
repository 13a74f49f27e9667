"""Nothing depends on the clock on a replica's wall: time is Redis' own, wherever replicas have to agree on it."""

import json
import os
import signal
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from aiohttp import web

from gateway.app import create_app
from gateway.clock import Clock
from gateway.sandbox.journal import Received
from gateway.sandbox.process import GatewayProcess
from gateway.settings import load_settings
from tests.world import WIDE, World, until

HOUR = 3600.0
WRONG = pytest.mark.parametrize("wrong_by", [HOUR, -HOUR], ids=["an hour ahead", "an hour behind"])

SITECUSTOMIZE = """
import datetime
import time

_by, _time, _time_ns = {by}, time.time, time.time_ns


class _Datetime(datetime.datetime):
    @classmethod
    def now(cls, tz=None):
        return super().now(tz) + datetime.timedelta(seconds=_by)

    @classmethod
    def utcnow(cls):
        return super().utcnow() + datetime.timedelta(seconds=_by)


time.time = lambda: _time() + _by
time.time_ns = lambda: _time_ns() + int(_by * 1e9)
datetime.datetime = _Datetime
"""
"""What Python runs first in a replica whose wall clock is wrong."""


@asynccontextmanager
async def replica(world: World, wrong_by: float = 0.0, **sections: Any) -> AsyncIterator[GatewayProcess]:
    """Run a replica of its own whose wall clock is wrong by so many seconds."""
    folder = world.folder / f"replica {wrong_by:+.0f} s"
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(SITECUSTOMIZE.format(by=wrong_by))
    path = os.pathsep.join([str(folder), *filter(None, [os.environ.get("PYTHONPATH")])])
    settings = world.settings(log={"format": "json", "level": "info"}, **sections)
    gateway = GatewayProcess(settings, folder, {"PYTHONPATH": path})
    await gateway.start()
    try:
        (started,) = gateway.events("gateway.started")
        off = (datetime.fromisoformat(started["timestamp"]) - datetime.now(UTC)).total_seconds()
        assert abs(off - wrong_by) < 60, "the replica's clock is not as wrong as it should be"
        yield gateway
    finally:
        await gateway.kill()


def sent(world: World, target: str) -> Received:
    """Return the only send to a target."""
    (call,) = [call for call in world.napcat.received if call.target == target]
    return call


async def test_a_limit_holds_from_one_replica_to_another_whose_clock_is_two_hours_behind(world: World) -> None:
    world.napcat.behave("*", "delay", ms=30)
    limits = {**WIDE, "account": ["10/400ms"]}
    async with replica(world, HOUR, limits=limits) as ahead, replica(world, -HOUR, limits=limits) as behind:
        behind.send_signal(signal.SIGSTOP)
        await world.add(*({"group_id": str(n % 12 + 1), "message": str(n)} for n in range(50)))
        await until(lambda: len(world.napcat.received) >= 25)
        behind.send_signal(signal.SIGCONT)
        await ahead.stop()
        await world.ended(50)
        assert ahead.events("job.attempted")
        assert behind.events("job.attempted")
    times = [call.at for call in world.napcat.received]
    assert min(later - earlier for earlier, later in zip(times, times[10:], strict=False)) >= 0.4


@WRONG
async def test_a_scheduled_job_goes_when_it_is_due_whatever_the_replica_takes_the_time_for(
    world: World, wrong_by: float
) -> None:
    async with replica(world, wrong_by):
        began, due = time.monotonic(), datetime.now(UTC) + timedelta(seconds=0.8)
        await world.add(
            {"group_id": "1", "message": "now"},
            {"group_id": "2", "message": "in half a second", "delay": "500ms"},
            {"group_id": "3", "message": "at its time", "not_before": due.isoformat()},
        )
        await world.ended(3)
    assert sent(world, "group:2").at - began >= 0.5
    assert sent(world, "group:3").at - began >= 0.8 - 0.001  # times are whole milliseconds
    assert sent(world, "group:1").at < sent(world, "group:2").at


@WRONG
async def test_a_job_expires_when_its_time_is_over_and_not_before(world: World, wrong_by: float) -> None:
    world.napcat.behave("group:4", "delay", times=1, ms=400)
    half_an_hour = timedelta(minutes=30)
    async with replica(world, wrong_by):
        await world.add(
            {"group_id": "1", "message": "good for half an hour", "ttl": "30m"},
            {"group_id": "2", "message": "good", "expires_at": (datetime.now(UTC) + half_an_hour).isoformat()},
            {"group_id": "3", "message": "stale", "expires_at": (datetime.now(UTC) - half_an_hour).isoformat()},
            {"group_id": "4", "message": "slow"},
            {"group_id": "4", "message": "stale when it could go", "ttl": "200ms"},
        )
        receipts = await world.ended(5)
    assert sorted(call.text for call in world.napcat.received) == ["good", "good for half an hour", "slow"]
    assert sorted((receipt.code, receipt.target) for receipt in receipts if receipt.state == "expired") == [
        ("expires_at", "group:3"),
        ("ttl", "group:4"),
    ]


async def test_no_lease_lapses_while_the_call_may_still_be_answered(world: World) -> None:
    world.napcat.behave("*", "delay", ms=900)
    delivery = {"timeout": "1s", "slack": "500ms"}
    async with replica(world, HOUR, delivery=delivery), replica(world, -HOUR, delivery=delivery):
        await world.add(*({"group_id": str(n), "message": "slow"} for n in range(1, 11)))
        receipts = await world.ended(10)
    assert {(receipt.state, receipt.evidence) for receipt in receipts} == {("delivered", "response")}
    assert len(world.napcat.received) == 10


async def test_what_a_killed_replica_held_is_taken_over_in_time_though_its_clock_was_ahead(world: World) -> None:
    world.napcat.behave("group:1", "hang")
    delivery = {"timeout": "1s", "slack": "500ms", "settle_for": "100ms"}
    async with replica(world, HOUR, delivery=delivery) as ahead:
        await world.add({"group_id": "1", "message": "under way"})
        await until(lambda: world.napcat.received)
        claimed = time.monotonic()
        await ahead.kill()
    await world.gateway(delivery=delivery)
    await world.add({"group_id": "2", "message": "behind the reader's lease"})
    first, second = await world.ended(2)
    assert (first.target, first.state) == ("group:2", "delivered")
    assert (second.target, second.code) == ("group:1", "lease_lapsed")
    assert time.monotonic() - claimed > 6, "a lease lasts timeout + slack + 5 s"
    assert len(world.napcat.received) == 2


class Elsewhere(Clock):
    """The clock of a machine that was started an hour before this one."""

    def monotonic(self) -> float:
        return super().monotonic() + HOUR


async def test_it_is_all_the_same_when_a_replicas_machine_was_started(world: World) -> None:
    file = world.folder / "elsewhere.yaml"
    file.write_text(json.dumps(world.settings(limits={**WIDE, "group": ["5/100ms"]})))
    runner = web.AppRunner(create_app(load_settings(file, {}), Elsewhere()))
    await runner.setup()
    try:
        await world.add(*({"group_id": "1", "message": str(n)} for n in range(20)))
        receipts = await world.ended(20)
    finally:
        await runner.cleanup()
    assert {(receipt.state, len(receipt.attempts or ())) for receipt in receipts} == {("delivered", 1)}
    assert world.napcat.texts("group:1") == [str(n) for n in range(20)]
