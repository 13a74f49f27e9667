"""Signing in: a cookie that stands for a key, on every replica, also without Redis, and for nobody else's pages."""

import re
from functools import partial
from typing import Any

import pytest

from gateway.settings import Key
from gateway.web import Sessions, sha256_of
from tests.clocks import Ahead, Held
from tests.keys import bearer, key
from tests.world import Gateway, Reply, World, until

KEYS = [key("boss", scopes=["read", "admin"]), key("eye", scopes=["read"]), key("shop", scopes=["send"])]
HERE = {"Sec-Fetch-Site": "same-origin"}


async def sign_in(gateway: Gateway, name: str, headers: dict[str, str] | None = None) -> Reply:
    return await gateway.post("/session", {"key": name}, HERE if headers is None else headers)


def cookie(reply: Reply) -> dict[str, str]:
    """Return the header by which a browser sends back the cookie of REPLY."""
    return {"Cookie": reply.headers["Set-Cookie"].partition(";")[0]}


async def guarded(world: World, **sections: Any) -> Gateway:
    return await world.gateway(**{"auth": {"keys": KEYS}, **sections})


async def test_a_key_becomes_a_cookie_that_does_not_hold_it_and_that_no_script_reads(world: World) -> None:
    gateway = await guarded(world)
    reply = await sign_in(gateway, "boss")
    assert reply.status == 200
    assert {name: reply.json[name] for name in ("open", "name", "scopes", "targets")} == {
        "open": False, "name": "boss", "scopes": ["admin", "read"], "targets": ["*"],
    }  # fmt: skip
    given = reply.headers["Set-Cookie"]
    assert {"HttpOnly", "SameSite=Strict", "Path=/", "Max-Age=86400"} <= set(given.split("; "))
    assert "Secure" not in given
    assert sha256_of("boss") not in given
    assert re.match(r"gateway_session=boss~\d+~[\w-]{43};", given)
    assert (await gateway.get("/status", cookie(reply))).status == 200
    assert (await gateway.get("/session", cookie(reply))).json == reply.json
    behind = await sign_in(gateway, "boss", {**HERE, "X-Forwarded-Proto": "https"})
    assert "Secure" in behind.headers["Set-Cookie"].split("; ")


async def test_no_cache_keeps_what_a_session_is_told(world: World) -> None:
    gateway = await guarded(world)
    begun = await sign_in(gateway, "boss")
    private = ("/session", "/status", "/v1/jobs", "/v1/flow", "/v1/jobs/main.x/message", "/metrics", "/nowhere")
    for told in (begun, *[await gateway.get(path, cookie(begun)) for path in private]):
        assert told.headers["Cache-Control"] == "no-store"
        assert told.headers["X-Content-Type-Options"] == "nosniff"


async def test_a_session_is_good_on_every_replica_and_while_redis_is_away(world: World) -> None:
    first, second = await guarded(world), await guarded(world)
    session = cookie(await sign_in(first, "eye"))
    assert (await second.get("/status", session)).status == 200
    await world.stop_redis()
    for gateway in (first, second):
        told = await until(partial(gateway.get, "/status", session), lambda told: told.status == 503)
        assert told.json["status"] == "down"
        assert (await gateway.get("/session", session)).json["name"] == "eye"
    assert (await sign_in(second, "boss")).status == 200


async def test_a_session_ends_with_its_time_or_its_key_and_is_not_made_of_the_settings_alone(world: World) -> None:
    clock = Ahead()
    gateway = await world.gateway(clock, auth={"keys": KEYS})
    session = cookie(await sign_in(gateway, "boss"))
    changed = await world.gateway(auth={"keys": [key("boss", sha256=sha256_of("new"), scopes=["read", "admin"])]})
    assert (await changed.get("/status", session)).status == 401
    for other in (
        session["Cookie"][:-1],
        session["Cookie"].replace("boss", "eye"),
        "gateway_session=",
        "gateway_session=a~1~b",
    ):
        assert (await gateway.get("/status", {"Cookie": other})).status == 401
    known = Key(name="boss", sha256=sha256_of("boss"), scopes=frozenset({"read", "admin"}))
    for guess in (b"", known.sha256.encode(), b"gw"):
        token, _ = Sessions(guess, clock).begin(known)
        assert (await gateway.get("/status", {"Cookie": f"gateway_session={token}"})).status == 401
    clock.seconds = 86_300
    assert (await gateway.get("/status", session)).status == 200
    clock.seconds = 86_401
    assert (await gateway.get("/status", session)).status == 401


