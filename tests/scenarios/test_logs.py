"""The log: one wide line for each attempt, and exactly one for each end of a job, whoever ended it."""

import hashlib
import hmac
import json
import time
from collections import Counter
from typing import Any

import aiohttp
import pytest

from gateway.sandbox.process import GatewayProcess
from tests.forward.test_notices import SELF
from tests.monitor.test_metrics import metrics
from tests.world import SECRET, World, until

ALWAYS = {
    "account", "job", "target", "state", "code", "evidence", "parts", "attempts", "message_ids", "age_ms", "queued_ms",
    "event", "level", "timestamp",
}  # fmt: skip
TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


async def ends(gateway: GatewayProcess, count: int) -> list[dict[str, Any]]:
    """Wait until COUNT ends are written, and return them; more is a failure."""
    found: list[dict[str, Any]] = await until(
        lambda: gateway.events("job.ended"), lambda found: len(found) >= count, deadline=20
    )
    assert len(found) == count, found
    assert all(set(line) >= ALWAYS for line in found)
    return found


async def started(world: World, **sections: Any) -> GatewayProcess:
    return await world.process(**{"delivery": {"settle_for": "300ms", "retry": ["10ms"]}, **sections})


async def post(gateway: GatewayProcess, method: str, path: str, document: Any = None) -> Any:
    async with aiohttp.ClientSession() as session, session.request(method, gateway.url + path, json=document) as reply:
        assert reply.status < 300, await reply.text()
        return await reply.json() if reply.status != 204 else None


async def tell(gateway: GatewayProcess, event: dict[str, Any]) -> None:
    body = json.dumps(event).encode()
    signature = "sha1=" + hmac.new(SECRET.encode(), body, hashlib.sha1).hexdigest()
    async with aiohttp.ClientSession() as session:
        url = f"{gateway.url}/napcat/main/events"
        async with session.post(url, data=body, headers={"X-Signature": signature}) as reply:
            assert reply.status == 204


async def test_a_delivered_job_is_told_of_with_all_that_matters(world: World) -> None:
    gateway = await started(world)
    video = {"type": "video", "data": {"file": "https://example.com/a.mp4"}}
    job = {"message": ["look", video], "key": "k", "requester": "5", "metadata": {"traceparent": TRACE}}
    await world.add({"group_id": "1", **job})
    (line,) = await ends(gateway, 1)
    first, second = gateway.events("job.attempted")
    assert (line["state"], line["code"], line["evidence"]) == ("delivered", None, "response")
    assert (line["account"], line["target"], line["level"]) == ("main", "group:1", "info")
    assert (line["parts"], line["attempts"]) == ({"total": 2, "delivered": 2}, 2)
    assert line["message_ids"] == [first["message_id"], second["message_id"]]
    assert 0 <= line["queued_ms"] <= line["age_ms"] < 20_000
    assert (line["key"], line["requester"], line["traceparent"]) == ("k", "5", TRACE)
    assert first["traceparent"] == TRACE
    assert first["job"] == line["job"]
    assert not {"text", "settle_ms", "corrected", "replay_of"} & {*line, *first}


async def test_every_way_a_job_can_end_writes_one_line_with_the_same_fields(world: World) -> None:
    world.napcat.behave("group:2", "kick")
    world.napcat.behave("group:3", "timeout", times=1, wait_ms=10)
    world.napcat.behave("group:4", "throw", text="tired of it")
    rules = [{"name": "tired", "text": "tired", "verdict": "retry", "waits": ["10ms"]}]
    gateway = await started(world, delivery={"settle_for": "300ms", "rules": rules})
    for group in (5, 6):
        await post(gateway, "POST", f"/v1/targets/group/{group}/park")
    jobs: list[dict[str, Any]] = [
        {"group_id": str(group), "message": "hello", "key": str(group)} for group in range(1, 5)
    ]
    jobs += [{"group_id": "5", "message": "old", "collapse_key": "c", "key": "5"}]
    jobs += [{"group_id": "5", "message": "new", "collapse_key": "c", "key": "5b"}]
    jobs += [{"group_id": "6", "message": "kicked", "key": "6"}]
    jobs += [{"group_id": "8", "message": "late", "expires_at": "2020-01-01T00:00:00Z", "key": "8"}]
    await world.add(*jobs)
    await until(lambda: world.clients.commands.xlen("gw:jobs"), lambda left: left == 0)
    await post(gateway, "DELETE", "/v1/jobs/key:5b")
    kicked = {"post_type": "notice", "notice_type": "group_decrease", "sub_type": "kick_me", "self_id": int(SELF)}
    await tell(gateway, {**kicked, "group_id": 6, "user_id": int(SELF), "operator_id": 5, "time": int(time.time())})
    lines = {line["key"]: line for line in await ends(gateway, 8)}
    assert {key: (line["state"], line["code"], line["level"]) for key, line in lines.items()} == {
        "1": ("delivered", None, "info"),
        "2": ("rejected", lines["2"]["code"], "warning"),
        "3": ("unconfirmed", lines["3"]["code"], "warning"),
        "4": ("dead", lines["4"]["code"], "warning"),
        "5": ("cancelled", "collapsed", "info"),
        "5b": ("cancelled", "cancelled", "info"),
        "6": ("rejected", "kicked", "warning"),
        "8": ("expired", "expires_at", "info"),
    }
    assert all(lines[key]["code"] for key in "234")
    assert {line["queued_ms"] is None for key, line in lines.items() if key in {"5", "5b", "6", "8"}} == {True}
    assert lines["4"]["attempts"] == 2
    assert lines["3"]["settle_ms"] >= 300
    assert lines["3"]["evidence"] == "history"


