"""What is not taken from the sender of a webhook, why, and what is kept of it."""

import gzip
import json
from pathlib import Path

import pytest
from aiohttp import web

from gateway.app import create_app, wind_down
from gateway.settings import load_settings
from tests.clocks import Held
from tests.hooks.calls import GROUP, PUSH, SECRET, TOKEN, bark, generic, github, nothing_happened, push, refused, signed
from tests.world import Gateway, Reply, World


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


async def test_a_compressed_body_is_taken_and_a_bomb_is_not(world: World) -> None:
    gateway = await world.gateway(hooks=[generic()], http={"port": 0, "max_body": "64KiB"})
    small, bomb = (gzip.compress(json.dumps({"text": text}).encode()) for text in ("hello", " " * 32_000_000))
    packed = {**TOKEN, "Content-Encoding": "gzip"}
    reply = await gateway.post("/hooks/any", bomb, packed)
    assert (reply.status, reply.json["code"]) == (413, "too_large")
    await nothing_happened(world, gateway)
    assert (await gateway.post("/hooks/any", b'{"text": "hello"}', packed)).status == 400, "it is not compressed"
    await nothing_happened(world, gateway)
    assert (await gateway.post("/hooks/any", small, packed)).status == 202
    await world.ended(1)
    assert world.napcat.texts(GROUP) == ["hello"]


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


async def test_one_call_too_many_is_told_when_to_come_again_and_strangers_count_for_nothing(world: World) -> None:
    clock = Held()
    gateway = await world.gateway(clock, hooks=[generic(limits=["2/10s"])])

    async def call(text: str, headers: dict[str, str] = TOKEN) -> Reply:
        return await gateway.post("/hooks/any", {"text": text}, headers)

    assert {(await call("hello", {})).status for _ in range(5)} == {401}
    assert [(await call(text)).status for text in ("one", "two")] == [202, 202]
    reply = await call("three")
    assert (reply.status, reply.json["code"], reply.headers["Retry-After"]) == (429, "rate_exceeded", "10")
    clock.seconds += 10
    assert (await call("three")).status == 202
    await world.ended(3)
    assert world.napcat.texts(GROUP) == ["one", "two", "three"]
    assert await refused(world) == []


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


async def test_who_does_not_prove_itself_has_nothing_looked_into(world: World) -> None:
    gateway = await world.gateway(hooks=[generic()])
    for body in (b"{", b"\xff", b'{"a":[' + b"{}," * 100_000 + b"{}]}"):
        reply = await gateway.post("/hooks/any", body)
        assert (reply.status, reply.json["code"]) == (401, "signature_invalid")


async def test_no_secret_is_written_to_the_refused_entries(world: World) -> None:
    hook = {"name": "push", "preset": "bark", "secret": "a-device-key", "targets": ["group:1"]}
    gateway = await world.gateway(hooks=[{**hook, "template": "{{ payload.url }}"}])
    reply = await gateway.post("/hooks/push/push", {"device_key": "a-device-key", "body": "hi"})
    assert reply.status == 422
    (entry,) = await world.producer.invalid()
    assert "hi" in entry["raw"]
    assert "a-device-key" not in entry["raw"]
