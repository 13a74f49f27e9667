"""What monitors and operators are told: the whole state, and whether this process works."""

import asyncio
import hashlib
import os
import re
from typing import Any

from tests.clocks import Ahead
from tests.keys import bearer, key
from tests.world import Gateway, World, until

JOB = {"group_id": "1", "message": "hello"}
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


def events(document: dict[str, Any]) -> dict[str, str]:
    found: dict[str, str] = document["accounts"]["main"]["events"]
    return found


def codes(document: dict[str, Any]) -> list[str]:
    return [reason["code"] for reason in document["reasons"]]


async def test_a_gateway_where_all_goes_well_says_ok_and_what_it_has(world: World) -> None:
    gateway = await world.gateway()
    await world.add(JOB)
    await world.ended(1)
    reply = await gateway.get("/status")
    document = reply.json
    assert (reply.status, document["status"], document["reasons"]) == (200, "ok", [])
    assert {"version", "uptime_s", "accounts", "sources", "backlog", "redis"} <= set(document)
    account = document["accounts"]["main"]
    assert TIME.fullmatch(account.pop("checked_at"))
    (rate,) = account.pop("rates")
    assert (rate["scope"], rate["used"]) == ("account", 1)
    assert account == {
        "reachable": True,
        "online": True,
        "self_id": "10001",
        "breaker": "closed",
        "queued": 0,
        "lanes": 0,
        "in_flight": 0,
        "scheduled": 0,
        "parked": 0,
        "overdue_ms": 0,
        "sent": {"1m": 1, "5m": 1, "60m": 1},
        "verdicts": {"delivered": 1, "retry": 0, "unknown": 0, "rejected": 0},
        "unknown_share": 0.0,
        "ended": {"delivered": 1},
        "observed": {},
        "receipts": 1,
        "holds": [],
        "slowed": [],
        "unmatched": [],
        "callbacks": {"waiting": 0},
        "events": {"listening": "off"},
    }
    assert document["sources"] == {
        "gw:jobs": {"kind": "stream", "depth": 0, "reader": "here"},
        "gw:jobs:list": {"kind": "list", "depth": 0, "reader": "here"},
    }
    assert document["backlog"] == {"queued": 0, "targets": []}
    assert (document["redis"]["aof_enabled"], document["redis"]["persistence"]) == (True, "ok")
    assert 0 < document["redis"]["latency_ms"] < 1_000
    (replica,) = document["replicas"]
    assert (replica["pid"], replica["version"]) == (os.getpid(), document["version"])


async def test_a_job_that_waits_is_counted(world: World) -> None:
    gateway = await world.gateway()
    await world.add({**JOB, "delay": "1h"})
    document = await until(gateway.status, lambda document: document["backlog"]["queued"])
    assert document["backlog"]["queued"] == 1
    assert document["accounts"]["main"]["scheduled"] == 1


async def test_a_source_tells_how_much_it_holds(world: World) -> None:
    gateway = await world.gateway(intake={"streams": ["a"], "lists": ["b"], "max_queued": 1})
    await world.producer.push('{"group_id": "1", "message": "hello", "delay": "1h"}', name="b")
    await until(gateway.status, lambda document: document["backlog"]["queued"])
    await world.producer.add('{"group_id": "1", "message": "waits"}', stream="a")
    await world.producer.push('{"group_id": "1", "message": "waits"}', name="b")
    document = await until(
        gateway.status, lambda document: all(source["depth"] == 1 for source in document["sources"].values())
    )
    assert {name: source["kind"] for name, source in document["sources"].items()} == {"a": "stream", "b": "list"}


async def test_a_muted_group_is_told_as_a_hold_and_is_no_reason_to_worry(world: World) -> None:
    world.napcat.behave("group:1", "mute")
    gateway = await world.gateway()
    await world.add({**JOB, "key": "a"})
    await gateway.shows("key:a", "waiting", "parked")
    document = await gateway.status()
    (hold,) = document["accounts"]["main"]["holds"]
    assert (hold["target"], hold["reason"]) == ("group:1", "muted")
    assert TIME.fullmatch(hold["since"])
    assert TIME.fullmatch(hold["until"])
    assert document["status"] == "ok"


async def test_a_napcat_that_is_down_is_told_with_advice_and_leaves_the_process_ready(world: World) -> None:
    await world.napcat.stop()
    gateway = await world.gateway()
    await world.add(JOB)
    document = await until(gateway.status, lambda document: document["status"] == "degraded")
    (reason,) = document["reasons"]
    assert (reason["code"], reason["account"]) == ("account_paused", "main")
    assert "not_connected" in reason["detail"]
    assert "NapCat" in reason["advice"]
    assert (await gateway.get("/healthz/ready")).status == 200


