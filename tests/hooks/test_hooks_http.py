"""Webhooks on real sockets: from a product's call to the message at the stand-in NapCat, or why there is none."""

import asyncio
import base64
import gzip
import hashlib
import hmac
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from standardwebhooks.webhooks import Webhook

from gateway.app import create_app, wind_down
from gateway.clock import Clock
from gateway.model.errors import SettingsInvalid
from gateway.settings import load_settings
from tests.world import Gateway, Reply, World, until

SECRET = "It's a Secret to Everybody"
TOKEN = {"Authorization": f"Bearer {SECRET}"}
GROUP = "group:123456"
PUSH: dict[str, Any] = {
    "ref": "refs/heads/main",
    "deleted": False,
    "forced": False,
    "compare": "https://github.com/octocat/Hello-World/compare/a1...b2",
    "commits": [{"id": "7fd1a60b01f91b31", "message": "Update README", "author": {"name": "The Octocat"}}],
    "repository": {"full_name": "octocat/Hello-World"},
    "sender": {"login": "octocat"},
}
TOLD = (
    "[octocat/Hello-World] octocat pushed 1 commit to main\n7fd1a60 Update README (The Octocat)\n"
    "https://github.com/octocat/Hello-World/compare/a1...b2"
)


def github(**fields: Any) -> dict[str, Any]:
    return {"name": "code", "preset": "github", "secret": SECRET, "targets": [GROUP], **fields}


def generic(**fields: Any) -> dict[str, Any]:
    return {"name": "any", "preset": "generic", "secret": SECRET, "targets": [GROUP], **fields}


def bark(**fields: Any) -> dict[str, Any]:
    return {"name": "bark", "preset": "bark", "secret": "key1", "targets": [GROUP], **fields}


def signed(body: bytes, *, event: str = "push", delivery: str = "d-1", secret: str = SECRET) -> dict[str, str]:
    digest = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    return {"X-GitHub-Event": event, "X-GitHub-Delivery": delivery, "X-Hub-Signature-256": f"sha256={digest}"}


async def push(gateway: Gateway, body: bytes = json.dumps(PUSH).encode(), **said: str) -> Reply:
    return await gateway.post("/hooks/code", body, signed(body, **said))


async def refused(world: World) -> list[dict[str, str]]:
    """Return the entries that were written down as refused."""
    entries: Any = await world.clients.commands.xrange("gw:invalid")
    return [{name.decode(): text.decode() for name, text in fields.items()} for _id, fields in entries]


async def nothing_happened(world: World, gateway: Gateway) -> None:
    assert await refused(world) == []
    assert (await gateway.status())["backlog"] == {"queued": 0, "targets": []}
    assert world.napcat.received == []


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


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"X-Hub-Signature-256": ""},
        {"X-Hub-Signature-256": "sha256=" + "0" * 64},
        signed(json.dumps(PUSH).encode(), secret="another"),
        signed(json.dumps(PUSH).encode() + b" "),
        {"X-Hub-Signature": signed(json.dumps(PUSH).encode())["X-Hub-Signature-256"]},
    ],
    ids=["unsigned", "empty", "zeros", "another secret", "another body", "another header"],
)
async def test_a_delivery_that_is_not_genuine_is_refused_and_leaves_nothing(
    world: World, headers: dict[str, str]
) -> None:
    gateway = await world.gateway(hooks=[github()])
    body = json.dumps(PUSH).encode()
    reply = await gateway.post("/hooks/code", body, {"X-GitHub-Event": "push", **headers})
    assert (reply.status, reply.json["code"]) == (401, "signature_invalid")
    assert SECRET.encode() not in reply.body
    await nothing_happened(world, gateway)


async def test_a_stranger_does_not_learn_that_an_event_is_unknown(world: World) -> None:
    gateway = await world.gateway(hooks=[github()])
    body = b'{"zen": "Mind your words"}'
    reply = await gateway.post("/hooks/code", body, signed(body, event="unheard_of", secret="another"))
    assert reply.status == 401
    await nothing_happened(world, gateway)


async def test_a_hook_that_is_not_there_and_a_method_that_is_not_taken_are_told_so(world: World) -> None:
    gateway = await world.gateway(hooks=[github(), bark()])
    reply = await gateway.post("/hooks/nobody", PUSH)
    assert (reply.status, reply.json["code"]) == (404, "hook_unknown")
    for method, path, allowed in (
        ("GET", "/hooks/code", "POST"),
        ("PUT", "/hooks/code", "POST"),
        ("DELETE", "/hooks/bark/key1/hello", "GET, POST"),
        ("HEAD", "/hooks/bark/key1/hello", "GET, POST"),
    ):
        reply = await gateway.request(method, path)
        assert (reply.status, reply.headers["Allow"]) == (405, allowed)
    await nothing_happened(world, gateway)


