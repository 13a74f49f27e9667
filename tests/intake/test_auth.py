"""Who may call: keys, their scopes and their targets."""

from tests.keys import bearer, key
from tests.world import Gateway, World

JOB = {"group_id": "1", "message": "hello"}


async def guarded(world: World) -> Gateway:
    return await world.gateway(
        auth={
            "keys": [
                key("all"),
                key("sender", scopes=["send"]),
                key("reader", scopes=["read"]),
                key("narrow", targets=["group:1", "private:2*"]),
            ]
        }
    )


async def test_an_open_gateway_takes_jobs_with_any_key_or_none(world: World) -> None:
    gateway = await world.gateway()
    assert (await gateway.post("/v1/jobs", JOB)).status == 202
    assert (await gateway.post("/v1/jobs", JOB, bearer("whatever"))).status == 202


async def test_without_a_configured_key_nothing_is_sent_and_nothing_told(world: World) -> None:
    gateway = await guarded(world)
    for given in (None, "Bearer", "Bearer ", "Bearer wrong", "Basic all", "all", "Bearer all2", "Bearer é"):
        headers: dict[str, str] = {} if given is None else {"Authorization": given}
        replies = [
            await gateway.post("/v1/jobs", JOB, headers),
            await gateway.get("/v1/jobs/key:a", headers),
            await gateway.get("/status", headers),
        ]
        assert [(reply.status, reply.json["code"]) for reply in replies] == [(401, "unauthorized")] * 3
        assert {reply.headers["WWW-Authenticate"] for reply in replies} == {"Bearer"}


async def test_a_key_is_good_for_its_scopes_only(world: World) -> None:
    gateway = await guarded(world)
    assert (await gateway.post("/v1/jobs", {**JOB, "key": "a"}, bearer("sender"))).status == 202
    assert (await gateway.get("/v1/jobs/key:a", bearer("reader"))).status == 200
    refused = [
        await gateway.post("/v1/jobs", JOB, bearer("reader")),
        await gateway.get("/v1/jobs/key:a", bearer("sender")),
        await gateway.get("/status", bearer("sender")),
    ]
    assert [(reply.status, reply.json["code"]) for reply in refused] == [(403, "forbidden")] * 3


async def test_the_scheme_may_be_written_in_any_case(world: World) -> None:
    gateway = await guarded(world)
    for scheme in ("Bearer", "bearer", "BEARER"):
        assert (await gateway.post("/v1/jobs", JOB, {"Authorization": f"{scheme} all"})).status == 202


async def test_a_key_sends_to_its_targets(world: World) -> None:
    gateway = await guarded(world)
    for target in ({"group_id": "1"}, {"user_id": "2"}, {"user_id": "23"}):
        assert (await gateway.post("/v1/jobs", {**target, "message": "hello"}, bearer("narrow"))).status == 202


async def test_a_key_does_not_send_beyond_its_targets(world: World) -> None:
    gateway = await guarded(world)
    for target in ({"group_id": "2"}, {"user_id": "1"}, {"group_id": "11"}):
        reply = await gateway.post("/v1/jobs", {**target, "message": "hello"}, bearer("narrow"))
        assert (reply.status, reply.json["code"]) == (403, "forbidden")


async def test_a_key_does_not_see_the_jobs_of_other_targets(world: World) -> None:
    gateway = await guarded(world)
    mine = await gateway.post("/v1/jobs", {**JOB, "key": "mine"}, bearer("all"))
    foreign = await gateway.post("/v1/jobs", {**JOB, "group_id": "2", "key": "foreign"}, bearer("all"))
    for name in (mine.json["id"], "key:mine"):
        assert (await gateway.get(f"/v1/jobs/{name}", bearer("narrow"))).status == 200
    for name in (foreign.json["id"], "key:foreign"):
        assert (await gateway.get(f"/v1/jobs/{name}", bearer("narrow"))).status == 404


async def test_health_needs_no_key(world: World) -> None:
    gateway = await guarded(world)
    for path in ("/healthz/live", "/healthz/ready"):
        assert (await gateway.get(path)).status == 200
