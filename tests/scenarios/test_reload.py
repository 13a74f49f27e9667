"""A running gateway takes changed settings: each counts from the answer on, and nothing under way is dropped for it."""

import asyncio
import json
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from gateway.app import create_app
from gateway.sandbox.napcat import StandIn
from tests.dashboard.test_stream import Watcher
from tests.keys import bearer, key
from tests.scenarios.test_limits import most_within
from tests.world import WIDE, Gateway, World, serving, until

JOB = {"group_id": "1", "message": "hello"}
NOTHING: dict[str, list[str]] = {"added": [], "removed": [], "changed": []}
SLOWLY = {**WIDE, "group": ["1/1h"]}


def jobs(count: int, **fields: Any) -> list[dict[str, Any]]:
    return [{"group_id": "1", "message": str(number), **fields} for number in range(count)]


async def test_settings_that_did_not_change_are_not_applied(world: World) -> None:
    gateway = await world.gateway()
    runners = asyncio.all_tasks()
    told = await gateway.reload()
    assert told == {
        "detail": "nothing changed",
        "applied": [],
        "needs_restart": [],
        "accounts": NOTHING,
        "waiting": {},
    }
    assert {task for task in runners if not task.done()} <= asyncio.all_tasks()


async def test_what_only_a_restart_changes_is_named_each_time_and_stays(world: World) -> None:
    gateway = await world.gateway()
    for limits, applied in ((WIDE, []), ({**WIDE, "requester": ["1/1s"]}, ["limits.requester"])):
        told = await gateway.reload(http={"port": 1}, limits=limits)
        assert (told["applied"], told["needs_restart"]) == (applied, ["http.port"])
    assert told["detail"] == "applied: limits.requester; only a restart changes http.port"
    assert (await gateway.get("/status")).status == 200


async def test_a_narrow_limit_is_widened_for_what_waits(world: World) -> None:
    gateway = await world.gateway(limits=SLOWLY)
    await world.add(*jobs(9))
    await world.ended(1)
    await gateway.reload(limits={**WIDE, "group": ["2/400ms"]})
    await world.ended(9)
    assert world.napcat.texts("group:1") == [str(number) for number in range(9)]
    assert most_within([call.at for call in world.napcat.received], 0.4) == 2


async def test_a_limit_that_is_widened_by_a_restart_counts_as_soon(world: World) -> None:
    gateway = await world.gateway(limits=SLOWLY)
    await world.add(*jobs(3))
    await world.ended(1)
    await gateway.stop()
    await world.gateway(limits={**WIDE, "group": ["2/400ms"]})
    await world.ended(3)


async def test_what_was_sent_before_counts_in_the_window_of_a_limit_that_is_narrower(world: World) -> None:
    gateway = await world.gateway()
    await world.add(*jobs(5))
    await world.ended(5)
    await gateway.reload(limits={**WIDE, "group": ["3/1500ms"]})
    await world.add(*jobs(1))
    await world.ended(6)
    times = [call.at for call in world.napcat.received]
    assert times[5] - times[2] >= 1.5


async def test_a_key_that_is_added_lets_in_and_one_that_is_removed_no_more(world: World) -> None:
    admin = key("boss", scopes=["admin", "read"])
    gateway = await world.gateway(auth={"keys": [admin, key("old")]})
    assert (await gateway.post("/v1/jobs", JOB, bearer("new"))).status == 401
    await gateway.reload(bearer("boss"), auth={"keys": [admin, key("new")]})
    assert (await gateway.post("/v1/jobs", JOB, bearer("new"))).status == 202
    assert (await gateway.post("/v1/jobs", JOB, bearer("old"))).status == 401
    assert (await gateway.post("/v1/reload", b"", bearer("new"))).status == 403


async def test_a_key_that_reaches_only_some_targets_may_not_change_the_settings_of_all(world: World) -> None:
    keys = [key("narrow", scopes=["admin"], targets=["group:1"])]
    gateway = await world.gateway(auth={"keys": keys})
    reply = await gateway.post("/v1/reload", b"", bearer("narrow"))
    assert (reply.status, reply.json["code"]) == (403, "target_forbidden")


