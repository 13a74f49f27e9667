"""One listener and its connection: what it takes, what it tells, when it tries again, and when it lets go."""

import asyncio
import re
from typing import Any

import pytest
from structlog.testing import capture_logs

from gateway.forward.listener import LARGEST_FRAME
from gateway.model.errors import StoreRefuses, StoreUnavailable
from gateway.sandbox.napcat import StandIn
from tests.forward.listening import LEASE, Ear, Peer, websocket
from tests.forward.test_events import sent
from tests.world import World, until


def lines(logs: Any, event: str) -> list[Any]:
    return [line for line in logs if line["event"] == event]


async def test_frames_are_counted_and_only_events_are_taken_in_their_order(world: World, peer: Peer) -> None:
    async with Ear(world, websocket(peer.url)).open() as ear:
        for number in range(50):
            await peer.say(sent(message_id=number))
            await peer.say({"status": "failed", "retcode": 1404, "echo": "", "data": None})
        await peer.say(b"binary")
        await until(lambda: ear.listener.frames["ignored"] == 51)
        assert [event["message_id"] for event in ear.heard] == list(range(50))
        assert ear.listener.frames == {"taken": 51, "ignored": 51}


async def test_a_frame_over_the_limit_is_told_and_counted_and_costs_one_connection(world: World, peer: Peer) -> None:
    with capture_logs() as logs:
        async with Ear(world, websocket(peer.url)).open() as ear:
            await peer.say(sent("x" * (LARGEST_FRAME - 1_000)))
            await until(lambda: ear.heard)
            await peer.say(sent("x" * LARGEST_FRAME))
            await until(lambda: ear.connections == 2)
            await peer.say(sent("after"))
            await until(lambda: len(ear.heard) == 2)
            assert ear.listener.frames["too_large"] == 1
    (lost,) = lines(logs, "events.lost")
    assert lost["reason"] == "frame_too_large"
    assert "xxx" not in str(logs)


async def test_a_refused_token_is_told_once_and_tried_again_until_it_is_right(world: World) -> None:
    async with StandIn(token="another").serve() as napcat:
        with capture_logs() as logs:
            async with Ear(world, websocket(napcat.url), token="s3cret").open() as ear:
                await until(lambda: "token_refused" in ear.listener.state.error)
                await napcat.stop()
                await until(lambda: "not_connected" in ear.listener.state.error)
                await napcat.start()
                await until(lambda: "token_refused" in ear.listener.state.error)
                assert (ear.listener.state.state, ear.connections) == ("connecting", 0)
                assert [line["reason"] for line in lines(logs, "events.lost")] == ["token_refused"]
                await napcat.stop()
                async with StandIn(port=napcat.port, token="s3cret").serve():
                    await ear.becomes("connected")
    assert len(lines(logs, "events.connected")) == 1
    assert "s3cret" not in str(logs)


async def test_a_token_that_was_changed_while_napcat_was_down_is_told_too(world: World) -> None:
    with capture_logs() as logs:
        napcat = StandIn(token="first")
        await napcat.start()
        async with Ear(world, websocket(napcat.url), token="first").open() as ear:
            await ear.becomes("connected")
            await napcat.stop()
            await until(lambda: "not_connected" in ear.listener.state.error)
            async with StandIn(port=napcat.port, token="second").serve():
                await until(lambda: "token_refused" in ear.listener.state.error)
    assert [line["reason"] for line in lines(logs, "events.lost")] == ["closed", "token_refused"]


async def test_the_token_is_sent_in_a_header_and_never_in_the_address(world: World, peer: Peer) -> None:
    async with Ear(world, websocket(peer.url) + "/event", token="s3cret").open() as ear:
        await ear.becomes("connected")
    (request,) = peer.requests
    assert request.headers["Authorization"] == "Bearer s3cret"
    assert request.path_qs == "/event"


async def test_one_line_tells_of_a_loss_and_one_of_the_new_connection_however_many_tries_it_took(
    world: World, peer: Peer
) -> None:
    with capture_logs() as logs:
        async with Ear(world, websocket(peer.url)).open() as ear:
            await ear.becomes("connected")
            peer.greets = peer.stays = False
            assert peer.socket is not None
            await peer.socket.close()
            await until(lambda: len(peer.requests) >= 5)
            assert ear.listener.state.state == "connecting"
            peer.greets = peer.stays = True
            await ear.becomes("connected")
    assert [line["reason"] for line in lines(logs, "events.lost")] == ["closed"]
    assert len(lines(logs, "events.connected")) == 2


async def test_a_peer_that_takes_connections_and_drops_them_is_asked_ever_more_rarely(world: World, peer: Peer) -> None:
    peer.stays = False
    began = asyncio.get_running_loop().time()
    async with Ear(world, websocket(peer.url), pauses=(0.02, 60.0)).open():
        await until(lambda: len(peer.requests) == 5)
    assert asyncio.get_running_loop().time() - began > 0.02 + 0.04 + 0.08 + 0.16


