"""NapCat's events over WebSocket: one replica listens, whatever happens to it, to NapCat or to Redis."""

import asyncio
import json
from typing import Any

from aiohttp import ClientSession

from gateway.sandbox.events import heartbeat
from tests.forward.listening import LEASE, Peer, websocket
from tests.forward.test_events import JOB, sent
from tests.forward.test_notices import SELF, holds
from tests.world import Gateway, World, until


def account(world: World, url: str = "", **fields: Any) -> dict[str, Any]:
    """Return an account whose events come over WebSocket only."""
    return world.account(events_url=websocket(url or world.napcat.url) + "/", events_secret="", **fields)


async def listening(gateway: Gateway, *states: str) -> str:
    """Wait until the gateway is in one of STATES as a listener (connected) and return which."""

    async def look() -> str:
        account = (await gateway.status())["accounts"].get("main", {})  # none while Redis is lost
        return str(account and account["events"]["listening"])

    found: str = await until(look, lambda state: state in (states or ("connected",)))
    return found


async def hearing(world: World, url: str = "", **sections: Any) -> Gateway:
    """Start a gateway and wait until it hears NapCat, or the one at URL."""
    gateway = await world.gateway(accounts=[account(world, url)], **sections)
    await listening(gateway)
    return gateway


async def unknown(world: World, gateway: Gateway) -> None:
    """Bring a job into the state nobody knows the end of."""
    world.napcat.behave("*", "timeout", wait_ms=10)
    await world.add(JOB)
    await gateway.shows("key:a", "unknown")


async def test_what_napcat_itself_reports_late_settles_the_job_and_lets_the_next_one_go(world: World) -> None:
    world.napcat.behave("group:1", "timeout_late", times=1, wait_ms=10, late_ms=200)
    await hearing(world)
    await world.add(JOB, {**JOB, "message": "behind", "key": "b"})
    first, second = await world.ended(2)
    assert (first.state, first.evidence) == ("delivered", "event")
    assert (second.state, second.evidence) == ("delivered", "response")


async def test_what_is_in_flight_at_the_end_is_still_settled_by_its_event(world: World) -> None:
    gateway = await hearing(world)
    world.napcat.behave("group:1", "timeout", times=1, wait_ms=500)
    await world.add(JOB)
    await until(lambda: world.napcat.received)
    stopping = asyncio.create_task(gateway.stop())
    reader = world.clients.commands.exists
    await until(lambda: reader("gw:{gw:jobs}:reader:gw:jobs"), lambda number: number == 0)
    await world.napcat.emit(sent())
    await stopping
    (receipt,) = await world.ended(1)
    assert (receipt.state, receipt.evidence) == ("delivered", "event")


async def test_a_group_that_mutes_the_account_is_parked_until_that_is_lifted(world: World) -> None:
    gateway = await hearing(world)
    await world.napcat.emit_group_ban("1", 600)
    await until(lambda: holds(gateway), lambda found: found == [("group:1", "muted")])
    await world.add(JOB)
    await gateway.shows("key:a", "waiting", "parked")
    await world.napcat.emit_lift_ban("1")
    await gateway.shows("key:a", "delivered")


async def test_of_two_gateways_one_listens_and_the_other_takes_over_when_it_is_stopped(
    world: World, peer: Peer
) -> None:
    first = await hearing(world, peer.url)
    second = await world.gateway(accounts=[account(world, peer.url)])
    await listening(second, "standby")
    assert len(peer.requests) == 1
    await first.stop()
    await listening(second)
    assert len(peer.requests) == 2
    await unknown(world, second)
    await peer.say(sent())
    await second.shows("key:a", "delivered")


async def test_when_the_one_that_listens_is_killed_the_other_takes_over_after_its_lease(world: World) -> None:
    first = await world.process(accounts=[account(world)])
    await until(lambda: first.events("events.connected"))
    second = await world.gateway(accounts=[account(world)])
    await listening(second, "standby")
    await first.kill()
    await listening(second)
    await unknown(world, second)
    await world.napcat.emit(sent())
    await second.shows("key:a", "delivered")


async def test_after_a_restart_of_napcat_its_events_are_heard_again(world: World) -> None:
    gateway = await hearing(world)
    await world.napcat.stop()
    await listening(gateway, "connecting")
    await world.napcat.start()
    await listening(gateway)
    await unknown(world, gateway)
    await world.napcat.emit(sent())
    await gateway.shows("key:a", "delivered")


async def test_after_a_restart_of_redis_events_are_heard_again(world: World) -> None:
    gateway = await hearing(world)
    await world.stop_redis()
    await until(lambda: gateway.get("/status"), lambda reply: reply.json["tasks"]["events main"] != "ok")
    await world.start_redis()
    await listening(gateway)
    world.napcat.behave("*", "timeout", wait_ms=10)
    await world.add(JOB)
    await until(world.receipts, lambda receipts: "unknown" in {receipt.state for receipt in receipts})
    await world.napcat.emit(sent())
    (receipt,) = await world.ended(1)
    assert (receipt.state, receipt.evidence) == ("delivered", "event")


async def test_an_account_without_an_address_for_events_listens_to_nothing(world: World) -> None:
    gateway = await world.gateway()
    document = await gateway.status()
    assert document["accounts"]["main"]["events"] == {"listening": "off"}
    assert not [name for name in document["tasks"] if name.startswith("events")]
    assert not await world.clients.commands.exists(LEASE)


async def test_what_is_no_event_changes_nothing_and_listening_goes_on(world: World, peer: Peer) -> None:
    gateway = await hearing(world, peer.url)
    await unknown(world, gateway)
    frames: list[dict[str, Any] | str | bytes] = [
        "",
        "{",
        "null",
        "[1, 2]",
        '"message_sent"',
        '{"post_type": 1}',
        '{"post_type": "message_sent", "a": ' + "[" * 5_000,
        {"status": "ok", "retcode": 0, "data": sent(), "echo": "message_sent"},
        {**sent(), "post_type": "message"},
        sent(message=None),
        b"\xff\x00",
        json.dumps(sent()).encode(),
    ]
    for frame in frames:
        await peer.say(frame)
    await peer.say(heartbeat(SELF, 30_000, online=False))
    await until(lambda: holds(gateway))
    assert (await gateway.receipt("key:a")).state == "unknown"
    assert len(peer.requests) == 1
    await peer.say(sent())
    await gateway.shows("key:a", "delivered")


async def test_the_status_shows_since_when_and_what_is_wrong_and_no_token(world: World) -> None:
    gateway = await world.gateway(accounts=[account(world, "http://127.0.0.1:9", token="s3cret")])
    await listening(gateway, "connecting")
    async with ClientSession(gateway.url) as session:

        async def look() -> str:
            return await (await session.get("/status")).text()

        text = await until(look, lambda text: "not_connected" in text)
    assert "s3cret" not in text
