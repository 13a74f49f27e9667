"""The Python client over HTTP: what it sends is sent once, and what went wrong has a type."""

import asyncio
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any

import pytest
from aiohttp import web

from gateway.client import (
    Conflict,
    Forbidden,
    Gateway,
    Job,
    JobFields,
    NotFound,
    NotUnderstood,
    Refused,
    Submitted,
    Unauthorized,
    Unavailable,
)
from tests.client.between import between
from tests.world import World, serving, until


def later() -> web.Response:
    return web.json_response({"code": "stopping", "detail": "x"}, status=503, headers={"Retry-After": "1"})


async def test_a_message_is_sent_and_its_end_waited_for(world: World) -> None:
    gateway = await world.gateway()
    async with Gateway(gateway.url) as client:
        sent = await client.send(group_id=1, message="hello")
        assert (sent.duplicate, sent.entry) == (False, None)
        receipt = await client.receipt(sent, wait="20s")
        assert (receipt.state, receipt.key) == ("delivered", sent.key)
        assert receipt == await client.receipt(f"key:{sent.key}") == await client.receipt(receipt.id)
    assert world.napcat.texts("group:1") == ["hello"]


async def test_a_job_is_given_as_model_as_dictionary_or_as_fields(world: World) -> None:
    gateway = await world.gateway()
    model = Job.model_validate(
        {"group_id": 1, "message": "a", "delay": "10ms", "not_before": None, "expires_at": "2126-01-31T08:00:00+08:00"}
    )
    async with Gateway(base_url=gateway.url) as client:
        for job in (model, {"group_id": 1, "message": "b", "ttl": timedelta(hours=1)}):
            assert (await client.receipt(await client.send(job), wait=20)).state == "delivered"
        last = await client.send(model, message="c", key="c", delay=None, not_before=datetime.now(UTC))
        assert last.key == "c"
        assert (await client.receipt(last, wait=timedelta(seconds=20))).state == "delivered"
    assert world.napcat.texts("group:1") == ["a", "b", "c"]


def test_the_client_names_every_field_of_a_job() -> None:
    assert set(JobFields.__annotations__) == set(Job.model_fields)


async def test_what_is_refused_names_every_wrong_field(world: World) -> None:
    gateway = await world.gateway()
    async with Gateway(gateway.url) as client:
        with pytest.raises(Refused) as caught:
            await client.send({"group_id": 0, "message": "x", "mesage": 1})
        assert caught.value.code == "job_invalid"
        assert {fault.loc for fault in caught.value.errors} == {"group_id", "mesage"}
        with pytest.raises(Refused, match="cannot be written as JSON"):
            await client.send(group_id=1, message=object())


async def test_a_send_whose_answer_was_lost_is_sent_once(world: World) -> None:
    gateway = await world.gateway()
    async with between(gateway, lambda number, _: "lose" if number < 2 else None) as url, Gateway(url) as client:
        sent = await client.send(group_id=1, message="once")
        assert sent.duplicate is False
        assert (await client.receipt(sent, wait="20s")).state == "delivered"
    assert world.napcat.texts("group:1") == ["once"]


async def test_a_gateway_that_says_later_is_asked_again_when_it_says(world: World) -> None:
    gateway = await world.gateway()
    loop = asyncio.get_running_loop()
    async with between(gateway, lambda number, _: later() if number == 0 else None) as url:
        began = loop.time()
        async with Gateway(url) as client:
            await client.send(group_id=1, message="x")
        assert 1.0 <= loop.time() - began < 20
        async with Gateway(url, patience=0) as client:
            await client.send(group_id=1, message="y")


async def test_who_has_no_time_left_is_told_at_once_when_to_come_back(world: World) -> None:
    gateway = await world.gateway()
    async with between(gateway, lambda *_: later()) as url, Gateway(url, patience=0.5) as client:
        with pytest.raises(Unavailable) as caught:
            await client.send(group_id=1, message="x")
    assert (caught.value.code, caught.value.retry_after) == ("stopping", 1.0)