async def test_a_correction_and_the_replay_it_calls_off_are_told_as_such(world: World) -> None:
    world.napcat.behave("group:1", "timeout", times=1, wait_ms=10, late_ms=3_000)
    gateway = await started(world)
    world.napcat.report_to(f"{gateway.url}/napcat/main/events", SECRET)
    await world.add({"group_id": "1", "message": "perhaps", "key": "a"})
    (line,) = await ends(gateway, 1)
    assert (line["state"], "corrected" in line) == ("unconfirmed", False)
    await post(gateway, "POST", "/v1/targets/group/1/park")
    replay = (await post(gateway, "POST", "/v1/jobs/key:a/replay"))["id"]
    _, corrected, called_off = await ends(gateway, 3)
    assert (corrected["job"], corrected["state"], corrected["evidence"]) == (line["job"], "delivered", "event")
    assert corrected["corrected"] is True
    assert corrected["settle_ms"] > line["settle_ms"]
    assert (called_off["job"], called_off["state"], called_off["code"]) == (replay, "cancelled", "corrected")
    assert called_off["replay_of"] == line["job"]


async def test_history_that_is_trusted_ends_a_job_with_one_line(world: World) -> None:
    world.napcat.behave("group:1", "timeout", times=1, wait_ms=10)
    gateway = await started(world, delivery={"settle_for": "60s", "trust_history": True})
    await world.add({"group_id": "1", "message": "perhaps"})
    (line,) = await ends(gateway, 1)
    assert (line["state"], line["evidence"]) == ("delivered", "history")
    assert line["settle_ms"] >= 900


async def test_a_crowd_of_jobs_has_one_end_each(world: World) -> None:
    world.napcat.behave("*", "reset", times=3)
    gateway = await started(world)
    await world.add(*({"group_id": str(n % 7 + 1), "message": f"{n}", "key": f"{n}"} for n in range(200)))
    lines = await ends(gateway, 200)
    assert set(Counter(line["job"] for line in lines).values()) == {1}
    assert {line["key"] for line in lines} == {f"{n}" for n in range(200)}


@pytest.mark.parametrize("how", ["never", "hash", "full"])
async def test_words_are_told_as_the_settings_say(world: World, how: str) -> None:
    gateway = await started(world, log={"level": "info", "format": "json", "text": how})
    world.napcat.behave("group:2", "kick")
    jobs: list[dict[str, Any]] = [{"group_id": group, "message": "words nobody forgets"} for group in "12"]
    await world.add(*jobs, {**jobs[0], "expires_at": "2020-01-01T00:00:00Z"})
    told = [line.get("text") for line in [*await ends(gateway, 3), *gateway.events("job.attempted")]]
    expected = {"never": None, "hash": told[0], "full": "words nobody forgets"}[how]
    assert told == [expected] * 5
    assert ("words nobody forgets" in gateway.log.read_text()) == (how == "full")
    assert how != "hash" or len(told[0] or "") == 16


async def test_what_was_measured_of_a_job_is_among_the_metrics(world: World) -> None:
    world.napcat.behave("group:2", "timeout", times=1, wait_ms=10)
    gateway = await world.gateway(delivery={"settle_for": "300ms"})
    await gateway.post("/v1/jobs", {"group_id": "1", "message": "later", "delay": "3s"})
    await gateway.post("/v1/jobs", {"group_id": "2", "message": "perhaps"})
    await world.ended(2)
    found = await until(
        lambda: metrics(gateway), lambda seen: seen.get("gateway_settle_seconds_count{account=main}") == 1
    )
    assert found["gateway_settle_seconds_sum{account=main}"] >= 0.3
    assert found["gateway_queue_seconds_count{account=main}"] == 2
    assert found["gateway_queue_seconds_sum{account=main}"] < 2.9, "what is scheduled waits from when it is due"
    await until(lambda: metrics(gateway), lambda seen: seen["gateway_loop_lag_seconds_count{}"] > 2)
