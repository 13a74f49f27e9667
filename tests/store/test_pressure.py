"""Back-pressure: when Redis is short of memory or takes no writes, jobs wait outside and nothing is lost."""

from tests.world import World, until

JOB = {"group_id": "1", "message": "hello"}


BALLAST = 40 * 1024**2


async def fill(world: World, share: float) -> None:
    """Let Redis use SHARE of its memory, of which there is enough for what goes on."""

    async def used() -> int:
        return int((await world.clients.commands.info("memory"))["used_memory"])

    await world.clients.commands.setrange("ballast", BALLAST, "x")
    settled = await until(used, lambda found: found < 1.2 * BALLAST)
    await world.clients.commands.config_set("maxmemory", round(settled / share))


async def test_a_redis_that_is_nearly_full_takes_no_new_jobs_and_says_so(world: World) -> None:
    gateway = await world.gateway()
    await fill(world, 0.95)
    refused = await gateway.post("/v1/jobs", JOB)
    assert (refused.status, refused.json["code"], refused.headers["Retry-After"]) == (503, "store_refuses", "5")
    assert "maxmemory" in refused.json["detail"]
    status = await gateway.status()
    assert (status["status"], [reason["code"] for reason in status["reasons"]]) == ("degraded", ["redis_full"])
    assert (await gateway.get("/healthz/ready")).status == 200


async def test_entries_stay_in_their_source_until_there_is_room(world: World) -> None:
    await world.gateway()
    await fill(world, 0.95)
    await world.add(*({"group_id": "1", "message": str(number)} for number in range(5)))
    await world.producer.push('{"group_id": "2", "message": "from the list"}')
    await until(lambda: world.clients.commands.exists("gw:{gw:jobs}:reader:gw:jobs"))
    assert world.napcat.received == []
    assert await world.clients.commands.xlen("gw:jobs") == 5
    await world.clients.commands.config_set("maxmemory", 0)
    await world.ended(6)
    assert world.napcat.texts("group:1") == ["0", "1", "2", "3", "4"]
    assert world.napcat.texts("group:2") == ["from the list"]


async def test_a_server_without_a_limit_is_never_full(world: World) -> None:
    gateway = await world.gateway()
    await world.clients.commands.config_set("maxmemory", 0)
    assert (await gateway.post("/v1/jobs", JOB)).status == 202


async def test_a_redis_that_refuses_writes_takes_no_jobs_and_takes_them_again_later(world: World) -> None:
    gateway = await world.gateway()
    await world.clients.commands.config_set("min-replicas-to-write", 1)
    refused = await gateway.post("/v1/jobs", JOB)
    assert (refused.status, refused.json["code"]) == (503, "store_refuses")
    await world.clients.commands.config_set("min-replicas-to-write", 0)
    taken = await until(lambda: gateway.post("/v1/jobs", JOB), lambda reply: reply.status == 202)
    await gateway.shows(taken.json["id"], "delivered")
    assert world.napcat.texts("group:1") == ["hello"]
