"""What a target and the accounts hold: backlog, hold, and how full the rates are."""

from datetime import datetime

from tests.keys import bearer, key
from tests.world import World, until

RATES = {"account": ["100/1m"], "group": ["2/1h"], "user": ["5/1m"]}


async def test_a_target_tells_its_backlog_its_rates_and_when_it_goes_on(world: World) -> None:
    gateway = await world.gateway(limits=RATES)
    await world.add(*({"group_id": "1", "message": "hello"} for _ in range(5)))
    await world.ended(2)
    reply = await until(lambda: gateway.get("/v1/targets/group/1"), lambda reply: "next_at" in reply.json)
    told = reply.json
    assert (told["account"], told["target"], told["queued"], told["in_flight"]) == ("main", "group:1", 3, False)
    of_account, of_group = told["rates"]
    assert (of_account["scope"], of_account["rate"], of_account["used"]) == ("account", "100/1m", 2)
    assert (of_group["scope"], of_group["rate"], of_group["used"]) == ("group:1", "2/1h", 2)
    assert of_group["opens_at"] == told["next_at"]
    wait = datetime.fromisoformat(told["next_at"]) - datetime.now().astimezone()
    assert 3_500 < wait.total_seconds() <= 3_601
    assert not {"hold", "slowed"} & set(told)


async def test_a_target_nobody_wrote_to_is_empty_and_open(world: World) -> None:
    gateway = await world.gateway(limits=RATES)
    told = (await gateway.get("/v1/targets/private/10001")).json
    assert (told["queued"], told["in_flight"], "next_at" in told) == (0, False, False)
    assert [rate["used"] for rate in told["rates"]] == [0, 0]


async def test_a_parked_target_tells_why_since_when_and_until_when(world: World) -> None:
    gateway = await world.gateway()
    await gateway.post("/v1/targets/group/1/park", {"reason": "quarrel", "for": "2h"})
    hold = (await gateway.get("/v1/targets/group/1")).json["hold"]
    assert (hold["reason"], hold["operator"]) == ("quarrel", True)
    assert hold["since"] < hold["until"]
    await gateway.post("/v1/targets/group/1/release", b"")
    assert "hold" not in (await gateway.get("/v1/targets/group/1")).json


async def test_a_muted_group_is_shown_as_held_by_napcats_answer(world: World) -> None:
    world.napcat.behave("group:1", "mute")
    gateway = await world.gateway()
    await world.add({"group_id": "1", "message": "hello"})
    reply = await until(lambda: gateway.get("/v1/targets/group/1"), lambda reply: "hold" in reply.json)
    assert (reply.json["hold"]["reason"], reply.json["hold"]["operator"]) == ("muted", False)


async def test_a_target_that_is_slowed_says_by_how_much(world: World) -> None:
    world.napcat.behave("group:1", "too_fast", times=1)
    gateway = await world.gateway()
    await world.add({"group_id": "1", "message": "hello"})
    reply = await until(lambda: gateway.get("/v1/targets/group/1"), lambda reply: "slowed" in reply.json)
    assert reply.json["slowed"]["factor"] == 2


async def test_a_key_sees_only_its_own_targets(world: World) -> None:
    gateway = await world.gateway(auth={"keys": [key("one", targets=["group:2"])]})
    assert (await gateway.get("/v1/targets/group/1", bearer("one"))).status == 403
    assert (await gateway.get("/v1/targets/group/2", bearer("one"))).status == 200


async def test_a_key_learns_nothing_of_targets_beyond_its_reach(world: World) -> None:
    keys = [key(name, scopes=["read", "admin"], targets=[to]) for name, to in (("some", "group:2"), ("all", "*"))]
    gateway = await world.gateway(auth={"keys": keys})
    everything, some = bearer("all"), bearer("some")
    for group in (1, 2):
        await gateway.post(f"/v1/targets/group/{group}/park", {"reason": f"quarrel {group}"}, everything)
    for path in ("/v1/accounts", "/status"):
        assert b"quarrel 1" in (await gateway.get(path, everything)).body
        told = (await gateway.get(path, some)).body
        assert b"quarrel 2" in told
        assert b"quarrel 1" not in told
    for act in ("pause", "resume"):
        assert (await gateway.post(f"/v1/accounts/main/{act}", {}, some)).status == 403
        assert (await gateway.post(f"/v1/accounts/main/{act}", {}, everything)).status == 200


async def test_every_account_is_listed_in_the_order_of_the_settings(world: World) -> None:
    gateway = await world.gateway(accounts=[world.account(name="second"), world.account()], limits=RATES)
    await world.add({"group_id": "1", "message": "hello", "account": "main"})
    await world.ended(1)
    second, main = (await gateway.get("/v1/accounts")).json["items"]
    assert (second["name"], main["name"]) == ("second", "main")
    assert (main["ended"], main["queued"]) == ({"delivered": 1}, 0)
    assert [(rate["rate"], rate["used"]) for rate in second["rates"] + main["rates"]] == [("100/1m", 0), ("100/1m", 1)]


async def test_a_target_that_is_none_is_not_found(world: World) -> None:
    gateway = await world.gateway()
    assert (await gateway.get("/v1/targets/channel/1")).status == 404