async def test_a_key_keeps_what_it_has_used_of_its_rate(world: World) -> None:
    admin, limited = key("boss", scopes=["admin"]), key("limited", rate="1/1h")
    gateway = await world.gateway(auth={"keys": [admin, limited]})
    assert (await gateway.post("/v1/jobs", JOB, bearer("limited"))).status == 202
    await gateway.reload(bearer("boss"), auth={"keys": [admin, limited, key("other")]})
    assert (await gateway.post("/v1/jobs", JOB, bearer("limited"))).status == 429
    await gateway.reload(bearer("boss"), auth={"keys": [admin, {**limited, "rate": "5/1h"}]})
    assert (await gateway.post("/v1/jobs", JOB, bearer("limited"))).status == 202


async def test_the_first_key_closes_an_open_gateway_and_begins_sessions(world: World) -> None:
    gateway = await world.gateway()
    await gateway.reload(auth={"keys": [key("all", scopes=["admin", "read"])]})
    assert (await gateway.get("/status")).status == 401
    reply = await gateway.post("/session", {"key": "all"})
    cookie = reply.headers["Set-Cookie"].partition(";")[0]
    assert (await gateway.get("/status", {"Cookie": cookie})).status == 200


async def test_a_rule_that_is_added_reads_the_next_answer(world: World) -> None:
    world.napcat.behave("*", "reject", result=4711)
    gateway = await world.gateway(delivery={"retry": []})
    await gateway.post("/v1/jobs", JOB)
    (receipt,) = await world.ended(1)
    assert receipt.code != "full_moon"
    rule = {"name": "full_moon", "retcode": 200, "result": 4711, "verdict": "rejected"}
    await gateway.reload(delivery={"retry": [], "rules": [rule]})
    second = (await gateway.post("/v1/jobs", JOB)).json["id"]
    assert (await gateway.shows(second, "rejected")).code == "full_moon"


async def test_hooks_come_go_and_keep_count(world: World) -> None:
    hook = {"name": "bell", "preset": "bark", "secret": "s3cret", "targets": ["group:1"]}
    gateway = await world.gateway()
    assert (await gateway.get("/hooks/bell/s3cret/hello")).status == 404
    assert (await gateway.reload(hooks=[hook]))["applied"] == ["hooks"]
    assert (await gateway.get("/hooks/bell/s3cret/hello")).status == 200
    await gateway.reload(hooks=[{**hook, "targets": ["group:2"]}])
    assert (await gateway.get("/hooks/bell/s3cret/hello")).status == 200
    await world.ended(2)
    assert [call.target for call in world.napcat.received] == ["group:1", "group:2"]
    assert (await gateway.status())["hooks"] == {"bell": {"taken": 2}}
    await gateway.reload(hooks=[])
    assert (await gateway.get("/hooks/bell/s3cret/hello")).status == 404
    await gateway.reload(hooks=[hook])
    assert (await gateway.status())["hooks"] == {"bell": {"taken": 2}}


async def test_sources_come_and_go_and_those_that_stay_are_read_on(world: World) -> None:
    gateway = await world.gateway()
    await gateway.reload(intake={"streams": ["gw:jobs", "gw:more"], "lists": []})
    await world.clients.commands.xadd("gw:more", {"job": json.dumps({**JOB, "message": "more"})})
    await world.add({**JOB, "message": "usual"})
    await world.ended(2)
    assert sorted(world.napcat.texts("group:1")) == ["more", "usual"]
    status = await gateway.status()
    assert {name: source["reader"] for name, source in status["sources"].items()} == {
        "gw:jobs": "here",
        "gw:more": "here",
    }
    assert not [task for task in status["tasks"] if "list" in task]


