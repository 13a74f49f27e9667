"""Promise 6: tokens, keys and message text stay out of logs, status and errors."""

import base64
import hashlib
import json
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from gateway.sandbox.napcat import StandIn
from gateway.sandbox.process import GatewayProcess
from tests.world import WIDE, World, serving, until

TEXT, TOKEN = "the text of a message", "a-napcat-token"


async def test_log_and_status_hold_no_token_and_no_text(world: World) -> None:
    async with StandIn(token=TOKEN).serve() as napcat:
        napcat.behave("group:2", "kick")
        napcat.behave("group:3", "throw", text=f"{TEXT}: something broke at /opt/napcat/index.js:1")
        account = {"name": "main", "endpoint": napcat.url, "token": TOKEN}
        gateway = await world.process(accounts=[account], delivery={"settle_for": "100ms"})
        await world.add(*({"group_id": str(n), "message": TEXT} for n in range(1, 4)))
        await world.add({"group_id": "1", "mesage": TEXT})
        await world.ended(3)
        async with aiohttp.ClientSession(gateway.url) as session:
            status = await (await session.get("/status")).text()
        log = gateway.log.read_text()
    for words in (log, status):
        assert TEXT not in words
        assert TOKEN not in words


async def test_a_receipt_never_shows_a_stack_trace_or_a_path(world: World) -> None:
    world.napcat.behave("group:1", "throw", text="TypeError: x\n    at Object.send (/opt/napcat/index.js:1:2)")
    await world.gateway(delivery={"settle_for": "100ms"})
    await world.add({"group_id": "1", "message": "hello"})
    (receipt,) = await world.ended(1)
    assert receipt.attempts
    assert "/opt" not in str(receipt)
    assert "    at " not in str(receipt)


SECRETS = {
    "napcat": "hush-napcat-token",
    "wrong": "hush-wrong-token",
    "events": "hush-events-secret",
    "callback": "whsec_" + base64.b64encode(b"hush-callback-secret-24-bytes").decode(),
    "key": "hush-api-key",
    "not_a_key": "hush-not-a-key",
    "hook": "hush-hook-secret",
    "redis": "hush-redis-password",
    "login": "hush-url-password",
    "query": "hush-url-query",
}
URL = f"https://somebody:{SECRETS['login']}@example.com/a.png?signature={SECRETS['query']}"
WORDS = "the words of a message"
BEARER = {"Authorization": f"Bearer {SECRETS['key']}"}


def configured(world: World, napcat: StandIn, how: str) -> dict[str, Any]:
    """Return settings with a secret wherever one can stand; NAPCAT takes one account's token and not the other's."""
    fine: dict[str, Any] = {
        "name": "main",
        "endpoint": napcat.url,
        "token": SECRETS["napcat"],
        "events_secret": SECRETS["events"],
    }
    socket = napcat.url.replace("http://", "ws://")
    refused: dict[str, Any] = {"name": "refused", "endpoint": socket, "transport": "ws", "token": SECRETS["wrong"]}
    key: dict[str, Any] = {"name": "all", "sha256": hashlib.sha256(SECRETS["key"].encode()).hexdigest()}
    return {
        "redis": {"url": world.redis_url.replace("redis://", f"redis://default:{SECRETS['redis']}@")},
        "accounts": [fine, {**refused, "events_url": socket}],
        "limits": WIDE,
        "delivery": {"settle_for": "200ms", "retry": ["10ms"]},
        "callbacks": {"secrets": [SECRETS["callback"]], "allow_private": True, "retry": ["10ms"]},
        "auth": {"keys": [{**key, "scopes": ["send", "read", "admin"]}]},
        "hooks": [{"name": "bark", "preset": "bark", "secret": SECRETS["hook"], "targets": "group:1"}],
        "log": {"level": "debug", "format": "json", "text": how},
    }


