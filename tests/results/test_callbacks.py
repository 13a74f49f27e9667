"""Callbacks: the signed receipt of a job that ended, posted to the URL the job named, and never in anybody's way."""

import asyncio
import base64
import json
import sys
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from aiohttp import web
from standardwebhooks import Webhook, WebhookVerificationError

from gateway.model.receipt import Receipt
from tests.forward.test_events import PATH
from tests.world import SECRET, World, serving, until

OLD, NEW, FOREIGN = ("whsec_" + base64.b64encode(letter * 32).decode() for letter in (b"o", b"n", b"f"))
CALLBACKS: dict[str, Any] = {
    "secrets": [NEW],
    "allow_private": True,
    "timeout": "500ms",
    "retry": ["20ms", "20ms", "20ms"],
}


def job(url: str, group: str = "1", **fields: Any) -> dict[str, Any]:
    return {"group_id": group, "message": "hello", "callback_url": url, **fields}


@dataclass
class Receiver:
    """Somebody who is called back; answers with `status`, the first of `statuses` while there are some."""

    url: str = ""
    status: int = 204
    statuses: list[int] = field(default_factory=list)
    headers: dict[str, str] = field(default_factory=dict)
    hangs: bool = False
    posts: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    times: list[float] = field(default_factory=list)

    async def answer(self, request: web.Request) -> web.Response:
        self.times.append(time.monotonic())
        self.posts.append((dict(request.headers), await request.read()))
        while self.hangs:
            await asyncio.sleep(0.01)
        status = self.statuses.pop(0) if self.statuses else self.status
        return web.Response(status=status, headers=self.headers)

    @property
    def receipts(self) -> list[Receipt]:
        return [Receipt.model_validate_json(body) for _, body in self.posts]

    async def got(self, count: int = 1, deadline: float = 10.0) -> list[Receipt]:
        await until(lambda: len(self.posts) >= count, deadline=deadline)
        return self.receipts


@asynccontextmanager
async def receiving(**behaviour: Any) -> AsyncIterator[Receiver]:
    receiver = Receiver(**behaviour)
    async with serving("POST", receiver.answer) as url:
        receiver.url = f"{url}/receipts?token=t0ken"
        try:
            yield receiver
        finally:
            receiver.hangs = False


@pytest.fixture(name="receiver")
async def _receiver() -> AsyncIterator[Receiver]:
    async with receiving() as receiver:
        yield receiver


async def waiting(gateway: Any) -> int:
    """Return how many callbacks wait."""
    number: int = (await gateway.status())["accounts"]["main"]["callbacks"]["waiting"]
    return number


async def over(gateway: Any) -> None:
    """Wait until no callback waits any more."""
    await until(lambda: waiting(gateway), lambda number: number == 0)


async def test_the_receipt_of_a_delivered_job_is_posted_signed_and_as_it_is_read(
    world: World, receiver: Receiver
) -> None:
    gateway = await world.gateway(callbacks=CALLBACKS)
    posted = await gateway.post("/v1/jobs", job(receiver.url, metadata={"order": "你好"}))
    await receiver.got()
    ((headers, body),) = receiver.posts
    assert Webhook(NEW).verify(body, headers) == (await gateway.get(f"/v1/jobs/{posted.json['id']}")).json
    assert headers["webhook-id"] == f"{posted.json['id']}:delivered"
    assert abs(int(headers["webhook-timestamp"]) - time.time()) < 60
    assert headers["Content-Type"] == "application/json"
    await over(gateway)


