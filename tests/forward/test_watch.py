"""Whether the account works is found out before a message is spent on it, and again after a silence."""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web

from gateway.clock import Clock
from gateway.sandbox.napcat import StandIn
from tests.world import Gateway, World, serving, until

JOB = {"group_id": 1, "message": "x", "key": "a"}
WELL = {
    "get_status": {"online": True},
    "get_login_info": {"user_id": 10001},
    "get_version_info": {"app_name": "NapCat"},
}


class Later(Clock):
    """A clock that can be moved on."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def monotonic(self) -> float:
        return super().monotonic() + self.seconds


class Odd:
    """A NapCat that answers questions with whatever it is told to; sends are delivered and counted."""

    def __init__(self) -> None:
        self.data: dict[str, Any] = dict(WELL)
        self.asked: Counter[str] = Counter()
        self.wait_s: dict[str, float] = {}
        self.url = ""

    async def answer(self, request: web.Request) -> web.Response:
        action = request.path[1:]
        self.asked[action] += 1
        await asyncio.sleep(self.wait_s.get(action, 0))
        data = self.data.get(action, {"message_id": self.asked[action]})
        return web.Response(
            text=json.dumps({"status": "ok", "retcode": 0, "data": data}), content_type="application/json"
        )


@asynccontextmanager
async def odd() -> AsyncIterator[Odd]:
    napcat = Odd()
    async with serving("*", napcat.answer) as napcat.url:
        yield napcat


async def main(gateway: Gateway) -> dict[str, Any]:
    found: dict[str, Any] = (await gateway.status())["accounts"]["main"]
    return found


async def paused_for(gateway: Gateway) -> list[str]:
    return [hold["reason"] for hold in (await main(gateway))["holds"] if hold["target"] == "account"]


@asynccontextmanager
async def after_a_message(world: World, clock: Clock, **account: Any) -> AsyncIterator[Gateway]:
    """Yield a gateway that has heard its NapCat: a message was delivered just now."""
    gateway = Gateway(world.settings(accounts=[world.account(**account)]), world.folder, clock)
    await gateway.start()
    try:
        await world.add(JOB)
        await gateway.shows("key:a", "delivered")
        yield gateway
    finally:
        await gateway.stop()


async def test_nothing_that_waited_goes_before_it_is_known_who_is_logged_in(world: World) -> None:
    first = await world.gateway(accounts=[world.account(self_id="30003")])
    await first.post("/v1/accounts/main/pause", {})
    await world.add(JOB)
    await first.shows("key:a", "waiting", "paused")
    await first.stop()
    await world.clients.commands.hdel("gw:{main}:holds", "account")
    second = await world.gateway(accounts=[world.account(self_id="30003")])
    await until(lambda: paused_for(second), lambda found: found == ["wrong_account"])
    assert world.napcat.received == []


async def test_after_a_silence_it_is_asked_who_is_logged_in_before_anything_is_sent(world: World) -> None:
    clock = Later()
    async with after_a_message(world, clock) as gateway:
        await world.napcat.stop()
        async with StandIn(port=world.napcat.port, self_id="20002").serve() as other:
            clock.seconds = 6.0
            await world.add({**JOB, "key": "b"})
            await until(lambda: paused_for(gateway), lambda found: found == ["wrong_account"])
            assert other.received == []


async def test_a_websocket_that_was_lost_may_lead_to_somebody_else(world: World) -> None:
    gateway = await world.gateway(accounts=[world.account(transport="ws", self_id="10001")])
    await world.add(JOB)
    await gateway.shows("key:a", "delivered")
    await world.napcat.stop()
    async with StandIn(port=world.napcat.port, self_id="20002").serve() as other:
        await world.add({**JOB, "key": "b"})
        await until(lambda: paused_for(gateway), lambda found: found == ["wrong_account"])
        assert other.received == []


async def test_an_operator_cannot_resume_into_the_wrong_number_when_the_settings_name_the_right_one(
    world: World,
) -> None:
    gateway = await world.gateway(accounts=[world.account(self_id="30003")])
    await until(lambda: paused_for(gateway), lambda found: found == ["wrong_account"])
    await world.add(JOB)
    await gateway.post("/v1/accounts/main/resume", {})
    await gateway.post("/v1/accounts/main/pause", {"for": "50ms"})
    await until(lambda: paused_for(gateway), lambda found: found == ["wrong_account"])
    await gateway.shows("key:a", "waiting", "paused")
    assert world.napcat.received == []


async def test_a_napcat_that_hangs_after_a_silence_costs_no_message_its_certainty(world: World) -> None:
    clock = Later()
    async with odd() as napcat, after_a_message(world, clock, endpoint=napcat.url) as gateway:
        napcat.wait_s = {"get_status": 10.0, "send_group_msg": 10.0}
        clock.seconds = 6.0
        await world.add({**JOB, "key": "b"})
        await until(lambda: paused_for(gateway), lambda found: found == ["no_answer"])
        receipt = await gateway.shows("key:b", "waiting", "paused")
        assert (receipt.attempts, napcat.asked["send_group_msg"]) == ([], 1)


@pytest.mark.parametrize("number", [0, -1, "", "abc", None, True, 1.5, [10001], "１０００１", 10**30, "1" * 1000])
async def test_what_is_no_number_is_nobody_and_pins_the_account_to_nobody(world: World, number: Any) -> None:
    async with odd() as napcat:
        napcat.data["get_login_info"] = {"user_id": number}
        gateway = await world.gateway(accounts=[world.account(endpoint=napcat.url)])
        await world.add(JOB)
        await gateway.shows("key:a", "delivered")
        assert (await main(gateway))["self_id"] is None


@pytest.mark.parametrize("online", [False, "false", 0, None])
async def test_an_account_that_does_not_say_that_it_is_online_is_offline(world: World, online: Any) -> None:
    async with odd() as napcat:
        napcat.data["get_status"] = {"online": online}
        gateway = await world.gateway(accounts=[world.account(endpoint=napcat.url)])
        await until(lambda: paused_for(gateway), lambda found: found == ["bot_offline"])


@pytest.mark.parametrize("data", [[], "well", None, {}, 5])
async def test_an_implementation_that_says_nothing_of_its_state_is_taken_for_well(world: World, data: Any) -> None:
    async with odd() as napcat:
        napcat.data |= {"get_status": data, "get_login_info": data, "get_version_info": data}
        gateway = await world.gateway(accounts=[world.account(endpoint=napcat.url)])
        await world.add(JOB)
        await gateway.shows("key:a", "delivered")


async def test_a_busy_account_is_asked_beside_its_calls_and_not_taken_for_dead(world: World) -> None:
    async with odd() as napcat:
        napcat.wait_s = {"send_group_msg": 1.0}
        gateway = await world.gateway(accounts=[world.account(endpoint=napcat.url, max_in_flight=2)])
        await world.add(*({**JOB, "group_id": n, "key": f"{n}"} for n in range(1, 5)))
        await until(lambda: napcat.asked["send_group_msg"] == 2)
        seen = napcat.asked["get_status"]
        await gateway.post("/v1/accounts/main/resume", {})
        await gateway.post("/v1/accounts/main/pause", {"for": "10ms"})
        await until(lambda: napcat.asked["get_status"] > seen)
        await world.ended(4)
        assert napcat.asked["send_group_msg"] == 4


@pytest.mark.parametrize(
    ("ends", "parked"),
    [(lambda: 10**17, 600), (lambda: -5, 600), (lambda: "soon", 600), (lambda: None, 600), (lambda: 0, 600)],
)
async def test_an_end_of_a_mute_that_is_none_changes_nothing(
    world: World, ends: Callable[[], Any], parked: int
) -> None:
    async with odd() as napcat:
        napcat.data["get_group_member_info"] = {"shut_up_timestamp": ends()}
        gateway = await world.gateway(
            accounts=[world.account(endpoint=napcat.url)],
            delivery={"rules": [{"name": "muted", "retcode": 0, "verdict": "retry", "effect": "park", "hold": parked}]},
        )
        await world.add(JOB)
        await gateway.shows("key:a", "waiting", "parked")
        await until(lambda: napcat.asked["get_group_member_info"])
        await gateway.shows("key:a", "waiting", "parked")
        assert (await gateway.get("/status")).status == 200


async def test_of_many_that_wait_for_one_answer_none_goes_under_another_number(world: World) -> None:
    clock = Later()
    async with odd() as napcat, after_a_message(world, clock, endpoint=napcat.url, self_id="10001") as gateway:
        napcat.data["get_login_info"] = {"user_id": 20002}
        napcat.wait_s = {"get_status": 0.02}
        clock.seconds = 6.0
        await world.add(*({"group_id": n, "message": "x", "key": f"{n}"} for n in range(1, 9)))
        await until(lambda: paused_for(gateway), lambda found: found == ["wrong_account"])
        await gateway.shows("key:8", "waiting", "paused")
        assert napcat.asked["send_group_msg"] == 1


async def test_all_who_wait_for_a_napcat_that_hangs_share_one_question(world: World) -> None:
    clock = Later()
    async with odd() as napcat, after_a_message(world, clock, endpoint=napcat.url) as gateway:
        asked = napcat.asked["get_status"]
        napcat.wait_s = {"get_status": 10.0}
        clock.seconds = 6.0
        await world.add(*({"group_id": n, "message": "x", "key": f"{n}"} for n in range(1, 6)))
        await until(lambda: paused_for(gateway), lambda found: found == ["no_answer"])
        assert napcat.asked["get_status"] == asked + 1
        for n in range(1, 6):
            assert (await gateway.shows(f"key:{n}", "waiting", "paused")).attempts == []


async def test_a_stop_while_it_is_asked_who_is_there_leaves_the_job_as_it_was(world: World) -> None:
    clock = Later()
    async with odd() as napcat:
        gateway = Gateway(
            world.settings(accounts=[world.account(endpoint=napcat.url)], delivery={"timeout": "1s", "slack": "500ms"}),
            world.folder,
            clock,
        )
        await gateway.start()
        await world.add(JOB)
        await gateway.shows("key:a", "delivered")
        napcat.wait_s = {"get_status": 3.0}
        asked, clock.seconds = napcat.asked["get_status"], 6.0
        await world.add({**JOB, "key": "b"})
        await until(lambda: napcat.asked["get_status"] > asked)
        await gateway.stop()
        napcat.wait_s = {}
        second = await world.gateway(accounts=[world.account(endpoint=napcat.url)])
        receipt = await second.shows("key:b", "delivered")
        assert [attempt.verdict for attempt in receipt.attempts or []] == ["delivered"]