async def test_an_account_that_is_added_sends_and_its_name_is_a_path(world: World) -> None:
    gateway = await world.gateway()
    assert (await gateway.post("/second/send_group_msg", JOB)).status == 404
    async with StandIn().serve() as other:
        second = {"name": "second", "endpoint": other.url}
        told = await gateway.reload(
            accounts=[world.account(), second], routes=[{"target": "group:2*", "account": "second"}]
        )
        assert told["accounts"] == {"added": ["second"], "removed": [], "changed": []}
        assert told["applied"] == ["accounts", "routes"]
        assert (await gateway.post("/v1/jobs", {**JOB, "group_id": "22"})).status == 202
        assert (await gateway.post("/second/send_group_msg", JOB)).json["status"] == "ok"
        await until(lambda: len(other.received) == 2)
        assert (await gateway.get("/metrics")).body.count(b'gateway_jobs_ended_total{account="second"') > 0
        assert set((await gateway.status())["accounts"]) == {"main", "second"}
        await gateway.stop()


async def test_the_jobs_of_an_account_that_was_removed_wait_for_its_return(world: World) -> None:
    async with StandIn().serve() as other:
        second = {"name": "second", "endpoint": other.url}
        gateway = await world.gateway(accounts=[world.account(), second])
        paused = await gateway.post("/v1/accounts/second/pause", {})
        assert paused.status == 200
        for number in range(3):
            await gateway.post("/v1/jobs", {**JOB, "message": str(number), "account": "second"})
        told = await gateway.reload(accounts=[world.account()])
        assert (told["accounts"]["removed"], told["waiting"]) == (["second"], {"second": 3})
        assert (await gateway.post("/v1/jobs", {**JOB, "account": "second"})).status == 422
        (reason,) = (await gateway.status())["reasons"]
        assert (reason["code"], reason["account"]) == ("account_absent", "second")
        assert reason["detail"].startswith("3 jobs wait")
        await until(lambda: not [task for task in asyncio.all_tasks() if "second" in task.get_name()])
        assert other.received == []
        told = await gateway.reload(accounts=[world.account(), second])
        assert told["waiting"] == {}
        assert (await gateway.post("/v1/accounts/second/resume", b"")).status == 200
        await until(lambda: other.texts("group:1") == ["0", "1", "2"])
        assert (await gateway.status())["reasons"] == []
        await gateway.stop()


async def test_a_restart_without_an_account_tells_of_its_jobs_too(world: World) -> None:
    gateway = await world.gateway()
    await gateway.post("/v1/accounts/main/pause", {})
    await gateway.post("/v1/jobs", JOB)
    await gateway.stop()
    renamed = await world.gateway(accounts=[world.account(name="renamed")])
    assert [reason["code"] for reason in (await renamed.status())["reasons"]] == ["account_absent"]


async def test_a_call_under_way_ends_by_the_connection_it_began_on(world: World, transport: str) -> None:
    world.napcat.behave("group:1", "delay", times=1, ms=1_500)
    async with StandIn().serve() as other:
        gateway = await world.gateway()
        first = (await gateway.post("/v1/jobs", {**JOB, "message": "first"})).json["id"]
        await until(lambda: world.napcat.received)
        told = await gateway.reload(accounts=[world.account(endpoint=other.url)])
        assert told["accounts"]["changed"] == ["main"]
        second = (await gateway.post("/v1/jobs", {**JOB, "message": "second"})).json["id"]
        third = (await gateway.post("/v1/jobs", {**JOB, "group_id": "3", "message": "third"})).json["id"]
        await gateway.shows(third, "delivered")
        assert (await gateway.receipt(first)).state == "sending"
        assert (await gateway.shows(first, "delivered")).message_ids
        await gateway.shows(second, "delivered")
        assert [call.text for call in world.napcat.received] == ["first"]
        assert [call.text for call in other.received] == ["third", "second"]
        await gateway.stop()


