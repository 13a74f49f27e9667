"""Promise 5: a blocked, slow or flooded lane does not delay another; a dead account does not delay another."""

import json

from tests.world import WIDE, World, until


async def test_a_hanging_target_delays_no_other(world: World) -> None:
    world.napcat.behave("group:1", "hang")
    await world.gateway(delivery={"timeout": "25s"})
    await world.add({"group_id": "1", "message": "hangs"}, *({"group_id": "2", "message": str(n)} for n in range(20)))
    await world.ended(20)
    assert {receipt.target for receipt in await world.receipts()} == {"group:2"}, "it has been given up before"
    await world.napcat.stop()  # or it would hang on


async def test_a_flooded_lane_delays_no_other(world: World) -> None:
    await world.gateway(limits={**WIDE, "group": ["1/1s"]})
    await world.add(*({"group_id": "1", "message": str(n)} for n in range(200)))
    await until(lambda: world.napcat.received)
    await world.add({"group_id": "2", "message": "quick"})
    await until(lambda: world.napcat.texts("group:2"))
    assert len(world.napcat.texts("group:1")) < 50


async def test_a_dead_account_delays_no_other(world: World) -> None:
    dead = {"name": "dead", "endpoint": "http://127.0.0.1:9"}
    await world.gateway(accounts=[world.account(), dead])
    await world.add(
        *({"group_id": "1", "message": "nowhere", "account": "dead"} for _ in range(20)),
        {"group_id": "1", "message": "there"},
    )
    await until(lambda: world.napcat.texts("group:1"), deadline=10)


async def test_one_bad_entry_delays_nothing_behind_it(world: World) -> None:
    await world.gateway()
    await world.producer.add("{", b"\xff\xfe", '{"group_id":"1"}', '{"group_id":"1","message":"good"}')
    await world.ended(1)
    assert world.napcat.texts("group:1") == ["good"]
    assert [entry["code"] for entry in await world.producer.invalid()] == [
        "json_invalid",
        "json_invalid",
        "job_invalid",
    ]


async def test_a_full_account_holds_up_no_other_of_the_same_stream(world: World) -> None:
    dead = {"name": "dead", "endpoint": "http://127.0.0.1:9"}
    await world.gateway(accounts=[world.account(), dead], intake={"max_queued": 2})
    nowhere = ({"group_id": "1", "message": str(n), "account": "dead"} for n in range(300))
    await world.add(*nowhere, {"group_id": "1", "message": "there"})
    await until(lambda: world.napcat.texts("group:1"))
    await until(lambda: world.clients.commands.xlen("gw:jobs"), lambda length: length == 298)


async def test_a_full_account_holds_up_no_other_of_the_same_list(world: World) -> None:
    dead = {"name": "dead", "endpoint": "http://127.0.0.1:9"}
    await world.gateway(accounts=[world.account(), dead], intake={"max_queued": 2})
    nowhere = ({"group_id": "1", "message": str(n), "account": "dead"} for n in range(300))
    there = {"group_id": "1", "message": "there"}
    await world.producer.push(*(json.dumps(job) for job in (*nowhere, there)))
    await until(lambda: world.napcat.texts("group:1"))