async def test_a_paused_account_says_nothing_of_another(world: World) -> None:
    dead = {"name": "dead", "endpoint": "http://127.0.0.1:9"}
    gateway = await world.gateway(accounts=[world.account(), dead])
    await world.add({**JOB, "account": "dead"}, JOB)
    await world.ended(1)
    document = await until(gateway.status, lambda document: document["reasons"])
    assert [reason["account"] for reason in document["reasons"]] == ["dead"]


async def test_events_that_are_missing_for_half_a_minute_are_told_with_advice_until_they_come_again(
    world: World,
) -> None:
    await world.napcat.stop()
    clock = Ahead()
    account = world.account(events_url=world.napcat.url.replace("http", "ws"))
    gateway = Gateway(world.settings(accounts=[account]), world.folder, clock)
    await gateway.start()
    try:
        document = await until(gateway.status, lambda document: "error" in events(document))
        assert (events(document)["listening"], "events_lost" in codes(document)) == ("connecting", False)
        assert TIME.fullmatch(events(document)["since"])
        clock.seconds = 30.0
        document = await gateway.status()
        assert document["status"] == "degraded"
        (reason,) = (reason for reason in document["reasons"] if reason["code"] == "events_lost")
        assert reason["account"] == "main"
        assert "not_connected" in reason["detail"]
        assert "events_url" in reason["advice"]
        await world.napcat.start()
        document = await until(gateway.status, lambda document: document["status"] == "ok")
        assert events(document).keys() == {"listening", "since", "taken"}
        assert events(document)["listening"] == "connected"
    finally:
        await gateway.stop()


async def test_a_redis_that_forgets_at_a_restart_is_a_reason_to_worry(world: World) -> None:
    gateway = await world.gateway()
    await world.clients.commands.config_set("appendonly", "no")
    document = await gateway.status()
    assert (document["status"], codes(document)) == ("degraded", ["redis_not_persistent"])


async def test_without_redis_the_gateway_says_down_takes_nothing_and_lives(world: World) -> None:
    gateway = await world.gateway()
    await world.stop_redis()
    reply = await until(lambda: gateway.get("/status"), lambda reply: reply.status == 503)
    assert reply.json["status"] == "down"
    assert "redis_unavailable" in codes(reply.json)
    assert all(reason["detail"] and reason["advice"] for reason in reply.json["reasons"])
    for answer in (await gateway.post("/v1/jobs", JOB), await gateway.get("/v1/flow")):
        assert (answer.status, answer.json["code"]) == (503, "store_unavailable")
        assert int(answer.headers["Retry-After"]) > 0
    ready = await gateway.get("/healthz/ready")
    assert (ready.status, "redis_unavailable" in codes(ready.json)) == (503, True)
    assert (await gateway.get("/healthz/live")).status == 200
    await world.start_redis()
    await gateway.stop()


async def test_when_redis_is_back_jobs_go_on_and_the_process_is_ready_again(world: World) -> None:
    gateway = await world.gateway()
    await world.add({**JOB, "message": "before"})
    await world.ended(1)
    await world.stop_redis()
    await until(lambda: gateway.get("/healthz/ready"), lambda reply: reply.status == 503)
    await world.start_redis()
    await world.add({**JOB, "message": "after"})
    await world.ended(2)
    assert world.napcat.texts("group:1") == ["before", "after"]
    await until(lambda: gateway.get("/healthz/ready"), lambda reply: reply.status == 200, deadline=20)
    assert (await gateway.status())["status"] == "ok"


async def test_the_status_holds_no_secret(world: World) -> None:
    secret = "s3cret"
    await world.napcat.stop()
    key = {"name": "bot", "sha256": hashlib.sha256(secret.encode()).hexdigest()}
    gateway = await world.gateway(
        redis={"url": world.redis_url.replace("//", f"//default:{secret}@")},
        accounts=[world.account(token=secret, events_secret=secret)],
        auth={"keys": [key]},
    )
    headers = {"Authorization": f"Bearer {secret}"}
    await world.add({**JOB, "message": secret})
    degraded = await until(lambda: gateway.get("/status", headers), lambda reply: reply.json["reasons"])
    await world.stop_redis()
    down = await gateway.get("/status", headers)
    ready = await gateway.get("/healthz/ready")
    for body in (degraded.body, down.body, ready.body):
        assert secret.encode() not in body
        assert key["sha256"].encode() not in body