async def test_a_call_of_an_account_that_was_removed_is_settled(world: World) -> None:
    world.napcat.behave("group:1", "delay", times=1, ms=1_000)
    async with StandIn().serve() as other:
        gateway = await world.gateway()
        job = (await gateway.post("/v1/jobs", JOB)).json["id"]
        await until(lambda: world.napcat.received)
        await gateway.reload(accounts=[{"name": "second", "endpoint": other.url}])
        (receipt,) = await world.ended(1)
        assert (receipt.id, receipt.state) == (job, "delivered")
        assert len(receipt.attempts or []) <= 1
        # It may return while, or after, its last call ends.
        told = await gateway.reload(accounts=[world.account()])
        assert told["accounts"] == {"added": ["main"], "removed": ["second"], "changed": []}
        await gateway.post("/v1/jobs", JOB)
        await world.ended(2)
        await gateway.stop()


async def test_an_account_that_returns_at_once_waits_for_its_last_call(world: World) -> None:
    world.napcat.behave("group:1", "delay", times=1, ms=1_000)
    async with StandIn().serve() as other:
        second = {"name": "second", "endpoint": other.url}
        gateway = await world.gateway(accounts=[second, world.account()])
        await world.add(*jobs(3, account="main"))
        await until(lambda: world.napcat.received)
        assert (await gateway.reload(accounts=[second]))["waiting"] == {"main": 3}
        await gateway.reload(accounts=[second, world.account()])
        receipts = await world.ended(3)
        assert [receipt.state for receipt in receipts] == ["delivered"] * 3
        assert world.napcat.texts("group:1") == ["0", "1", "2"]
        await gateway.stop()


async def test_fewer_calls_in_flight_are_heeded_at_once(world: World) -> None:
    world.napcat.behave("*", "delay", ms=300)
    gateway = await world.gateway(accounts=[world.account(max_in_flight=8)])
    await world.add(*({"group_id": str(number + 1), "message": "x"} for number in range(40)))
    await until(lambda: len(world.napcat.received) >= 8)
    await gateway.reload(accounts=[world.account(max_in_flight=2)])
    begun = len(world.napcat.received)
    await until(lambda: len(world.napcat.delivered) >= begun)
    since = [call.at for call in world.napcat.received[begun:]]
    await world.ended(40)
    times = [call.at for call in world.napcat.received[begun + 8 :]]
    assert since or times
    assert max(sum(1 for other in times if 0 <= other - start < 0.29) for start in times) <= 2


async def test_a_onebot_request_that_waits_is_answered_by_its_job(world: World) -> None:
    gateway = await world.gateway(limits=SLOWLY)
    assert (await gateway.post("/send_group_msg", JOB)).json["status"] == "ok"
    named = {"Idempotency-Key": "waits"}
    waiting = asyncio.create_task(gateway.post("/send_group_msg", {**JOB, "echo": 7}, named))
    await gateway.shows("key:waits", "waiting", "rate_limited")
    hook = {"name": "bell", "preset": "bark", "secret": "s3cret", "targets": ["group:1"]}
    await gateway.reload(limits=WIDE, accounts=[world.account(max_in_flight=2)], hooks=[hook])
    answer = (await asyncio.wait_for(waiting, 10)).json
    assert (answer["status"], answer["echo"]) == ("ok", 7)


async def test_who_looks_on_goes_on_looking_until_the_key_is_gone(world: World) -> None:
    boss, guest = key("boss", scopes=["admin", "read"]), key("guest", scopes=["read"])
    gateway = await world.gateway(auth={"keys": [boss, guest]})
    async with aiohttp.ClientSession() as session:
        watchers = [
            Watcher(await session.get(f"{gateway.url}/dashboard/stream", headers=bearer(name), timeout=None))
            for name in ("boss", "guest")
        ]
        await until(lambda: all(watcher.count("status") for watcher in watchers))
        second = world.account(name="second")
        await gateway.reload(bearer("boss"), auth={"keys": [boss]}, accounts=[world.account(), second])
        await until(lambda: watchers[1].ended)
        await until(lambda: set(watchers[0].last("status")["accounts"]) == {"main", "second"})
        assert not watchers[0].ended
        for watcher in watchers:
            await watcher.close()
            watcher.answer.close()