async def test_a_peer_that_takes_the_connection_and_has_no_events_is_no_connection(world: World, peer: Peer) -> None:
    peer.greets = False
    async with Ear(world, websocket(peer.url)).open() as ear:
        await until(lambda: "no event yet" in ear.listener.state.error)
        assert (ear.listener.state.state, ear.connections) == ("connecting", 0)
        await peer.say(sent())
        await ear.becomes("connected")
        await until(lambda: ear.heard)


async def test_a_peer_that_answers_no_ping_any_more_is_left_for_a_new_connection(world: World, peer: Peer) -> None:
    peer.answers_pings = False
    with capture_logs() as logs:
        async with Ear(world, websocket(peer.url), silence_s=0.05).open() as ear:
            await until(lambda: ear.connections == 2)
    assert {line["reason"] for line in lines(logs, "events.lost")} == {"silent"}


@pytest.mark.parametrize(
    "url",
    ["ws://127.0.0.1:9", "ws://no-such-name.invalid", f"ws://{'a' * 64}.example", "wss://{}"],
)
async def test_an_address_nobody_can_connect_to_is_told_once(world: World, peer: Peer, url: str) -> None:
    with capture_logs() as logs:
        async with Ear(world, url.format(peer.url.removeprefix("http://"))).open() as ear:
            await until(lambda: re.match("not_connected: .", ear.listener.state.error))
    assert [line["reason"] for line in lines(logs, "events.lost")] == ["not_connected"]


async def test_an_http_server_that_speaks_no_websocket_is_told(world: World) -> None:
    gateway = await world.gateway()
    async with Ear(world, websocket(gateway.url) + "/healthz/live").open() as ear:
        await until(lambda: "not_connected: 200" in ear.listener.state.error)


async def test_a_listener_whose_lease_is_lost_disconnects_at_once_and_waits(world: World, peer: Peer) -> None:
    with capture_logs() as logs:
        async with Ear(world, websocket(peer.url)).open() as ear:
            await ear.becomes("connected")
            await until(lambda: peer.socket)
            await world.clients.commands.set(LEASE, "another", px=60_000)
            await ear.becomes("standby")
            await until(lambda: peer.socket is None)
            await world.clients.commands.delete(LEASE)
            await ear.becomes("connected")
    assert [line["reason"] for line in lines(logs, "events.lost")] == ["lease_lost"]


async def test_the_lease_is_kept_while_one_event_takes_longer_than_it_lasts(world: World, peer: Peer) -> None:
    ear, other = (Ear(world, websocket(peer.url), lease_ms=400) for _ in range(2))
    going_on = asyncio.Event()
    async with ear.open():
        await ear.becomes("connected")

        async def wait(_: dict[str, Any]) -> None:
            await going_on.wait()

        ear.take = wait
        await peer.say(sent())
        async with other.open():
            await until(lambda: other.scripts.asked >= 8)  # each time after a fifth of the lease
            assert (ear.listener.state.state, other.listener.state.state) == ("connected", "standby")
            going_on.set()
            await until(lambda: ear.heard)


async def test_an_event_that_redis_did_not_take_ends_neither_the_task_nor_the_listening(
    world: World, peer: Peer
) -> None:
    async def fail(_: dict[str, Any]) -> None:
        ear.take = None
        raise StoreUnavailable("Redis: down")

    with capture_logs() as logs:
        async with Ear(world, websocket(peer.url)).open() as ear:
            await ear.becomes("connected")
            ear.take = fail
            await peer.say(sent("lost"))
            await until(lambda: ear.connections == 2)
            await peer.say(sent("heard"))
            await until(lambda: ear.heard)
    assert [line["reason"] for line in lines(logs, "events.lost")] == ["redis_lost"]


async def test_an_event_that_a_full_redis_refuses_does_not_cost_the_connection(world: World, peer: Peer) -> None:
    async def refuse(_: dict[str, Any]) -> None:
        raise StoreRefuses("Redis: OOM")

    async with Ear(world, websocket(peer.url)).open() as ear:
        await ear.becomes("connected")
        ear.take = refuse
        await peer.say(sent("refused"))
        await until(lambda: ear.listener.frames["refused"] == 1)
        ear.take = None
        await peer.say(sent("heard"))
        await until(lambda: ear.heard)
        assert ear.connections == 1


async def test_events_are_heard_also_when_redis_is_full(world: World) -> None:
    await world.clients.commands.config_set("maxmemory", 1)
    async with Ear(world, websocket(world.napcat.url)).open() as ear:
        await ear.becomes("connected")


async def test_after_its_end_nothing_listens_any_more(world: World, peer: Peer) -> None:
    async with Ear(world, websocket(peer.url)).open() as ear:
        await ear.becomes("connected")
    await until(lambda: peer.socket is None)
    assert not [task for task in asyncio.all_tasks() if task.get_name().startswith("hearing")]
    await ear.listener.release()
    assert not await world.clients.commands.exists(LEASE)
