"""How often a key may send."""

from typing import Any

from tests.clocks import Held
from tests.keys import bearer, key
from tests.world import Gateway, Reply, World

JOB = {"group_id": "1", "message": "hello"}


async def limited(world: World, *keys: dict[str, Any]) -> tuple[Gateway, Held]:
    clock = Held()
    return await world.gateway(clock, auth={"keys": list(keys)}), clock


def told(reply: Reply) -> tuple[int, int, int]:
    limit, left, seconds = (int(reply.headers[f"RateLimit-{name}"]) for name in ("Limit", "Remaining", "Reset"))
    return limit, left, seconds


async def test_over_its_rate_a_key_is_told_when_to_come_again_and_then_may(world: World) -> None:
    gateway, clock = await limited(world, key("bot", rate="2/1m"))
    assert told(await gateway.get("/status", bearer("bot"))) == (2, 2, 0)
    assert told(await gateway.post("/v1/jobs", JOB, bearer("bot"))) == (2, 1, 60)
    clock.seconds = 20
    assert told(await gateway.post("/v1/jobs", JOB, bearer("bot"))) == (2, 0, 40)
    refused = await gateway.post("/v1/jobs", JOB, bearer("bot"))
    assert (refused.status, refused.json["code"], refused.headers["Retry-After"]) == (429, "rate_exceeded", "40")
    assert refused.headers["Content-Type"].startswith("application/problem+json")
    assert told(refused) == (2, 0, 40)
    clock.seconds = 60
    assert told(await gateway.post("/v1/jobs", JOB, bearer("bot"))) == (2, 0, 20)
    assert (await gateway.post("/v1/jobs", JOB, bearer("bot"))).status == 429
    assert len(await world.ended(3)) == 3


async def test_only_sending_counts_and_what_is_refused_later_counts_too(world: World) -> None:
    gateway, _ = await limited(world, key("bot", rate="2/1h"))
    for path in ("/status", "/v1/jobs/key:a"):
        assert told(await gateway.get(path, bearer("bot")))[1] == 2
    wrong = await gateway.post("/v1/jobs", {"group_id": "1"}, bearer("bot"))
    assert (wrong.status, told(wrong)[1]) == (422, 1)
    missing = await gateway.request("DELETE", "/v1/jobs/main.x", headers=bearer("bot"))
    assert (missing.status, told(missing)[1]) == (404, 0)
    assert (await gateway.post("/v1/jobs", JOB, bearer("bot"))).status == 429
    assert (await gateway.get("/status", bearer("bot"))).status == 200


async def test_the_rate_of_one_key_is_nothing_to_another(world: World) -> None:
    gateway, _ = await limited(world, key("bot", rate="1/1h"), key("other", rate="1/1h"), key("free"))
    assert (await gateway.post("/v1/jobs", JOB, bearer("bot"))).status == 202
    assert (await gateway.post("/v1/jobs", JOB, bearer("bot"))).status == 429
    assert (await gateway.post("/v1/jobs", JOB, bearer("other"))).status == 202
    for _ in range(3):
        reply = await gateway.post("/v1/jobs", JOB, bearer("free"))
        assert reply.status == 202
        assert not any(name.startswith("RateLimit") for name in reply.headers)


async def test_without_a_good_key_nothing_is_told_of_rates(world: World) -> None:
    gateway, _ = await limited(world, key("bot", rate="1/1h"), key("reader", scopes=["read"], rate="5/1h"))
    for _ in range(3):
        reply = await gateway.post("/v1/jobs", JOB, bearer("wrong"))
        assert (reply.status, "RateLimit-Limit" in reply.headers) == (401, False)
    refused = await gateway.post("/v1/jobs", JOB, bearer("reader"))
    assert (refused.status, told(refused)[1]) == (403, 5)


async def test_the_old_and_the_new_secret_of_a_client_share_its_rate(world: World) -> None:
    old, new = key("old"), key("new")
    gateway, _ = await limited(world, {**old, "name": "bot", "rate": "2/1h"}, {**new, "name": "bot", "rate": "2/1h"})
    assert told(await gateway.post("/v1/jobs", JOB, bearer("old")))[1] == 1
    assert told(await gateway.post("/v1/jobs", JOB, bearer("new")))[1] == 0
    for name in ("old", "new"):
        assert (await gateway.post("/v1/jobs", JOB, bearer(name))).status == 429