async def test_what_waits_is_told_by_target_the_fullest_first_and_for_how_long(world: World) -> None:
    gateway = await world.gateway(limits={"account": ["10000/1s"], "group": ["1/1h"], "user": ["1/1h"]})
    for group, jobs in (("1", 2), ("2", 4), ("3", 3), ("4", 1)):
        for _ in range(jobs):
            await gateway.post("/v1/jobs", {"group_id": group, "message": "hello"})
    await world.ended(4)
    await gateway.post("/v1/targets/group/3/park", {"reason": "quarrel"})
    backlog = (await gateway.status())["backlog"]
    told = [(lane["target"], lane["queued"], lane["reason"]) for lane in backlog["targets"]]
    assert told == [("group:2", 3, "rate_limited"), ("group:3", 2, "parked"), ("group:1", 1, "rate_limited")]
    assert backlog["oldest_waiting_ms"] == max(lane["oldest_waiting_ms"] for lane in backlog["targets"]) > 0


async def test_twenty_targets_at_most_are_told_of(world: World) -> None:
    gateway = await world.gateway(accounts=[world.account(), world.account(name="second")])
    for name in ("main", "second"):
        await gateway.post(f"/v1/accounts/{name}/pause", {})
        await world.add(*({"group_id": str(n), "message": "a", "account": name} for n in range(1, 31) for _ in "ab"))
    document = await until(gateway.status, lambda document: document["backlog"]["queued"] == 120)
    assert [lane["queued"] for lane in document["backlog"]["targets"]] == [2] * 20


async def test_a_key_is_told_of_its_own_targets_only(world: World) -> None:
    auth = {"keys": [key("all", scopes=["send", "read", "admin"]), key("narrow", targets=["group:1"], scopes=["read"])]}
    gateway = await world.gateway(auth=auth)
    await gateway.post("/v1/accounts/main/pause", {}, bearer("all"))
    for group in ("1", "2"):
        await gateway.post("/v1/targets/group/" + group + "/park", {"reason": "quarrel"}, bearer("all"))
        await world.add(*({"group_id": group, "message": "hello"} for _ in "ab"))

    async def seen(name: str) -> tuple[set[str], set[str]]:
        document = (await gateway.get("/status", bearer(name))).json
        holds = {hold["target"] for hold in document["accounts"]["main"]["holds"]}
        return {lane["target"] for lane in document["backlog"]["targets"]}, holds

    await until(lambda: seen("all"), lambda told: told == ({"group:1", "group:2"}, {"account", "group:1", "group:2"}))
    assert await seen("narrow") == ({"group:1"}, {"account", "group:1"})


async def test_a_key_for_some_targets_learns_the_name_of_no_job_of_others(world: World) -> None:
    auth = {"keys": [key("all"), key("narrow", targets=["group:1"])]}
    world.napcat.behave("group:2", "reply", retcode=9057, message="something quite new")
    gateway = await world.gateway(auth=auth)
    job = (await gateway.post("/v1/jobs", {**JOB, "group_id": "2"}, bearer("all"))).json["id"]

    async def seen(name: str) -> bytes:
        return (await gateway.get("/status", bearer(name))).body

    everything = await until(lambda: seen("all"), lambda body: b"answers_unmatched" in body)
    assert job.encode() in everything
    told = await seen("narrow")
    assert b"answers_unmatched" in told
    assert job.encode() not in told


async def test_the_last_hour_is_told_by_the_minute(world: World) -> None:
    world.napcat.behave("group:2", "kick")
    gateway = await world.gateway()
    await world.add(JOB, JOB, {**JOB, "group_id": "2"})
    await world.ended(3)
    await gateway.status()
    flow = (await gateway.get("/v1/flow")).json
    main = flow["accounts"]["main"]
    assert {name: len(minutes) for name, minutes in main.items()} == dict.fromkeys(
        ("admitted", "sent", "delivered", "undelivered"), 60
    )
    # The minute may have ended meanwhile.
    assert {name: sum(minutes[-2:]) for name, minutes in main.items()} == {
        "admitted": 3, "sent": 3, "delivered": 2, "undelivered": 1,
    }  # fmt: skip
    assert TIME.fullmatch(flow["until"])


async def test_who_looks_within_a_second_is_told_the_same(world: World) -> None:
    gateway = await world.gateway()
    looks = 'gateway_redis_seconds_count{script="overview"}'

    async def taken() -> float:
        lines = (await gateway.get("/metrics")).body.decode().splitlines()
        return sum(float(line.split()[-1]) for line in lines if line.startswith(looks))

    await gateway.status()
    before = await taken()
    replies = await asyncio.gather(*(gateway.get("/status") for _ in range(50)))
    assert all(reply.status == 200 for reply in replies)
    assert await taken() - before <= 2
