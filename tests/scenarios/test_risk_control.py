"""What happens to many targets at once is the account's matter: it is slowed, then paused, and recovers by steps."""

from typing import Any

from tests.world import Gateway, World, until

QUICK = {"settle_for": "100ms", "timeout": "1s"}


def job(group: int) -> dict[str, Any]:
    return {"group_id": group, "message": f"to {group}", "key": f"{group}"}


async def account(gateway: Gateway) -> dict[str, Any]:
    found: dict[str, Any] = (await gateway.status())["accounts"]["main"]
    return found


async def slowed(gateway: Gateway) -> list[tuple[str, str, int]]:
    return [(one["target"], one["reason"], one["factor"]) for one in (await account(gateway))["slowed"]]


async def codes(gateway: Gateway) -> set[str]:
    return {reason["code"] for reason in (await gateway.status())["reasons"]}


async def test_three_groups_that_time_out_at_once_slow_the_account_and_are_not_sent_again(world: World) -> None:
    world.napcat.behave("*", "risk", wait_ms=10)
    gateway = await world.gateway(delivery=QUICK)
    await world.add(*(job(group) for group in range(1, 4)))
    assert {receipt.state for receipt in await world.ended(3)} == {"unconfirmed"}
    assert await slowed(gateway) == [("account", "risk_control", 2)]
    assert "account_slowed" in await codes(gateway)
    assert len(world.napcat.received) == 3


async def test_two_groups_that_time_out_slow_nobody_however_often(world: World) -> None:
    world.napcat.behave("*", "risk", wait_ms=10)
    gateway = await world.gateway(delivery=QUICK)
    await world.add(*(job(group) | {"key": f"{n}-{group}"} for n in range(3) for group in (1, 2)))
    await world.ended(6)
    assert await slowed(gateway) == []


async def test_lost_connections_are_no_sign_of_risk_control(world: World) -> None:
    world.napcat.behave("*", "reset")
    gateway = await world.gateway(delivery=QUICK)
    await world.add(*(job(group) for group in range(1, 5)))
    await world.ended(4)
    assert await slowed(gateway) == []


async def test_an_account_that_goes_on_timing_out_when_slowed_is_paused_and_its_jobs_wait(world: World) -> None:
    world.napcat.behave("*", "risk", wait_ms=10)
    gateway = await world.gateway(delivery=QUICK)
    await world.add(*(job(group) for group in range(1, 4)))
    await world.ended(3)
    await world.add(*(job(group) for group in range(4, 7)))
    await world.ended(6)
    await world.add(job(7))
    await gateway.shows("key:7", "waiting", "paused")
    held = (await account(gateway))["holds"]
    assert [(hold["target"], hold["reason"]) for hold in held] == [("account", "risk_control")]
    assert len(world.napcat.received) == 6
    world.napcat.clear()
    await gateway.post("/v1/accounts/main/resume", {})
    await gateway.shows("key:7", "delivered")


async def test_a_slowed_account_sends_half_as_fast_at_the_receiver(world: World) -> None:
    world.napcat.behave("*", "risk", times=3, wait_ms=10)
    gateway = await world.gateway(delivery=QUICK, limits={"account": ["4/400ms"], "group": [], "user": []})
    await world.add(*(job(group) for group in range(1, 4)))
    await until(lambda: slowed(gateway))
    await world.add(*(job(group) for group in range(10, 22)))
    await world.ended(15)
    arrivals = [call.at for call in world.napcat.received[3:]]
    assert min(later - sooner for sooner, later in zip(arrivals, arrivals[4:], strict=False)) >= 0.8


async def test_a_group_that_finds_us_too_fast_is_slowed_and_others_are_not(world: World) -> None:
    world.napcat.behave("group:1", "too_fast", times=1)
    gateway = await world.gateway(delivery=QUICK)
    await world.add(job(1), *(job(2) | {"key": f"other {n}"} for n in range(5)))
    await world.ended(5)
    assert await slowed(gateway) == [("group:1", "too_fast", 2)]
    assert "account_slowed" not in await codes(gateway)


async def test_one_muted_group_is_the_groups_matter_and_five_at_once_are_the_accounts(world: World) -> None:
    for group in range(1, 6):
        world.napcat.behave(f"group:{group}", "mute")
    gateway = await world.gateway()
    await world.add(job(1), job(9))
    await gateway.shows("key:1", "waiting", "parked")
    await gateway.shows("key:9", "delivered")
    await world.add(*(job(group) for group in range(2, 6)), job(8))
    await until(
        lambda: account(gateway),
        lambda found: ("account", "muted_everywhere") in [tuple(hold.values())[:2] for hold in found["holds"]],
    )