async def test_a_session_may_what_its_key_may_and_a_key_that_may_not_look_gets_none(world: World) -> None:
    gateway = await guarded(world)
    told = await sign_in(gateway, "shop")
    assert (told.status, told.json["code"]) == (403, "forbidden")
    assert "Set-Cookie" not in told.headers
    looking = cookie(await sign_in(gateway, "eye")) | HERE
    refused = await gateway.post("/v1/accounts/main/pause", {}, looking)
    assert (refused.status, refused.json["code"]) == (403, "forbidden")
    acting = cookie(await sign_in(gateway, "boss")) | HERE
    assert (await gateway.post("/v1/accounts/main/pause", {}, acting)).status == 200


@pytest.mark.parametrize(
    "from_where",
    [
        {},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "none"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site", "Origin": "HERE"},
    ],
    ids=str,
)
async def test_a_session_does_nothing_for_pages_of_others(world: World, from_where: dict[str, str]) -> None:
    gateway = await guarded(world)
    session = cookie(await sign_in(gateway, "boss"))
    sent = session | {name: value.replace("HERE", gateway.url) for name, value in from_where.items()}
    refused = await gateway.post("/v1/accounts/main/pause", {}, sent)
    assert (refused.status, refused.json["code"]) == (403, "foreign")
    # What a page may make a browser send with GET is answered, but only this gateway's own pages can read it.
    assert (await gateway.get("/status", sent)).status == 200
    assert (await gateway.post("/v1/accounts/main/pause", {}, session | {"Origin": gateway.url})).status == 200


async def test_nothing_is_sent_by_a_session_through_the_paths_of_bots(world: World) -> None:
    gateway = await world.gateway(auth={"keys": [key("all", scopes=["send", "read", "admin"])]})
    session = cookie(await sign_in(gateway, "all")) | HERE
    assert (await gateway.get("/send_msg?user_id=1&message=hi", session)).status == 401


async def test_a_key_that_is_brought_counts_before_the_session(world: World) -> None:
    gateway = await guarded(world)
    session = cookie(await sign_in(gateway, "boss"))
    assert (await gateway.get("/session", session | bearer("eye"))).json["name"] == "eye"
    assert (await gateway.get("/session", session | bearer("wrong"))).status == 401
    # Who brings the key itself is no browser that was tricked.
    assert (await gateway.post("/v1/accounts/main/pause", {}, bearer("boss"))).status == 200


async def test_wrong_keys_are_told_and_after_ten_in_a_minute_not_listened_to(world: World) -> None:
    clock = Held()
    gateway = await world.gateway(clock, auth={"keys": KEYS})
    for _ in range(10):
        wrong = await sign_in(gateway, "wrong")
        assert (wrong.status, wrong.json["code"]) == (401, "unauthorized")
    for name in ("wrong", "boss"):
        limited = await sign_in(gateway, name)
        assert (limited.status, limited.json["code"], limited.headers["Retry-After"]) == (429, "sign_in_limited", "60")
    clock.seconds += 60
    assert (await sign_in(gateway, "boss")).status == 200


@pytest.mark.parametrize("headers", [{"Sec-Fetch-Site": "cross-site"}, {"Origin": "https://evil.example"}], ids=str)
async def test_nobody_is_signed_in_by_a_page_of_others(world: World, headers: dict[str, str]) -> None:
    gateway = await guarded(world)
    told = await sign_in(gateway, "boss", headers)
    assert (told.status, told.json["code"]) == (403, "foreign")


async def test_what_is_no_sign_in_is_refused(world: World) -> None:
    gateway = await guarded(world)
    for body, headers, status, code in (
        (b"{", {}, 400, "json_invalid"),
        ({}, {}, 422, "session_invalid"),
        ({"key": ""}, {}, 422, "session_invalid"),
        ({"key": "boss", "for": "ever"}, {}, 422, "session_invalid"),
        ({"key": "boss"}, {"Content-Type": "text/plain"}, 415, "content_type"),
        ({"key": "boss"} | {f"x{number}": 1 for number in range(2_000)}, {}, 413, "too_large"),
    ):
        told = await gateway.post("/session", body, headers)
        assert (told.status, told.json["code"]) == (status, code)
    assert (await gateway.get("/session")).status == 401


async def test_signing_out_takes_the_cookie_back(world: World) -> None:
    gateway = await guarded(world)
    told = await gateway.request("DELETE", "/session", headers=cookie(await sign_in(gateway, "boss")) | HERE)
    assert told.status == 204
    assert "Max-Age=0" in told.headers["Set-Cookie"]


async def test_without_keys_everybody_is_in(world: World) -> None:
    gateway = await world.gateway()
    told = {"open": True, "scopes": ["admin", "read", "send"], "targets": ["*"]}
    assert (await gateway.get("/session")).json == told
    answer = await sign_in(gateway, "whatever")
    assert (answer.status, answer.json) == (200, told)
    assert "Set-Cookie" not in answer.headers