async def test_nobody_there_is_unavailable() -> None:
    async with Gateway("http://127.0.0.1:9", patience="300ms") as client:
        with pytest.raises(Unavailable, match=r"no answer from http://127\.0\.0\.1:9: ") as caught:
            await client.status()
    assert caught.value.code == "unreachable"


@pytest.mark.parametrize("url", ["127.0.0.1:8080", "ftp://x", "http://", "http://x?y", ""])
def test_an_address_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(Refused) as caught:
        Gateway(url)
    assert caught.value.code == "url_invalid"


async def test_keys_that_are_missing_or_may_not_are_errors_of_their_own(world: World) -> None:
    keys = [
        {"name": name, "sha256": sha256(name.encode()).hexdigest(), "scopes": [name], "targets": ["group:1"]}
        for name in ("send", "read")
    ]
    gateway = await world.gateway(auth={"keys": keys})
    job: dict[str, Any] = {"group_id": 1, "message": "x"}
    for key in (None, "wrong"):
        async with Gateway(gateway.url, key) as client:
            with pytest.raises(Unauthorized):
                await client.send(job)
    async with Gateway(gateway.url, "read") as client:
        with pytest.raises(Forbidden):
            await client.send(job)
    async with Gateway(gateway.url, key="send\n") as client:
        await client.send(job)
        with pytest.raises(Forbidden):
            await client.send(job, group_id=2)
        with pytest.raises(Forbidden):
            await client.receipt("main.x")
    with pytest.raises(Refused, match="copy it again"):
        Gateway(gateway.url, "a\nb")


async def test_what_a_newer_gateway_says_besides_disturbs_nobody(world: World) -> None:
    receipt = {
        "id": "main.x",
        "account": "main",
        "target": "group:1",
        "state": "delivered",
        "created_at": "2026-01-31T08:00:00Z",
        "updated_at": "2026-01-31T08:00:00Z",
        "parts": {"total": 1, "delivered": 1, "lost": 0},
        "mood": "fine",
        "attempts": [{"n": 1, "part": 0, "began_at": "2026-01-31T08:00:00Z", "weather": "mild"}],
    }

    async def handle(request: web.Request) -> web.Response:
        return web.json_response(receipt | {"state": "elsewhere"} if "odd" in request.path else receipt)

    async with serving("GET", handle) as url, Gateway(url) as client:
        assert (await client.receipt("main.x")).state == "delivered"
        with pytest.raises(NotUnderstood, match="state"):
            await client.receipt("main.odd")


async def test_what_is_no_gateway_is_not_understood(world: World) -> None:
    async def handle(_: web.Request) -> web.Response:
        return web.Response(text="<html>", content_type="text/html")

    async with serving("*", handle) as url, Gateway(url) as client:
        with pytest.raises(NotUnderstood, match="address of a gateway"):
            await client.send(group_id=1, message="x")
    async with Gateway(world.napcat.url) as client:
        with pytest.raises(NotUnderstood):
            await client.receipt("main.x")


@pytest.mark.parametrize("key", ["a/b", "a?b#c", "100% sure", "%2F", "key:key:a", "ä 你好", "../jobs", "."])
async def test_a_job_is_found_by_any_key(world: World, key: str) -> None:
    gateway = await world.gateway()
    async with Gateway(gateway.url) as client:
        sent = await client.send(group_id=1, message="x", key=key)
        assert (await client.receipt(f"key:{key}")).id == sent.id


async def test_a_job_that_is_not_there_is_not_found(world: World) -> None:
    gateway = await world.gateway()
    async with Gateway(gateway.url) as client:
        for job in ("main.x", "key:none", "?", "a/b"):
            with pytest.raises(NotFound):
                await client.receipt(job)


async def test_many_jobs_are_told_each_in_its_place(world: World) -> None:
    gateway = await world.gateway()
    jobs: list[Any] = [{"group_id": 1 + n % 3, "message": f"{n}", "key": f"{n}"} for n in range(2_500)]
    jobs[7] = {"group_id": 1, "mesage": "x"}
    jobs[8] = {**jobs[0]}
    async with Gateway(gateway.url) as client:
        outcomes = await client.batch(jobs)
    assert len(outcomes) == len(jobs)
    bad = outcomes[7]
    assert isinstance(bad, Refused)
    assert {fault.loc for fault in bad.errors} == {"mesage", "message"}
    assert [(outcome.key, outcome.duplicate) for outcome in outcomes if isinstance(outcome, Submitted)] == [
        (job["key"], place == 8) for place, job in enumerate(jobs) if place != 7
    ]