async def test_while_a_secret_is_replaced_either_verifies(world: World, receiver: Receiver) -> None:
    await world.gateway(callbacks={**CALLBACKS, "secrets": [NEW, OLD]})
    await world.add(job(receiver.url))
    await receiver.got()
    ((headers, body),) = receiver.posts
    for secret in (OLD, NEW):
        assert Webhook(secret).verify(body, headers)["state"] == "delivered"
    with pytest.raises(WebhookVerificationError):
        Webhook(FOREIGN).verify(body, headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(NEW).verify(body.replace(b"delivered", b"cancelled"), headers)


async def test_jobs_of_every_source_are_called_back_whatever_their_end(world: World, receiver: Receiver) -> None:
    world.napcat.behave("group:2", "kick")
    gateway = await world.gateway(callbacks=CALLBACKS)
    await world.add(job(receiver.url, "1"), job(receiver.url, "2"))
    await world.producer.push(json.dumps(job(receiver.url, "3", ttl=0)))
    later = (await gateway.post("/v1/jobs", job(receiver.url, "4", delay="1h"))).json["id"]
    await gateway.request("DELETE", f"/v1/jobs/{later}")
    receipts = await receiver.got(4)
    assert {receipt.target[-1]: receipt.state for receipt in receipts} == {
        "1": "delivered", "2": "rejected", "3": "expired", "4": "cancelled"
    }  # fmt: skip


async def test_a_collapsed_job_is_called_back_at_once(world: World, receiver: Receiver) -> None:
    await world.gateway(callbacks=CALLBACKS)
    await world.add(job(receiver.url, collapse_key="k", delay="1h"), {**job(receiver.url), "collapse_key": "k"})
    receipts = await receiver.got(2)
    assert {(receipt.state, receipt.reason) for receipt in receipts} == {
        ("cancelled", "collapsed"),
        ("delivered", None),
    }


async def test_a_receiver_that_fails_is_asked_again_by_the_schedule_and_under_the_same_id(
    world: World, receiver: Receiver
) -> None:
    receiver.statuses = [500, 302, 404]
    gateway = await world.gateway(callbacks={**CALLBACKS, "retry": ["50ms", "100ms", "200ms"]})
    await world.add(job(receiver.url))
    await receiver.got(4)
    await over(gateway)
    assert len({headers["webhook-id"] for headers, _ in receiver.posts}) == 1
    assert all(Webhook(NEW).verify(body, headers) for headers, body in receiver.posts)
    pauses = [after - before for before, after in zip(receiver.times, receiver.times[1:], strict=False)]
    for pause, wait in zip(pauses, (0.05, 0.1, 0.2), strict=True):
        assert wait * 0.8 <= pause < wait * 1.2 + 0.5


async def test_a_callback_that_never_succeeds_changes_nothing_about_the_delivery(
    world: World, receiver: Receiver
) -> None:
    receiver.status = 500
    gateway = await world.process(callbacks=CALLBACKS)
    await world.add(job(receiver.url, key="a"))
    (receipt,) = await world.ended(1)
    await until(lambda: gateway.events("callback.given_up"))
    assert len(receiver.posts) == 4
    assert (receipt.state, receipt.evidence) == ("delivered", "response")
    assert receiver.receipts == [receipt] * 4
    (given_up,) = gateway.events("callback.given_up")
    assert (given_up["job"], given_up["host"], given_up["status"]) == (receipt.id, "127.0.0.1", 500)
    assert "t0ken" not in gateway.log.read_text()
    assert NEW not in gateway.log.read_text()


async def test_a_callback_that_was_given_up_is_a_reason_to_look(world: World, receiver: Receiver) -> None:
    receiver.status = 410
    gateway = await world.gateway(callbacks=CALLBACKS)
    await world.add(job(receiver.url))
    await receiver.got()
    await over(gateway)
    assert len(receiver.posts) == 1  # 410 Gone: nobody wants it, however often it is posted
    document = await gateway.status()
    assert document["status"] == "degraded"
    (reason,) = document["reasons"]
    assert (reason["code"], reason["account"]) == ("callbacks_failing", "main")
    assert reason["detail"].startswith("1 callbacks given up lately")


async def test_callbacks_that_wait_are_counted_in_the_status(world: World, receiver: Receiver) -> None:
    receiver.status = 500
    gateway = await world.gateway(callbacks={**CALLBACKS, "retry": ["1h"]})
    await world.add(job(receiver.url), job(receiver.url))
    await receiver.got(2)
    document = await gateway.status()
    assert document["accounts"]["main"]["callbacks"]["waiting"] == 2
    assert 0 <= document["accounts"]["main"]["callbacks"]["oldest_age_ms"] < 10_000
    assert document["status"] == "ok"


@pytest.mark.parametrize("status", [429, 503])
async def test_a_receiver_that_says_when_to_come_back_is_left_alone_until_then(
    world: World, receiver: Receiver, status: int
) -> None:
    receiver.statuses, receiver.headers = [status], {"Retry-After": "1"}
    await world.gateway(callbacks=CALLBACKS)
    await world.add(job(receiver.url))
    await receiver.got(2)
    assert receiver.times[1] - receiver.times[0] >= 1


async def test_receivers_that_hang_delay_neither_deliveries_nor_other_receivers(world: World) -> None:
    async with receiving(hangs=True) as slow, receiving() as quick:
        await world.gateway(callbacks={**CALLBACKS, "timeout": "1m"})
        slow.url = slow.url.replace("127.0.0.1", "localhost")
        await world.add(*(job(slow.url, str(n)) for n in range(1, 41)), *(job(quick.url, str(n)) for n in range(1, 41)))
        await world.ended(80, deadline=40)
        await quick.got(40, deadline=40)
        assert len(slow.posts) == 2


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has so many addresses of loopback")
async def test_receivers_that_hang_do_not_have_all_places_for_long(world: World, receiver: Receiver) -> None:
    async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    hosts = [f"127.0.0.{n}" for n in range(2, 7)]
    await world.gateway(callbacks={**CALLBACKS, "retry": ["1h"]})
    async with AsyncExitStack() as stack:
        for group, host in enumerate(hosts, 1):
            server = await stack.enter_async_context(await asyncio.start_server(hang, host, 0))
            url = f"http://{host}:{server.sockets[0].getsockname()[1]}/"
            await world.add(*(job(url, str(group)) for _ in range(60)))
        await world.ended(300)
        await world.add(*(job(receiver.url, str(n)) for n in range(1, 61)))
        await receiver.got(60, deadline=10)  # one after the other, those that hang would take 19 s


async def test_a_replica_that_is_killed_while_posting_loses_nothing(world: World, receiver: Receiver) -> None:
    receiver.hangs = True
    first = await world.process(callbacks=CALLBACKS)
    await world.add(job(receiver.url))
    await receiver.got()
    await first.kill()
    receiver.hangs = False
    await world.gateway(callbacks=CALLBACKS)
    await receiver.got(2)
    (before, body), (after, again) = receiver.posts
    assert (before["webhook-id"], body) == (after["webhook-id"], again)


async def test_what_fell_due_while_nobody_could_sign_is_posted_by_the_first_who_can(
    world: World, receiver: Receiver
) -> None:
    gateway = await world.gateway(callbacks=CALLBACKS)
    await world.add(job(receiver.url, delay="500ms"))
    await until(lambda: world.clients.commands.exists("gw:{main}:scheduled"))
    await gateway.stop()
    await world.gateway()
    await world.ended(1)
    assert receiver.posts == []
    await world.gateway(callbacks=CALLBACKS)
    await receiver.got()


async def test_two_replicas_post_each_callback_once(world: World, receiver: Receiver) -> None:
    gateway = await world.gateway(callbacks=CALLBACKS)
    await world.gateway(callbacks=CALLBACKS)
    await world.add(*(job(receiver.url, str(n)) for n in range(1, 101)))
    await world.ended(100)
    await receiver.got(100)
    await over(gateway)
    assert len({headers["webhook-id"] for headers, _ in receiver.posts}) == len(receiver.posts) == 100


async def test_a_gateway_that_stops_lets_a_post_end_and_takes_no_new_one(world: World, receiver: Receiver) -> None:
    receiver.hangs = True
    gateway = await world.process(callbacks={**CALLBACKS, "timeout": "10s"})
    await world.add(*(job(receiver.url, str(n)) for n in range(1, 4)))
    await receiver.got(2)
    stopping = asyncio.create_task(gateway.stop())
    await until(lambda: gateway.events("gateway.stopping"))
    receiver.hangs = False
    assert await stopping == 0
    assert len(gateway.events("callback.posted")) == len(receiver.posts) == 2
    await world.gateway(callbacks=CALLBACKS)
    await receiver.got(3)
    assert len({headers["webhook-id"] for headers, _ in receiver.posts}) == 3


async def test_a_correction_is_posted_too(world: World, receiver: Receiver) -> None:
    world.napcat.behave("group:1", "timeout", times=1, wait_ms=10, late_ms=500)
    gateway = await world.gateway(callbacks=CALLBACKS, delivery={"settle_for": "100ms"})
    world.napcat.report_to(gateway.url + PATH, SECRET)
    await world.add(job(receiver.url))
    unconfirmed, delivered = await receiver.got(2)
    assert (unconfirmed.state, unconfirmed.corrected) == ("unconfirmed", None)
    assert (delivered.state, delivered.corrected, delivered.evidence) == ("delivered", True, "event")
    ids = [headers["webhook-id"] for headers, _ in receiver.posts]
    assert ids == [f"{delivered.id}:unconfirmed", f"{delivered.id}:delivered"]
    assert all(Webhook(NEW).verify(body, headers) for headers, body in receiver.posts)


async def test_a_name_that_leads_inside_is_not_connected_to_and_the_job_is_delivered(
    world: World, receiver: Receiver
) -> None:
    gateway = await world.process(callbacks={**CALLBACKS, "allow_private": False, "retry": []})
    await world.add(job(receiver.url.replace("127.0.0.1", "localhost")))
    (receipt,) = await world.ended(1)
    await until(lambda: gateway.events("callback.given_up"))
    assert receipt.state == "delivered"
    assert [event["error"] for event in gateway.events("callback.given_up")] == ["inside"]
    assert receiver.posts == []


async def test_a_host_that_is_allowed_no_longer_is_not_posted_to(world: World, receiver: Receiver) -> None:
    gateway = await world.gateway(callbacks=CALLBACKS)
    await world.add(job(receiver.url, delay="500ms"))
    await until(lambda: world.clients.commands.exists("gw:{main}:scheduled"))
    await gateway.stop()
    gateway = await world.gateway(callbacks={**CALLBACKS, "hosts": ["hooks.example"], "retry": []})
    await world.ended(1)
    await over(gateway)
    assert receiver.posts == []


async def test_a_job_whose_receipt_could_not_be_posted_is_refused_at_the_door(world: World) -> None:
    gateway = await world.gateway(callbacks={**CALLBACKS, "allow_private": False, "hosts": ["*.example", "127.*"]})
    for url, words in (
        ("http://127.0.0.1/", "callbacks.allow_private"),
        ("https://hooks.other/", "callbacks.hosts"),
        ("ftp://hooks.example/", "write http(s)://host/path"),
    ):
        reply = await gateway.post("/v1/jobs", job(url))
        (fault,) = reply.json["errors"]
        assert (reply.status, reply.json["code"], fault["loc"]) == (422, "job_invalid", "callback_url")
        assert words in fault["msg"]
    assert (await gateway.post("/v1/jobs", job("https://hooks.example/", delay="1h"))).status == 202


async def test_without_secrets_a_callback_is_refused_and_not_forgotten(world: World) -> None:
    gateway = await world.gateway()
    reply = await gateway.post("/v1/jobs", job("https://hooks.example/", message=[{"type": "poke"}]))
    faults = {fault["loc"]: fault["msg"] for fault in reply.json["errors"]}
    assert set(faults) == {"callback_url", "message.0.type"}
    assert "callbacks.secrets is empty" in faults["callback_url"]


async def test_callbacks_go_on_when_redis_was_away(world: World, receiver: Receiver) -> None:
    receiver.statuses = [500]
    await world.gateway(callbacks={**CALLBACKS, "retry": ["1s"]})
    await world.add(job(receiver.url))
    await receiver.got()
    await world.stop_redis()
    await world.start_redis()
    await receiver.got(2)
