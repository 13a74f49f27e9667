"""What a running gateway answers is what the description says, errors included."""

import hashlib
import hmac
import json

import pytest
from pydantic import BaseModel

from gateway.app import wind_down
from gateway.model.answers import Problem
from gateway.openapi import openapi_document
from gateway.openapi.operation import Operation
from gateway.openapi.table import OPERATIONS
from tests.keys import bearer, key
from tests.openapi.documented import Documented
from tests.world import SECRET, World, until

JOB = {"group_id": "1", "message": "hello", "key": "a"}
LATER = {**JOB, "key": "later", "delay": "1h"}


@pytest.fixture(name="documented")
async def _documented(world: World) -> Documented:
    return Documented(await world.gateway(onebot={"wait": "1s"}))


async def test_a_job_is_answered_as_described_from_beginning_to_end(documented: Documented) -> None:
    call = documented.call
    first = await call("submitJob", JOB, status=202)
    assert (await call("submitJob", JOB, status=202))["duplicate"]
    assert (await call("getJob", id=first["id"], query="?wait=10s", status=200))["state"] == "delivered"
    later = await call("submitJob", LATER, status=202)
    assert (await call("getJob", id="key:later", status=200))["reason"] == "scheduled"
    assert (await call("cancelJob", id=later["id"], status=200))["state"] == "cancelled"
    assert (await call("cancelJob", id=first["id"], status=409))["code"] == "too_late"
    batch = await call("submitJobs", {"jobs": [JOB, 1, {**JOB, "x": 1}]}, status=202)
    assert [sorted(item) for item in batch["items"]] == [["duplicate", "id", "state"]] + [
        ["code", "detail", "errors"]
    ] * 2


async def test_a_job_that_cannot_be_taken_is_refused_as_described(documented: Documented) -> None:
    refusals = [
        (b"{", {}, 400),
        (JOB, {"Content_Type": "text/plain"}, 415),
        ({"message": "x"}, {}, 422),
        ({**JOB, "message": [{"type": "img"}]}, {}, 422),
        ({**JOB, "account": "second"}, {}, 422),
        (JOB, {"Idempotency_Key": "b"}, 422),
        (JOB, {"query": "?dry=1"}, 422),
        (JOB, {"query": "?%ff=1"}, 400),
    ]
    for body, given, status in refusals:
        await documented.call("submitJob", body, status=status, **given)
    await documented.call("submitJob", JOB, status=202)
    told = await documented.call("submitJob", {**JOB, "message": "other"}, status=422)
    assert told["code"] == "key_reused"
    for batch, status in ((b"{", 400), ({}, 422), ({"jobs": []}, 422)):
        await documented.call("submitJobs", batch, status=status)
    for name in ("getJob", "cancelJob"):
        assert (await documented.call(name, id="main.none", status=404))["code"] == "job_not_found"
        await documented.call(name, query="?x=1", status=422)
        await documented.call(name, query="?%ff=1", status=400)
    await documented.call("getJob", query="?wait=61s", status=422)


async def test_holds_are_answered_as_described(documented: Documented) -> None:
    for hold, release, scope in (
        ("parkTarget", "releaseTarget", {"kind": "group", "id": "1"}),
        ("pauseAccount", "resumeAccount", {"name": "main"}),
    ):
        await documented.call(hold, {"reason": "quarrel", "for": "2h"}, status=200, **scope)
        await documented.call(hold, status=200, **scope)
        await documented.call(hold, b"{", status=400, **scope)
        await documented.call(hold, {"for": "2h", "until": "2026-01-31T10:00:00Z"}, status=422, **scope)
        assert (await documented.call(release, status=200, **scope))["was_held"]
    for name in ("parkTarget", "releaseTarget"):
        await documented.call(name, kind="group", id="012", status=404)
        await documented.call(name, query="?account=second", status=422)
    for name in ("pauseAccount", "resumeAccount"):
        await documented.call(name, name="second", status=422)


async def test_how_the_gateway_is_is_told_as_described(world: World, documented: Documented) -> None:
    world.napcat.behave("group:2", "mute")
    await documented.call("submitJob", JOB, status=202)
    await documented.call("submitJob", {**JOB, "group_id": "2", "key": "b"}, status=202)
    await until(lambda: documented.call("getStatus", status=200), lambda told: told["accounts"]["main"]["holds"])
    for name in ("isLive", "isReady", "getOpenApi", "getDocs", "getFlow"):
        await documented.call(name, status=200)
    await world.stop_redis()
    await documented.call("isReady", status=503)
    # It tells what was found a second ago at most.
    await until(lambda: documented.gateway.get("/status"), lambda reply: reply.status == 503)
    await documented.call("getStatus", status=503)
    await documented.call("getFlow", status=503)
    for name in ("getJob", "cancelJob", "parkTarget", "releaseTarget", "pauseAccount", "resumeAccount"):
        await documented.call(name, id="main.a" if name.endswith("Job") else "1", status=503)
    assert (await documented.call("submitJob", JOB, status=503))["code"] == "store_unavailable"
    await documented.call("submitJobs", {"jobs": [JOB]}, status=202)