@pytest.mark.parametrize(
    ("kind", "body", "status", "code"),
    [
        ("text/plain", json.dumps(PUSH).encode(), 415, "content_type"),
        ("", json.dumps(PUSH).encode(), 415, "content_type"),
        ("multipart/form-data; boundary=x", b"--x--", 415, "content_type"),
        ("application/x-www-form-urlencoded", b"title=hello", 415, "content_type"),
        ("application/x-www-form-urlencoded", b"payload=%7B", 400, "json_invalid"),
        ("application/x-www-form-urlencoded", b"payload=\xff", 400, "json_invalid"),
        ("application/x-www-form-urlencoded", b"&".join([b"a=1"] * 201), 400, "json_invalid"),
        ("application/json", b'{"a": ', 400, "json_invalid"),
        ("application/json", b"[]", 400, "json_invalid"),
        ("application/json", b"\xff\xfe\x00", 400, "json_invalid"),
        ("application/json", b"[" * 100_000, 400, "json_invalid"),
        ("application/json", b'{"a":' * 65 + b"1" + b"}" * 65, 400, "json_invalid"),
        ("application/json", b'{"a": 1' + b"0" * 5000 + b"}", 400, "json_invalid"),
    ],
)
async def test_a_body_that_cannot_be_read_is_refused_with_the_reason(
    world: World, kind: str, body: bytes, status: int, code: str
) -> None:
    gateway = await world.gateway(hooks=[github()])
    reply = await gateway.post("/hooks/code", body, {**signed(body), "Content-Type": kind})
    assert (reply.status, reply.json["code"]) == (status, code)
    assert reply.json["detail"]
    await nothing_happened(world, gateway)


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


async def test_a_compressed_body_is_taken_and_a_bomb_is_not(world: World) -> None:
    gateway = await world.gateway(hooks=[generic()], http={"port": 0, "max_body": "64KiB"})
    small, bomb = (gzip.compress(json.dumps({"text": text}).encode()) for text in ("hello", " " * 32_000_000))
    packed = {**TOKEN, "Content-Encoding": "gzip"}
    reply = await gateway.post("/hooks/any", bomb, packed)
    assert (reply.status, reply.json["code"]) == (413, "too_large")
    await nothing_happened(world, gateway)
    assert (await gateway.post("/hooks/any", small, packed)).status == 202
    await world.ended(1)
    assert world.napcat.texts(GROUP) == ["hello"]


async def test_a_body_that_says_it_is_compressed_and_is_not_is_refused(world: World) -> None:
    gateway = await world.gateway(hooks=[generic()])
    reply = await gateway.post("/hooks/any", b'{"text": "hello"}', {**TOKEN, "Content-Encoding": "gzip"})
    assert reply.status == 400
    await nothing_happened(world, gateway)


async def test_a_body_that_is_too_large_is_refused(world: World) -> None:
    gateway = await world.gateway(hooks=[generic()], http={"port": 0, "max_body": "1KiB"})
    reply = await gateway.post("/hooks/any", {"text": "x" * 1024}, TOKEN)
    assert (reply.status, reply.json["code"]) == (413, "too_large")
    await nothing_happened(world, gateway)


async def test_an_event_nobody_knows_is_refused_and_written_down(world: World) -> None:
    gateway = await world.gateway(hooks=[github()])
    reply = await push(gateway, b'{"zen": "Mind your words"}', event="unheard_of", delivery="d-9")
    assert (reply.status, reply.json["code"]) == (422, "event_unknown")
    [entry] = await refused(world)
    assert entry["source"] == "hook:code"
    assert entry["entry"] == "d-9"
    assert entry["code"] == "event_unknown"
    assert json.loads(entry["raw"]) == {"zen": "Mind your words"}
    assert "unheard_of" in entry["detail"]
    assert world.napcat.received == []


async def test_a_template_that_cannot_say_it_is_told_to_the_sender_and_written_down(world: World) -> None:
    gateway = await world.gateway(hooks=[generic(template="{{ payload.nowhere.else }}")])
    reply = await gateway.post("/hooks/any", {"text": "hello"}, TOKEN)
    assert (reply.status, reply.json["code"]) == (422, "template_failed")
    assert "nowhere" in reply.json["detail"]
    [entry] = await refused(world)
    assert (entry["source"], entry["code"], entry["raw"]) == ("hook:any", "template_failed", '{"text": "hello"}')
    assert world.napcat.received == []