async def live(gateway: GatewayProcess, world: World, receiver: str) -> None:
    """Let the gateway meet all that can be told of."""
    text, image = {"type": "text", "data": {"text": WORDS}}, {"type": "image", "data": {"file": URL}}
    jobs: list[dict[str, Any]] = [{"group_id": str(group), "message": f"{WORDS} {URL}"} for group in range(1, 6)]
    jobs += [{"group_id": "1", "message": [text, image]}, {"group_id": "1", "message": WORDS, "account": "refused"}]
    jobs += [{"group_id": "1", "message": WORDS, "callback_url": f"{receiver}/a?sign={SECRETS['query']}"}]
    jobs += [{"group_id": "1", "message": WORDS, "expires_at": "2020-01-01T00:00:00Z"}]
    refused: list[dict[str, Any]] = [
        {"group_id": "1", "mesage": WORDS},
        {"group_id": "1", "message": WORDS, "callback_url": URL},
    ]
    refused += [{"group_id": WORDS, "message": WORDS}, {"group_id": "1", "message": {"type": "text", "data": WORDS}}]
    refused += [{"group_id": "1", "message": [{"type": "image", "data": {"file": f"ftp{URL}"}}]}]
    await world.add(*jobs, *refused, {**jobs[0], "metadata": {"words": WORDS}, "key": "k"})
    await world.add({**jobs[1], "message": WORDS, "key": "k"})
    async with aiohttp.ClientSession(gateway.url) as session:
        for headers in (BEARER, {"Authorization": f"Bearer {SECRETS['not_a_key']}"}, {}):
            for method, path in (
                ("GET", f"/status?token={SECRETS['query']}"),
                ("GET", f"/hooks/bark/{SECRETS['hook']}/{WORDS}"),
                ("GET", f"/hooks/bark/{SECRETS['not_a_key']}/{WORDS}"),
                ("POST", "/v1/jobs"),
                ("POST", "/napcat/main/events"),
                ("GET", f"/{WORDS}"),
            ):
                async with session.request(method, path, headers=headers, json={"group_id": "1", "message": WORDS}):
                    pass
    await until(lambda: gateway.events("job.ended"), lambda lines: len(lines) >= 11, deadline=20)
    await until(lambda: gateway.events("callback.given_up"), deadline=20)
    await until(lambda: gateway.events("entry.refused"), lambda lines: len(lines) == 6)


async def nothing(_: web.Request) -> web.Response:
    return web.Response(status=500, text=WORDS)


@pytest.mark.parametrize("how", ["never", "hash", "full"])
async def test_whatever_happens_no_secret_is_written_and_words_only_when_wished_for(world: World, how: str) -> None:
    async with StandIn(token=SECRETS["napcat"]).serve() as napcat, serving("POST", nothing) as receiver:
        napcat.behave("group:2", "kick")
        napcat.behave("group:3", "throw", text=f"{WORDS}: {SECRETS['napcat']} {URL}")
        napcat.behave("group:4", "timeout", times=1, wait_ms=10)
        napcat.behave("group:5", "reset", times=1)
        gateway = await world.process(**configured(world, napcat, how))
        await live(gateway, world, receiver)
        async with aiohttp.ClientSession(gateway.url, headers=BEARER) as session:
            seen = [await (await session.get(path)).text() for path in ("/status", "/metrics", "/v1/accounts")]
        await world.stop_redis()
        await until(lambda: gateway.events("task.failed"))
        await gateway.stop()
    log = gateway.log.read_text()
    assert all(line.startswith("{") and json.loads(line)["event"] for line in log.splitlines()), "nothing but events"
    for name, secret in SECRETS.items():
        assert secret not in log, name
        assert not any(secret in words for words in seen), name
    assert (WORDS in log) == (how == "full")
    assert not any(WORDS in words for words in seen)
    told = {line["text"] for line in gateway.events("job.attempted") if "text" in line}
    assert (f"{WORDS} https://example.com/a.png?…" in told) == (how == "full")
    assert len(told) > 1 if how != "never" else not told
