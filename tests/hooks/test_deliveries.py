"""What a genuine delivery becomes: from a call of its product to the messages at the stand-in NapCat."""

import json
from typing import Any

import pytest

from tests.hooks.calls import GROUP, PUSH, TOKEN, TOLD, generic, github, nothing_happened, push, signed
from tests.world import World, until


async def test_a_genuine_delivery_becomes_a_message_under_its_own_key(world: World) -> None:
    gateway = await world.gateway(hooks=[github()])
    reply = await push(gateway)
    assert reply.status == 202
    [job] = reply.json["jobs"]
    assert reply.json == {"event": "push", "jobs": [{"id": job["id"], "target": GROUP, "duplicate": False}]}
    await world.ended(1)
    assert world.napcat.texts(GROUP) == [TOLD]
    receipt = await gateway.receipt(f"key:hook:code:d-1:{GROUP}")
    assert receipt.id == job["id"]
    assert receipt.metadata == {"hook": "code", "event": "push", "delivery": "d-1"}


@pytest.mark.parametrize("kind", ["application/json; charset=utf-8", "APPLICATION/JSON", "application/vnd.x+json"])
async def test_json_is_json_however_it_is_spelled(world: World, kind: str) -> None:
    gateway = await world.gateway(hooks=[generic()])
    reply = await gateway.post("/hooks/any", {"text": "hello"}, {**TOKEN, "Content-Type": kind})
    assert reply.status == 202


async def test_a_form_with_json_in_its_payload_is_taken(world: World) -> None:
    gateway = await world.gateway(hooks=[github()])
    form = b"payload=" + "".join(f"%{byte:02X}" for byte in json.dumps(PUSH).encode()).encode()
    headers = {**signed(form), "Content-Type": "application/x-www-form-urlencoded"}
    assert (await gateway.post("/hooks/code", form, headers)).status == 202
    await world.ended(1)
    assert world.napcat.texts(GROUP) == [TOLD]


async def test_a_ping_is_answered_and_nothing_is_sent(world: World) -> None:
    gateway = await world.gateway(hooks=[github()])
    reply = await push(gateway, b'{"zen": "Design for failure.", "hook_id": 1}', event="ping")
    assert (reply.status, reply.json) == (200, {"event": "ping", "jobs": []})
    await nothing_happened(world, gateway)


async def test_what_says_nothing_or_is_not_wanted_is_answered_and_nothing_is_sent(world: World) -> None:
    gateway = await world.gateway(hooks=[github(events=["release.*"]), generic()])
    assert (await push(gateway)).status == 200
    assert (await gateway.post("/hooks/any", {}, TOKEN)).status == 200
    await nothing_happened(world, gateway)


async def test_a_delivery_goes_to_each_target_as_a_job_of_its_own(world: World) -> None:
    gateway = await world.gateway(hooks=[generic(targets=[GROUP, "group:2", "private:3", GROUP])])
    reply = await gateway.post("/hooks/any", {"text": "hello"}, TOKEN)
    assert [job["target"] for job in reply.json["jobs"]] == [GROUP, "group:2", "private:3"]
    await world.ended(3)
    assert [world.napcat.texts(target) for target in (GROUP, "group:2", "private:3")] == [["hello"]] * 3