async def test_a_message_that_napcat_could_not_be_given_is_refused_and_written_down(world: World) -> None:
    template = "- {type: image, data: {file: {{ payload.file }} }}"
    gateway = await world.gateway(hooks=[generic(template=template, segments=True)])
    reply = await gateway.post("/hooks/any", {"file": "file:///etc/passwd"}, TOKEN)
    assert reply.status == 422
    [entry] = await refused(world)
    assert entry["source"] == "hook:any"
    assert world.napcat.received == []


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


async def test_the_same_delivery_twice_is_one_message_and_another_is_another(world: World) -> None:
    gateway = await world.gateway(hooks=[github()])
    replies = [await push(gateway, delivery=delivery) for delivery in ("d-1", "d-1", "d-2")]
    assert [reply.status for reply in replies] == [202, 202, 202]
    jobs = [reply.json["jobs"][0] for reply in replies]
    assert [job["duplicate"] for job in jobs] == [False, True, False]
    assert jobs[0]["id"] == jobs[1]["id"] != jobs[2]["id"]
    await world.ended(2)
    assert world.napcat.texts(GROUP) == [TOLD, TOLD]


async def test_deliveries_at_the_same_time_are_one_message(world: World) -> None:
    gateway = await world.gateway(hooks=[github()])
    replies = await asyncio.gather(*(push(gateway) for _ in range(8)))
    assert {reply.status for reply in replies} == {202}
    assert len({reply.json["jobs"][0]["id"] for reply in replies}) == 1
    await world.ended(1)
    assert world.napcat.texts(GROUP) == [TOLD]


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


class Held(Clock):
    """A clock that stands still, unless it is moved."""

    passed = 0.0

    def monotonic(self) -> float:
        return self.passed


async def test_one_call_too_many_is_told_when_to_come_again_and_strangers_count_for_nothing(world: World) -> None:
    clock = Held()
    gateway = await world.gateway(clock, hooks=[generic(limits=["2/10s"])])

    async def call(text: str, headers: dict[str, str] = TOKEN) -> Reply:
        return await gateway.post("/hooks/any", {"text": text}, headers)

    assert {(await call("hello", {})).status for _ in range(5)} == {401}
    assert [(await call(text)).status for text in ("one", "two")] == [202, 202]
    reply = await call("three")
    assert (reply.status, reply.json["code"], reply.headers["Retry-After"]) == (429, "rate_exceeded", "10")
    clock.passed += 10
    assert (await call("three")).status == 202
    await world.ended(3)
    assert world.napcat.texts(GROUP) == ["one", "two", "three"]
    assert await refused(world) == []


async def test_a_hook_may_send_by_another_account(world: World) -> None:
    accounts = [world.account(), world.account(name="second")]
    gateway = await world.gateway(accounts=accounts, hooks=[generic(account="second")])
    reply = await gateway.post("/hooks/any", {"text": "hello"}, TOKEN)
    [job] = reply.json["jobs"]
    reply = await gateway.get(f"/v1/jobs/{job['id']}?account=second")
    assert reply.json["account"] == "second"


async def test_a_gateway_that_stops_takes_nothing_more(world: World, tmp_path: Path) -> None:
    file = tmp_path / "stopping.yaml"
    file.write_text(json.dumps(world.settings(hooks=[generic(limits=["1/1h"])])))
    app = create_app(load_settings(file, {}))
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        gateway = Gateway(world.settings(), tmp_path)
        gateway.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        await wind_down(app)
        reply = await gateway.post("/hooks/any", {"text": "hello"}, TOKEN)
        assert (reply.status, reply.json["code"], reply.headers["Retry-After"]) == (503, "stopping", "1")
        assert (await gateway.post("/hooks/any", {"text": "hello"})).status == 401
    finally:
        await runner.cleanup()
    assert world.napcat.received == []


async def test_bark_is_answered_as_bark_answers(world: World) -> None:
    gateway = await world.gateway(hooks=[bark(at=["10001"])])
    reply = await gateway.get("/hooks/bark/key1/%E9%97%A8%2F%E7%AA%97/open%3F+yes?url=https://e.com/%3Fa%3D1%26b%3D2")
    assert reply.status == 200
    answer = reply.json
    assert answer.pop("timestamp") > 1_700_000_000
    assert answer == {"code": 200, "message": "success"}
    await world.ended(1)
    assert world.napcat.texts(GROUP) == ["门/窗\nopen? yes\nhttps://e.com/?a=1&b=2"]