async def test_a_batch_whose_answer_was_lost_is_sent_once(world: World) -> None:
    gateway = await world.gateway()
    async with between(gateway, lambda number, _: "lose" if number == 0 else None) as url, Gateway(url) as client:
        outcomes = await client.batch([{"group_id": 1, "message": "a"}, {"group_id": 1, "message": "b", "key": "b"}])
    assert [outcome.duplicate for outcome in outcomes if isinstance(outcome, Submitted)] == [False, True]
    await world.ended(2)
    assert world.napcat.texts("group:1") == ["a", "b"]


async def test_what_finds_no_room_is_sent_when_there_is(world: World) -> None:
    gateway = await world.gateway(intake={"max_queued": 3})
    await gateway.post("/v1/accounts/main/pause", {})
    async with Gateway(gateway.url) as client:
        sending = asyncio.create_task(client.batch({"group_id": 1, "message": f"{n}"} for n in range(9)))
        await until(lambda: _queued(client), lambda queued: queued == 3)
        await gateway.post("/v1/accounts/main/resume", {})
        outcomes = await sending
    assert all(isinstance(outcome, Submitted) for outcome in outcomes)
    await world.ended(9)
    assert sorted(world.napcat.texts("group:1")) == [f"{n}" for n in range(9)]


async def _queued(client: Gateway) -> int:
    queued: int = (await client.status())["accounts"]["main"]["queued"]
    return queued


async def test_what_finds_no_room_in_time_is_told_in_its_place(world: World) -> None:
    gateway = await world.gateway(intake={"max_queued": 1})
    await gateway.post("/v1/accounts/main/pause", {})
    async with Gateway(gateway.url, patience="300ms") as client:
        first, second = await client.batch([{"group_id": 1, "message": "a"}, {"group_id": 1, "message": "b"}])
    assert isinstance(first, Submitted)
    assert isinstance(second, Unavailable)
    assert second.code == "queue_full"


async def test_a_batch_that_is_too_large_goes_in_halves(world: World) -> None:
    gateway = await world.gateway(http={"port": 0, "max_body": "64KiB"})
    jobs = [{"group_id": n + 1, "message": "x" * 3_000} for n in range(100)]
    jobs[50]["message"] = "x" * 70_000
    async with Gateway(gateway.url) as client:
        outcomes = await client.batch(jobs)
    assert [place for place, outcome in enumerate(outcomes) if not isinstance(outcome, Submitted)] == [50]


async def test_a_job_is_cancelled_by_its_key_and_only_while_it_waits(world: World) -> None:
    gateway = await world.gateway()
    async with Gateway(gateway.url) as client:
        await client.send(group_id=1, message="x", delay="1h", key="a")
        assert (await client.cancel("key:a")).state == "cancelled"
        delivered = await client.receipt(await client.send(group_id=1, message="x"), wait="20s")
        with pytest.raises(Conflict) as caught:
            await client.cancel(delivered)
        assert caught.value.code == "too_late"


async def test_a_cancel_whose_answer_was_lost_has_cancelled(world: World) -> None:
    gateway = await world.gateway()
    async with Gateway(gateway.url) as client:
        sent = await client.send(group_id=1, message="x", delay="1h")
    async with between(gateway, lambda number, _: "lose" if number == 0 else None) as url, Gateway(url) as client:
        assert (await client.cancel(sent)).state == "cancelled"


async def test_a_gateway_that_is_down_still_tells_its_status(world: World) -> None:
    gateway = await world.gateway()
    async with Gateway(gateway.url) as client:
        assert (await client.status())["status"] in {"ok", "degraded"}
        await world.stop_redis()
        await until(client.status, lambda told: told["status"] == "down")
    await world.start_redis()