@pytest.mark.parametrize(
    ("payload", "targets"),
    [
        ({"team": "red"}, ["group:1"]),
        ({"team": "red-2"}, [GROUP]),
        ({"branch": "release/7"}, ["group:2"]),
        ({"sha": "deadbeef"}, ["group:3"]),
        ({"alerts": [{"ok": True}, {"severity": "high", "level": 5}]}, ["group:4"]),
        ({"alerts": [{"level": "5"}, {"severity": "high"}]}, ["group:4"]),
        ({"alerts": "none"}, [GROUP]),
        ({"event": "deploy.done"}, ["group:5"]),
        ({"event": "deploy.done", "team": "red"}, ["group:1", "group:5"]),
        ({"flag": True}, ["group:6"]),
        ({"flag": "yes"}, [GROUP]),
    ],
)
async def test_a_delivery_goes_where_its_payload_says(
    world: World, payload: dict[str, Any], targets: list[str]
) -> None:
    routes = [
        {"match": [{"path": "$.team", "equals": "red"}], "targets": "group:1"},
        {"match": [{"path": "$.branch", "glob": "release/*"}], "targets": "group:2"},
        {"match": [{"path": "$.sha", "regex": "^dead"}], "targets": "group:3"},
        {
            "match": [{"path": "$.alerts[*].severity", "equals": "high"}, {"path": "$..level", "equals": 5}],
            "targets": "group:4",
        },
        {"events": ["deploy.*"], "targets": "group:5"},
        {"match": [{"path": "$.flag", "equals": True}], "targets": "group:6"},
    ]
    gateway = await world.gateway(hooks=[generic(routes=routes)])
    reply = await gateway.post("/hooks/any", {"text": "hello", **payload}, TOKEN)
    assert [job["target"] for job in reply.json["jobs"]] == targets


async def test_a_newer_message_replaces_an_older_one_of_its_key_that_waits(world: World) -> None:
    gateway = await world.gateway(hooks=[generic(collapse_key="{{ payload.job }}")])
    assert (await gateway.request("POST", "/v1/accounts/main/pause")).status == 200
    for text, job in (("1 %", "a"), ("50 %", "a"), ("other", "b"), ("100 %", "a")):
        assert (await gateway.post("/hooks/any", {"text": text, "job": job}, TOKEN)).status == 202
    assert (await gateway.request("POST", "/v1/accounts/main/resume")).status == 200
    await until(lambda: world.napcat.texts(GROUP), lambda texts: len(texts) >= 2)
    await world.ended(4)
    assert sorted(world.napcat.texts(GROUP)) == ["100 %", "other"]


async def test_a_hook_may_send_by_another_account(world: World) -> None:
    accounts = [world.account(), world.account(name="second")]
    gateway = await world.gateway(accounts=accounts, hooks=[generic(account="second")])
    reply = await gateway.post("/hooks/any", {"text": "hello"}, TOKEN)
    [job] = reply.json["jobs"]
    reply = await gateway.get(f"/v1/jobs/{job['id']}?account=second")
    assert reply.json["account"] == "second"


async def test_what_a_payload_says_is_only_words(world: World) -> None:
    gateway = await world.gateway(hooks=[generic()])
    text = "[CQ:at,qq=all] \ue0000\ue001 {{ 7 * 7 }} &#91;"
    assert (await gateway.post("/hooks/any", {"text": text}, TOKEN)).status == 202
    await world.ended(1)
    [message] = [one.message for one in world.napcat.delivered]
    assert {segment["type"] for segment in message} == {"text"}
    assert world.napcat.texts(GROUP) == ["[CQ:at,qq=all] 0 {{ 7 * 7 }} &#91;"]


async def test_what_is_urgent_mentions_people_in_groups_and_reaches_private_chats_without(world: World) -> None:
    hook = generic(template="{{ at(10001) }} fire", targets=["group:1", "private:20002"])
    gateway = await world.gateway(hooks=[hook])
    assert (await gateway.post("/hooks/any", {"text": "x"}, TOKEN)).status == 202
    await world.ended(2)
    assert {sent.target: sent.text for sent in world.napcat.delivered}["private:20002"] == "fire"


async def test_a_picture_that_cannot_be_sent_does_not_take_its_words_along(world: World) -> None:
    gateway = await world.gateway(hooks=[generic()])
    told = {"title": "look", "image": "http://192.168.1.7/a.png"}
    assert (await gateway.post("/hooks/any", told, TOKEN)).status == 202
    await world.ended(1)
    assert "look" in world.napcat.delivered[0].text