@pytest.mark.parametrize(
    ("method", "path", "options"),
    [
        ("GET", "/hooks/bark/key1/hello", {}),
        ("GET", "/hooks/bark/key1?body=hello", {}),
        ("GET", "/hooks/bark?device_key=key1&body=hello", {}),
        ("POST", "/hooks/bark/key1/hello", {}),
        ("POST", "/hooks/bark/key1", {"data": {"body": "hello"}}),
        ("POST", "/hooks/bark/key1", {"json": {"body": "hello"}}),
        ("POST", "/hooks/bark/push", {"json": {"body": "hello", "device_key": "key1"}}),
        ("POST", "/hooks/bark/push", {"data": {"body": "hello", "device_key": "key1"}}),
        ("POST", "/hooks/bark/key2/hello", {}),
    ],
)
async def test_bark_is_called_in_many_ways(world: World, method: str, path: str, options: dict[str, Any]) -> None:
    gateway = await world.gateway(hooks=[bark(secret=["key1", "key2"])])
    assert (await gateway.request(method, path, **options)).status == 200
    await world.ended(1)
    assert world.napcat.texts(GROUP) == ["hello"]


@pytest.mark.parametrize("path", ["/wrong/hello", "", "/", "/push", "/KEY1/hello", "/key1%2Fhello", "/key/hello"])
async def test_bark_without_its_key_is_refused(world: World, path: str) -> None:
    gateway = await world.gateway(hooks=[bark()])
    assert (await gateway.get(f"/hooks/bark{path}")).status == 401
    await nothing_happened(world, gateway)


class Hand(Clock):
    """A clock whose time of day is moved by hand."""

    ms = 1_790_000_000_000

    def epoch_ms(self) -> int:
        return self.ms


