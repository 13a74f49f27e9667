"""What a job says can be read until it is delivered or sent again, by who reaches its target, and without its media."""

import base64

from tests.keys import bearer, key
from tests.world import World

LATER = {"group_id": "1", "delay": "1h"}
PICTURE = base64.b64encode(bytes(range(256)) * 40).decode()


async def test_it_is_told_part_by_part_as_napcat_gets_it(world: World) -> None:
    gateway = await world.gateway()
    message = [
        {"type": "at", "data": {"qq": "all"}},
        " look <b>&",
        {"type": "record", "data": {"file": "https://a.example/b.amr"}},
    ]
    job = (await gateway.post("/v1/jobs", {**LATER, "message": message, "key": "a"})).json["id"]
    for name in (job, "key:a"):
        told = (await gateway.get(f"/v1/jobs/{name}/message")).json
        assert told == {
            "id": job,
            "account": "main",
            "target": "group:1",
            "parts": [
                {
                    "action": "send_group_msg",
                    "delivered": False,
                    "segments": [
                        {"type": "at", "data": {"qq": "all"}},
                        {"type": "text", "data": {"text": " look <b>&"}},
                    ],
                },
                {
                    "action": "send_group_msg",
                    "delivered": False,
                    "segments": [{"type": "record", "data": {"file": "https://a.example/b.amr"}}],
                },
            ],
        }


async def test_inline_media_are_cut_also_inside_a_forward(world: World) -> None:
    gateway = await world.gateway()
    picture = {"type": "image", "data": {"file": f"base64://{PICTURE}"}}
    node = {"type": "node", "data": {"user_id": "10001", "nickname": "n", "content": [picture]}}
    for number, message in enumerate(([picture], [node])):
        job = (await gateway.post("/v1/jobs", {**LATER, "message": message, "key": str(number)})).json["id"]
        reply = await gateway.get(f"/v1/jobs/{job}/message")
        assert len(reply.body) < 1_000
        (segment,) = reply.json["parts"][0]["segments"]
        shown = segment["data"]["content"][0] if segment["type"] == "node" else segment
        assert shown["cut"] == {"file": 10_240}
        assert shown["data"]["file"].startswith("base64://AAEC")
    assert reply.json["parts"][0]["segments"][0]["data"]["nickname"] == "n"


async def test_of_what_is_partly_delivered_it_is_told_which_parts_were(world: World) -> None:
    gateway = await world.gateway()
    world.napcat.behave("group:1", "normal", times=1)
    world.napcat.behave("group:1", "kick")
    message = ["first", {"type": "record", "data": {"file": "https://a.example/b.amr"}}]
    job = (await gateway.post("/v1/jobs", {"group_id": "1", "message": message})).json["id"]
    await gateway.shows(job, "rejected")
    told = (await gateway.get(f"/v1/jobs/{job}/message")).json
    assert [part["delivered"] for part in told["parts"]] == [True, False]


async def test_once_it_is_delivered_or_sent_again_it_is_gone(world: World) -> None:
    gateway = await world.gateway()
    sent = (await gateway.post("/v1/jobs", {"group_id": "1", "message": "x"})).json["id"]
    await gateway.shows(sent, "delivered")
    again = (await gateway.post("/v1/jobs", {**LATER, "message": "x"})).json["id"]
    await gateway.request("DELETE", f"/v1/jobs/{again}")
    assert (await gateway.get(f"/v1/jobs/{again}/message")).status == 200
    await gateway.post(f"/v1/jobs/{again}/replay", {})
    for job in (sent, again):
        told = await gateway.get(f"/v1/jobs/{job}/message")
        assert (told.status, told.json["code"]) == (404, "message_gone")
    for name in ("main.none", "other.none", "key:none", "key:none?account=second", f"{again}?account=second"):
        path, _, query = name.partition("?")
        told = await gateway.get(f"/v1/jobs/{path}/message?{query}")
        assert (told.status, told.json["code"]) == (404, "job_not_found")


async def test_it_is_for_who_may_read_and_reaches_the_target(world: World) -> None:
    keys = [key("all"), key("narrow", targets=["group:2"]), key("sender", scopes=["send"])]
    gateway = await world.gateway(auth={"keys": keys})
    job = (await gateway.post("/v1/jobs", {**LATER, "message": "x"}, bearer("all"))).json["id"]
    told = [await gateway.get(f"/v1/jobs/{job}/message", bearer(name)) for name in ("all", "narrow", "sender", "none")]
    assert [reply.status for reply in told] == [200, 404, 403, 401]
    assert told[1].json["code"] == "job_not_found"