async def test_events_are_heard_on_from_an_account_that_stays(world: World) -> None:
    heard: Any = {"name": "main", "events_url": world.napcat.url.replace("http", "ws") + "/event"}
    gateway = await world.gateway(accounts=[world.account(events_url=heard["events_url"])])

    async def listening() -> Any:
        return (await gateway.status())["accounts"]["main"]["events"]

    since = (await until(listening, lambda events: events["listening"] == "connected"))["since"]
    await gateway.reload(limits=SLOWLY, results={"keep": "1d"})
    assert (await listening())["since"] == since
    await gateway.reload(accounts=[world.account(events_url=heard["events_url"], max_in_flight=3)])
    assert (await listening())["since"] == since
    await gateway.reload(accounts=[world.account(events_url=heard["events_url"].removesuffix("event"))])
    await until(listening, lambda events: events["listening"] == "connected" and events["since"] > since)


async def test_callbacks_are_signed_by_the_new_secrets(world: World) -> None:
    posted: list[str] = []

    async def take(request: Any) -> Any:
        posted.append(request.headers["webhook-signature"])
        return web.Response(status=204)

    old, new = ("whsec_" + letter * 43 + "=" for letter in "AB")
    async with serving("POST", take) as url:
        gateway = await world.gateway()
        callbacks = {"secrets": [old], "allow_private": True}
        assert (await gateway.post("/v1/jobs", {**JOB, "callback_url": url})).status == 422
        await gateway.reload(callbacks=callbacks)
        await gateway.post("/v1/jobs", {**JOB, "callback_url": url})
        await until(lambda: posted)
        assert len(posted[0].split()) == 1
        await gateway.reload(callbacks={**callbacks, "secrets": [old, new]})
        await gateway.post("/v1/jobs", {**JOB, "callback_url": url})
        await until(lambda: len(posted) == 2)
        assert len(posted[1].split()) == 2
        await gateway.stop()


async def test_counters_and_uptime_do_not_fall_back(world: World) -> None:
    gateway = await world.gateway()
    await world.add(*jobs(5))
    await world.ended(5)

    async def counted() -> dict[str, float]:
        lines = (await gateway.get("/metrics")).body.decode().splitlines()
        return {
            name: float(value)
            for name, _, value in (line.rpartition(" ") for line in lines if not line.startswith("#"))
            if "_total" in name or "_count" in name
        }

    before, replicas = await counted(), (await gateway.status())["replicas"]
    await gateway.reload(limits={**WIDE, "requester": ["1/1s"]}, accounts=[world.account(max_in_flight=2)])
    after = await counted()
    assert {name for name, value in before.items() if after.get(name, -1) < value} == set()
    (replica,) = (await gateway.status())["replicas"]
    assert replica["id"] == replicas[0]["id"]


async def test_of_two_reloads_at_once_the_second_sees_what_the_first_has_done(world: World) -> None:
    gateway = await world.gateway()
    gateway.change(limits=SLOWLY)
    replies = await asyncio.gather(*(gateway.post("/v1/reload", b"") for _ in range(5)))
    assert sorted(reply.json["applied"] for reply in replies) == [[]] * 4 + [["limits.group"]]


async def test_a_gateway_that_was_given_its_settings_has_none_to_read_again(world: World) -> None:
    gateway: Gateway = await world.gateway()
    runner = web.AppRunner(create_app(gateway.settings), access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        gateway.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        reply = await gateway.post("/v1/reload", b"")
        assert (reply.status, reply.json["code"]) == (409, "reload_unavailable")
    finally:
        await runner.cleanup()


@pytest.mark.parametrize("sections", [{"log": {"level": "error", "text": "full"}}, {"onebot": {"pass": []}}])
async def test_the_smallest_change_is_applied(world: World, sections: dict[str, Any]) -> None:
    gateway = await world.gateway()
    assert (await gateway.reload(**sections))["applied"]
    assert (await gateway.post("/get_status", {})).json["status"] == ("ok" if "log" in sections else "failed")
