"""An account that does not work is paused for all, asked now and then, and tried gently when it is back."""

from datetime import datetime
from typing import Any

import pytest

from gateway.sandbox.napcat import StandIn
from gateway.sandbox.process import free_port
from tests.forward.test_events import PATH, tell
from tests.world import SECRET, Gateway, World, until


def job(group: int, **fields: Any) -> dict[str, Any]:
    return {"group_id": group, "message": f"to {group}", "key": f"{group}", **fields}


async def account(gateway: Gateway) -> dict[str, Any]:
    found: dict[str, Any] = (await gateway.status())["accounts"]["main"]
    return found


async def paused_for(gateway: Gateway) -> str | None:
    return next((hold["reason"] for hold in (await account(gateway))["holds"] if hold["target"] == "account"), None)


async def test_while_napcat_is_away_jobs_wait_without_an_attempt_and_go_when_it_comes(world: World) -> None:
    await world.napcat.stop()
    gateway = await world.gateway()
    await until(lambda: paused_for(gateway), lambda reason: reason == "not_connected")
    await world.add(*(job(group) for group in range(1, 4)))
    assert (await gateway.shows("key:1", "waiting", "paused")).attempts == []
    await world.napcat.start()
    receipts = await world.ended(3)
    assert [len(receipt.attempts or []) for receipt in receipts] == [1, 1, 1]


async def test_an_account_that_is_back_is_tried_with_one_call_first_and_more_with_each_answer(world: World) -> None:
    await world.napcat.stop()
    napcat = StandIn(port=world.napcat.port, answer_ms=150)
    gateway = await world.gateway(accounts=[world.account(max_in_flight=8)])
    await until(lambda: paused_for(gateway))
    await world.add(*(job(group) for group in range(1, 17)))
    async with napcat.serve():
        await world.ended(16)
        arrivals = [call.at for call in napcat.received]
    first = arrivals[0]
    assert sum(at < first + 0.1 for at in arrivals) == 1
    assert sum(at < first + 0.25 for at in arrivals) <= 3
    assert (await account(gateway))["breaker"] == "closed"


@pytest.mark.parametrize("status", [500, 502, 504])
async def test_five_server_errors_in_a_row_pause_the_account_and_none_of_them_is_sent_again(
    world: World, status: int
) -> None:
    world.napcat.behave("*", "bad_gateway", times=5, status=status)
    gateway = await world.process(delivery={"settle_for": "0s"})
    await world.add(*(job(group) for group in range(1, 6)))
    # The log, since a look at the account may come when the pause is over: NapCat is well.
    await until(lambda: [event["reason"] for event in gateway.events("lane.held")] == ["proxy_error"])
    assert {receipt.state for receipt in await world.ended(5)} == {"unconfirmed"}
    await world.add(job(6))
    assert [receipt.state for receipt in await world.ended(6)].count("delivered") == 1
    assert len(world.napcat.received) == 6


async def test_four_server_errors_in_a_row_pause_nothing(world: World) -> None:
    gateway = await world.gateway(accounts=[world.account(max_in_flight=1)], delivery={"settle_for": "0s"})
    for first in (1, 6):
        world.napcat.behave("*", "bad_gateway", times=4)
        await world.add(*(job(group) for group in range(first, first + 5)))
        await world.ended(first + 4)
    assert await paused_for(gateway) is None
    assert len(world.napcat.received) == 10


async def test_an_account_that_is_offline_is_paused_before_anything_is_tried(world: World) -> None:
    world.napcat.behave("*", "offline")
    gateway = await world.gateway()
    await until(lambda: paused_for(gateway), lambda reason: reason == "bot_offline")
    await world.add(job(1))
    await gateway.shows("key:1", "waiting", "paused")
    world.napcat.clear()
    await gateway.shows("key:1", "delivered")
    assert len(world.napcat.received) == 1


async def test_another_number_than_before_gets_none_of_the_messages_until_an_operator_takes_it(world: World) -> None:
    gateway = await world.gateway()
    await until(lambda: account(gateway), lambda found: found["self_id"] == "10001")
    await world.napcat.stop()
    await world.add(job(1))
    await until(lambda: paused_for(gateway))
    async with StandIn(port=world.napcat.port, self_id="20002").serve() as other:
        await until(lambda: paused_for(gateway), lambda reason: reason == "wrong_account", deadline=20)
        status = await gateway.status()
        assert "another QQ number" in next(
            one["advice"] for one in status["reasons"] if one["code"] == "account_paused"
        )
        assert other.received == []
        await gateway.post("/v1/accounts/main/resume", {})
        await gateway.shows("key:1", "delivered")
        assert (await until(lambda: account(gateway)))["holds"] == []


async def test_a_number_that_is_not_the_configured_one_gets_nothing(world: World) -> None:
    gateway = await world.gateway(accounts=[world.account(self_id="30003")])
    await until(lambda: paused_for(gateway), lambda reason: reason == "wrong_account")
    await world.add(job(1))
    await gateway.shows("key:1", "waiting", "paused")
    assert world.napcat.received == []


async def test_replicas_share_what_one_of_them_finds_out(world: World) -> None:
    gateways = [await world.gateway(), await world.gateway()]
    await world.napcat.stop()
    await world.add(job(1))
    for gateway in gateways:
        assert (await gateway.shows("key:1", "waiting", "paused")).attempts is not None
    await world.napcat.start()
    await gateways[0].shows("key:1", "delivered")
    assert len(world.napcat.received) == 1


async def test_napcat_that_announces_itself_is_asked_at_once(world: World) -> None:
    gateway = await world.gateway()
    await world.napcat.stop()
    await world.add(job(1))
    await until(lambda: paused_for(gateway))
    # A pause as long as it gets: nobody would ask for half a minute.
    await gateway.post("/v1/accounts/main/pause", {"for": "20ms"})
    found = await until(lambda: account(gateway), lambda found: _pause_s(found) > 3)
    world.napcat.report_to(gateway.url + PATH, SECRET)
    await world.napcat.start()
    event = {"post_type": "meta_event", "meta_event_type": "lifecycle", "sub_type": "connect", "self_id": 10001}
    await tell(gateway, event)
    receipt = await gateway.shows("key:1", "delivered")
    assert receipt.ended_at is not None
    assert receipt.ended_at < datetime.fromisoformat(_pause(found)["until"])


def _pause_s(found: dict[str, Any]) -> float:
    """Return how long the account has been paused, and will be, in seconds."""
    hold = _pause(found)
    if not hold:
        return 0
    return (datetime.fromisoformat(hold["until"]) - datetime.fromisoformat(hold["since"])).total_seconds()


def _pause(found: dict[str, Any]) -> dict[str, Any]:
    return next((hold for hold in found["holds"] if hold["target"] == "account"), {})


async def test_a_gateway_without_napcat_runs_and_says_so(world: World) -> None:
    gateway = await world.gateway(accounts=[world.account(endpoint=f"http://127.0.0.1:{free_port()}")])
    status = await until(lambda: gateway.get("/status"), lambda reply: reply.json["status"] == "degraded")
    assert status.json["accounts"]["main"]["breaker"] == "open"
    assert (await gateway.get("/healthz/ready")).status == 200