async def test_events_are_answered_as_described(documented: Documented) -> None:
    event = json.dumps({"post_type": "meta_event"}).encode()
    signed = "sha1=" + hmac.new(SECRET.encode(), event, hashlib.sha1).hexdigest()
    await documented.call("takeEvent", event, status=204, X_Signature=signed)
    await documented.call("takeEvent", event, status=401, X_Signature="sha1=00")
    await documented.call("takeEvent", event, account="second", status=404, X_Signature=signed)


async def test_the_drop_in_answers_as_described(documented: Documented) -> None:
    call = documented.call
    sent = {"group_id": 1, "message": "hello"}
    assert (await call("send_group_msg", sent, status=200))["status"] == "ok"
    assert (await call("send_msg_async_of_account", {"user_id": 1, "message": "x"}, status=200))["retcode"] == 1
    assert (await call("send_msg_by_get", status=200, query="?user_id=1&message=x"))["status"] == "ok"
    assert (await call("send_private_msg", {}, status=200))["retcode"] == 400
    assert (await call("pass", action="get_login_info", status=200))["status"] == "ok"
    await call("pass", action="get_cookies", status=404)
    await call("send_msg", b"{", status=400)
    await call("send_msg", sent, status=406, Content_Type="text/plain")
    await call("send_msg_by_get", status=400, query="?message=%ff")


async def test_who_may_not_call_is_told_as_described(world: World) -> None:
    keys = [key("all"), key("reader", scopes=["read"]), key("narrow", targets=["group:2"], scopes=["send", "admin"])]
    gateway = await world.gateway(auth={"keys": [*keys, key("seldom", rate="1/1h")]})
    for operation in OPERATIONS:
        if operation.scope is not None and operation.name in {"submitJob", "parkTarget", "getStatus", "send_msg"}:
            await Documented(gateway).call(operation.name, status=401)
    await Documented(gateway, "wrong").call("send_msg", JOB, status=403)
    await Documented(gateway, "reader").call("submitJob", JOB, status=403)
    await Documented(gateway, "narrow").call("submitJob", JOB, status=403)
    await Documented(gateway, "narrow").call("send_msg", JOB, status=403)
    await Documented(gateway, "narrow").call("parkTarget", status=403)
    await Documented(gateway, "seldom").call("submitJob", JOB, status=202)
    await Documented(gateway, "seldom").call("submitJob", JOB, status=429)
    for path in ("/openapi.json", "/docs"):
        assert (await gateway.get(path)).status == 200
        assert (await gateway.get(path, bearer("wrong"))).status == 200


async def test_without_keys_a_page_of_another_site_reads_no_description(documented: Documented) -> None:
    for name in ("getOpenApi", "getDocs"):
        told = await documented.call(name, status=403, Sec_Fetch_Site="cross-site")
        assert told["code"] == "foreign"


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.name)
def test_every_example_is_what_its_model_says(operation: Operation) -> None:
    if operation.body is not None and isinstance(operation.body.model, type):
        for example in operation.body.examples.values():
            operation.body.model.model_validate_json(json.dumps(example))
    for answer in operation.answers:
        if isinstance(answer.model, type):
            assert issubclass(answer.model, BaseModel)
            answer.model.model_validate_json(json.dumps(answer.example))


def test_every_error_is_shown_as_a_problem() -> None:
    for example in openapi_document()["components"]["examples"].values():
        Problem.model_validate(example["value"])


async def test_a_reload_is_answered_as_described(documented: Documented) -> None:
    gateway = documented.gateway
    assert (await documented.call("reload", status=200))["applied"] == []
    gateway.change(onebot={"wait": "2s"}, accounts=[{"name": "other", "endpoint": "http://127.0.0.1:1"}])
    assert (await documented.call("reload", status=200))["accounts"]["removed"] == ["main"]
    gateway.change(onebot={"wiat": "2s"})
    assert (await documented.call("reload", status=422))["code"] == "settings_invalid"
    assert (await documented.call("reload", query="?now=1", status=422))["code"] == "query_invalid"
    await wind_down(gateway.app)
    assert (await documented.call("reload", status=503))["code"] == "stopping"