async def test_a_standard_webhook_is_taken_in_its_time_and_not_when_it_is_replayed(world: World) -> None:
    clock = Hand()
    secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    gateway = await world.gateway(clock, hooks=[generic(preset="standard", secret=secret)])
    body = b'{"type": "contact.created", "data": {"id": 7}}'

    def headers(name: str) -> dict[str, str]:
        signature = Webhook(secret).sign(name, datetime.fromtimestamp(Hand.ms / 1000, UTC), body.decode())
        return {"webhook-id": name, "webhook-timestamp": str(Hand.ms // 1000), "webhook-signature": signature}

    replies = [await gateway.post("/hooks/any", body, headers(name)) for name in ("msg_1", "msg_1", "msg_2")]
    assert [reply.json["jobs"][0]["duplicate"] for reply in replies] == [False, True, False]
    for seconds in (301, -301):
        clock.ms = Hand.ms + seconds * 1000
        reply = await gateway.post("/hooks/any", body, headers("msg_3"))
        assert (reply.status, reply.json["code"]) == (401, "signature_invalid")
        assert "five minutes" in reply.json["detail"]
    await world.ended(2)
    assert world.napcat.texts(GROUP) == ["[any] contact.created\nid: 7"] * 2
    assert await refused(world) == []


async def test_a_push_that_is_meant_again_is_sent_again_and_one_that_is_repeated_at_once_is_not(world: World) -> None:
    clock = Hand()
    gateway = await world.gateway(clock, hooks=[bark()])
    for seconds in (0, 1, 9, 12):
        clock.ms = Hand.ms + seconds * 1000
        assert (await gateway.get("/hooks/bark/key1/hello")).status == 200
    await until(lambda: world.napcat.texts(GROUP), lambda texts: len(texts) >= 2)
    assert world.napcat.texts(GROUP) == ["hello", "hello"]


async def test_serverchan_is_answered_as_serverchan_answers(world: World) -> None:
    hook = {"name": "sc", "preset": "serverchan", "secret": "SCT1T2abc", "targets": GROUP}
    gateway = await world.gateway(hooks=[hook])
    reply = await gateway.request("POST", "/hooks/sc/SCT1T2abc.send", data={"title": "磁盘", "desp": "**92 %** full"})
    assert reply.status == 200
    answer = reply.json
    pushid = answer["data"]["pushid"]
    assert answer == {
        "code": 0,
        "message": "",
        "data": {"pushid": pushid, "readkey": pushid, "error": "SUCCESS", "errno": 0},
    }
    await world.ended(1)
    assert world.napcat.texts(GROUP) == ["磁盘\n92 % full"]
    receipt = await gateway.receipt(f"key:hook:sc:{pushid}:{GROUP}")
    assert receipt.metadata == {"hook": "sc", "event": "", "delivery": pushid}
    for path in ("/hooks/sc/SCT1T2abd.send", "/hooks/sc", "/hooks/sc/send/SCT1T2abc.send"):
        assert (await gateway.request("POST", path, data={"title": "x"})).status == 401


async def test_what_a_payload_says_is_only_words(world: World) -> None:
    gateway = await world.gateway(hooks=[generic()])
    text = "[CQ:at,qq=all] \ue0000\ue001 {{ 7 * 7 }} &#91;"
    assert (await gateway.post("/hooks/any", {"text": text}, TOKEN)).status == 202
    await world.ended(1)
    [message] = [one.message for one in world.napcat.delivered]
    assert {segment["type"] for segment in message} == {"text"}
    assert world.napcat.texts(GROUP) == ["[CQ:at,qq=all] 0 {{ 7 * 7 }} &#91;"]


@pytest.mark.parametrize(
    ("hook", "said"),
    [
        ({"name": "a", "preset": "github", "targets": GROUP}, "hooks.0.secret: give the secret"),
        (github(secret=""), "hooks.0.secret: give the secret"),
        (github(preset="gitbub"), "hooks.0.preset: there is no preset 'gitbub'; known: "),
        (github(template="{% if %}"), "hooks.0.template: line 1: "),
        (github(template="{{ a | nothing }}"), "hooks.0.template: "),
        (github(collapse_key="{{ a"), "hooks.0.collapse_key: line 1: "),
        (github(verify={"kind": "hmac"}), "hooks.0.verify.header: name the header"),
        (
            github(routes=[{"match": [{"path": "$[", "equals": 1}], "targets": GROUP}]),
            "hooks.0.routes.0.match.0.path: ",
        ),
        (github(preset="standard"), "hooks.0.secret: Standard Webhooks need"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_a_hook_that_cannot_work_keeps_the_gateway_from_starting(
    world: World, hook: dict[str, Any], said: str
) -> None:
    with pytest.raises(SettingsInvalid) as caught:
        await world.gateway(hooks=[hook])
    assert str(caught.value).startswith(said), str(caught.value)
    assert SECRET not in str(caught.value)
    assert "\n" not in str(caught.value)


async def test_what_is_urgent_mentions_people_in_groups_and_reaches_private_chats_without(world: World) -> None:
    hook = generic(template="{{ at(10001) }} fire", targets=["group:1", "private:20002"])
    gateway = await world.gateway(hooks=[hook])
    assert (await gateway.post("/hooks/any", {"text": "x"}, TOKEN)).status == 202
    await world.ended(2)
    assert {sent.target: sent.text for sent in world.napcat.delivered}["private:20002"] == "fire"


async def test_who_does_not_prove_itself_has_nothing_looked_into(world: World) -> None:
    gateway = await world.gateway(hooks=[generic()])
    for body in (b"{", b"\xff", b'{"a":[' + b"{}," * 100_000 + b"{}]}"):
        reply = await gateway.post("/hooks/any", body)
        assert (reply.status, reply.json["code"]) == (401, "signature_invalid")


async def test_no_secret_is_written_to_the_refused_entries(world: World) -> None:
    hook = {"name": "push", "preset": "bark", "secret": "a-device-key", "targets": ["group:1"]}
    gateway = await world.gateway(hooks=[{**hook, "template": "{{ payload.nothing }}"}])
    reply = await gateway.post("/hooks/push/push", {"device_key": "a-device-key", "body": "hi"})
    assert reply.status == 422
    (entry,) = await world.producer.invalid()
    assert "hi" in entry["raw"]
    assert "a-device-key" not in entry["raw"]


async def test_the_signed_id_of_a_standard_webhook_tells_deliveries_apart(world: World) -> None:
    secret = "whsec_" + base64.b64encode(b"k" * 32).decode()
    hook = {"name": "own", "template": "{{ payload.data }}", "verify": {"kind": "standard"}, "secret": secret}
    gateway = await world.gateway(hooks=[{**hook, "targets": ["group:1"]}])
    body, at = json.dumps({"data": "hello"}), datetime.now(UTC)
    told: list[bool] = []
    for name in ("msg_1", "msg_2", "msg_1"):
        signature = Webhook(secret).sign(name, at, body)
        sent = {"webhook-id": name, "webhook-timestamp": str(int(at.timestamp())), "webhook-signature": signature}
        sent["Idempotency-Key"] = f"other-{len(told)}"
        told.append((await gateway.post("/hooks/own", body.encode(), sent)).json["jobs"][0]["duplicate"])
    assert told == [False, False, True]


async def test_a_picture_that_cannot_be_sent_does_not_take_its_words_along(world: World) -> None:
    gateway = await world.gateway(hooks=[generic()])
    told = {"title": "look", "image": "http://192.168.1.7/a.png"}
    assert (await gateway.post("/hooks/any", told, TOKEN)).status == 202
    await world.ended(1)
    assert "look" in world.napcat.delivered[0].text
