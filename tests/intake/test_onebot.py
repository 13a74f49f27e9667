"""The OneBot drop-in: what a client of NapCat sends and is told when only its URL has changed."""

import asyncio
import hashlib
import json
from collections import Counter
from typing import Any
from urllib.parse import urlencode

import aiohttp
import pytest

from tests.convert.test_convert_pages import REQUESTS, SEGMENTS
from tests.world import Gateway, Reply, World, until

MEDIA = {"file_roots": ["/path/to", "D:/"]}
JOB = {"group_id": 1, "message": "hello"}
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
ENVELOPE = {"status", "retcode", "data", "message", "wording", "echo"}


def key(name: str, **fields: Any) -> dict[str, Any]:
    """Return the settings of the key whose secret is its name."""
    return {"name": name, "sha256": hashlib.sha256(name.encode()).hexdigest(), **fields}


async def call(gateway: Gateway, action: str, fields: dict[str, Any] | bytes, **headers: str) -> dict[str, Any]:
    """Return the envelope that answers a JSON post with HTTP 200."""
    reply = await gateway.post(f"/{action}", fields, {name.replace("_", "-"): text for name, text in headers.items()})
    return told(reply)


def told(reply: Reply, status: int = 200) -> dict[str, Any]:
    """Return the envelope of an answer, once it is one."""
    envelope: dict[str, Any] = reply.json
    assert reply.status == status, reply.body
    assert set(envelope) == ENVELOPE
    assert envelope["wording"] == envelope["message"]
    return envelope


def is_delivered(envelope: dict[str, Any], world: World) -> bool:
    """Whether the client was told the message id QQ shows for the last message."""
    assert (envelope["status"], envelope["retcode"], envelope["message"]) == ("ok", 0, "")
    assert envelope["data"]["message_id"] == world.napcat.delivered[-1].message_id
    return True


def refusal(envelope: dict[str, Any], *named: str) -> str:
    """Return why a call was refused, once that names what is wrong."""
    assert (envelope["status"], envelope["retcode"], envelope["data"]) == ("failed", 400, None)
    words: str = envelope["message"]
    assert all(f"{name}: " in words for name in named), words
    return words


@pytest.mark.parametrize("page", REQUESTS)
async def test_a_published_request_is_delivered_as_it_is_printed(world: World, page: str) -> None:
    text, action, body = REQUESTS[page]
    gateway = await world.gateway(media=MEDIA)
    envelope = await call(gateway, action, text.encode())
    assert is_delivered(envelope, world)
    assert envelope["echo"] is None
    (sent,) = world.napcat.received
    assert (sent.action, sent.body) == (action, {**body, "timeout": sent.body["timeout"]})


async def test_every_published_segment_is_delivered_as_it_is_printed(world: World) -> None:
    gateway = await world.gateway(media=MEDIA)
    for text, wire in SEGMENTS.values():
        for action, where in (("send_group_msg", "group_id"), ("send_private_msg", "user_id")):
            assert is_delivered(await call(gateway, action, f'{{"{where}": 1, "message": [{text}]}}'.encode()), world)
            assert world.napcat.received[-1].body["message"] == [wire]


async def test_the_published_reply_quotes_in_front_of_what_follows(world: World) -> None:
    gateway = await world.gateway()
    message = [{"type": "reply", "data": {"id": 123456}}, {"type": "text", "data": {"text": "quoting"}}]
    await call(gateway, "send_private_msg", {"user_id": 1, "message": message})
    assert [segment["type"] for segment in world.napcat.received[0].body["message"]] == ["reply", "text"]


async def test_comments_and_a_last_comma_are_taken_as_napcat_takes_them(world: World) -> None:
    gateway = await world.gateway()
    body = b'{"group_id": 1, /* the group, */ "message": ["http://a//b, /*c*/ ,]", ], // "message": "other"\n}'
    assert is_delivered(await call(gateway, "send_group_msg", body), world)
    assert world.napcat.texts("group:1") == ["http://a//b, /*c*/ ,]"]


async def test_a_large_message_is_taken_like_any_other(world: World) -> None:
    gateway = await world.gateway()
    image = {"type": "image", "data": {"file": "base64://" + "iVBORw0K" * 100_000}}
    assert is_delivered(await call(gateway, "send_group_msg", {"group_id": 1, "message": [image, "你好" * 100]}), world)


async def test_a_string_is_cq_code_unless_it_is_to_be_escaped(world: World) -> None:
    gateway = await world.gateway()
    cq = "a&amp;b[CQ:face,id=1]"
    await call(gateway, "send_group_msg", {"group_id": 1, "message": cq})
    for escape in (False, "false", 0, "0"):
        await call(gateway, "send_group_msg", {"group_id": 1, "message": cq, "auto_escape": escape})
    for escape in (True, "true", "True", 1, "1"):
        await call(gateway, "send_group_msg", {"group_id": 1, "message": cq, "auto_escape": escape})
    sent = [call.body["message"] for call in world.napcat.received]
    text, face = {"type": "text", "data": {"text": "a&b"}}, {"type": "face", "data": {"id": "1"}}
    assert sent[:5] == [[text, face]] * 5
    assert sent[5:] == [[{"type": "text", "data": {"text": cq}}]] * 5
    wrong = await call(gateway, "send_group_msg", {"group_id": 1, "message": cq, "auto_escape": "maybe"})
    refusal(wrong, "auto_escape")


async def test_a_segment_alone_is_a_message(world: World) -> None:
    gateway = await world.gateway()
    await call(gateway, "send_group_msg", {"group_id": "1", "message": {"type": "text", "data": {"text": "alone"}}})
    assert world.napcat.texts("group:1") == ["alone"]


async def test_a_form_is_as_good_as_json(world: World) -> None:
    gateway = await world.gateway()
    form = urlencode(
        {"group_id": "1", "message": "你好 [CQ:face,id=1]", "metadata": '{"a": 1}', "delay": "0", "echo": "7"}
    )
    reply = await gateway.request("POST", "/send_group_msg_async", data=form, headers=FORM)
    envelope = told(reply)
    assert (envelope["retcode"], envelope["echo"]) == (1, "7")
    (receipt,) = await world.ended(1)
    assert receipt.metadata == {"a": 1}
    assert world.napcat.received[0].body["message"][0]["data"]["text"] == "你好 "


async def test_a_query_is_as_good_as_a_body_and_stands_above_it(world: World) -> None:
    gateway = await world.gateway()
    query = {"message_type": "private", "user_id": "2", "message": "a+b & c", "echo": "é"}
    envelope = told(await gateway.request("GET", "/send_msg", params=query))
    assert is_delivered(envelope, world)
    assert envelope["echo"] == "é"
    assert world.napcat.texts("private:2") == ["a+b & c"]
    await gateway.post("/send_group_msg?message=above&access_token=x", JOB)
    assert world.napcat.texts("group:1") == ["above"]
    told(await gateway.request("POST", "/send_group_msg", params={"group_id": "3", "message": "no body"}))
    assert world.napcat.texts("group:3") == ["no body"]


async def test_json_under_the_content_type_curl_sends_by_itself_is_json(world: World) -> None:
    gateway = await world.gateway()
    reply = await gateway.request("POST", "/send_group_msg", data=json.dumps(JOB).encode(), headers=FORM)
    assert is_delivered(told(reply), world)


async def test_who_is_meant_is_read_as_napcat_reads_it(world: World) -> None:
    gateway = await world.gateway()
    to_the_group: tuple[dict[str, Any], ...] = (
        {"message_type": "group", "group_id": 1, "user_id": 2},
        {"group_id": 1, "user_id": 2},
        {"group_id": "1", "user_id": None},
        {"message_type": "group", "group_id": "1", "user_id": 0},
    )
    for fields in to_the_group:
        assert is_delivered(await call(gateway, "send_msg", {"message": "to the group", **fields}), world)
    assert len(world.napcat.texts("group:1")) == 4
    to_the_person: tuple[dict[str, Any], ...] = (
        {"message_type": "private", "user_id": 2},
        {"user_id": 2, "group_id": 0},
        {"user_id": "2"},
    )
    for fields in to_the_person:
        assert is_delivered(await call(gateway, "send_msg", {"message": "to the person", **fields}), world)
    assert len(world.napcat.texts("private:2")) == 3
    await call(gateway, "send_group_msg", {**JOB, "user_id": 2, "message_type": "private"})
    assert world.napcat.received[-1].body.keys() == {"group_id", "message", "timeout"}
    await call(gateway, "send_private_msg", {"user_id": 3, "group_id": 1, "message": "through the group"})
    assert world.napcat.received[-1].body.items() >= {"user_id": "3", "group_id": "1"}.items()


async def test_what_only_napcat_knows_is_ignored_and_what_is_nearly_ours_is_refused(world: World) -> None:
    gateway = await world.gateway()
    napcats = {"timeout": 5_000, "self_id": 10001, "sub_type": "normal", "anonymous": None, "foo": [1]}
    assert is_delivered(await call(gateway, "send_group_msg", {**JOB, **napcats}), world)
    assert world.napcat.received[0].body["timeout"] != 5_000
    words = refusal(await call(gateway, "send_group_msg", {**JOB, "prioritty": "high"}), "prioritty")
    assert "did you mean priority?" in words


async def test_every_wrong_field_is_told_with_what_to_write(world: World) -> None:
    gateway = await world.gateway()
    refusal(await call(gateway, "send_group_msg", {"message": "a"}), "group_id")
    refusal(await call(gateway, "send_private_msg", {"message": "a", "group_id": 1}), "user_id")
    refusal(await call(gateway, "send_msg", {"message": "a"}), "group_id")
    refusal(await call(gateway, "send_msg", {**JOB, "message_type": "discuss"}), "message_type")
    refusal(await call(gateway, "send_group_msg", {"group_id": 1}), "message")
    refusal(await call(gateway, "send_group_msg", {"group_id": 1, "message": None}), "message")
    refusal(
        await call(gateway, "send_group_msg", {**JOB, "group_id": "abc", "priority": "urgent"}), "group_id", "priority"
    )
    refusal(await call(gateway, "send_group_msg", {"group_id": 1, "message": "[CQ:poke,qq=1]"}), "message.type")
    refusal(await call(gateway, "send_group_msg", {**JOB, "metadata": "{"}), "metadata")
    refusal(await call(gateway, "send_group_msg", {**JOB, "callback_url": "http://a"}), "callback_url")
    refusal(await call(gateway, "send_group_msg", {**JOB, "account": "nobody"}), "account")
    assert world.napcat.received == []


async def test_the_echo_comes_back_as_it_was_given(world: World) -> None:
    gateway = await world.gateway()
    echoes: tuple[Any, ...] = ("a", "", 0, 1.5, False, None, [], {"deep": [{"a": None}]}, "你好")
    for echo in echoes:
        assert (await call(gateway, "send_group_msg", {**JOB, "echo": echo}))["echo"] == echo
        assert (await call(gateway, "send_group_msg", {"group_id": "x", "echo": echo}))["echo"] == echo
        assert (await call(gateway, "get_status", {"echo": echo}))["echo"] == echo
    assert "echo" not in world.napcat.received[0].body


async def test_a_message_in_parts_is_told_by_its_first_id_and_all_of_them(world: World) -> None:
    gateway = await world.gateway()
    video = {"type": "video", "data": {"file": "https://example.com/a.mp4"}}
    envelope = await call(gateway, "send_group_msg", {"group_id": 1, "message": ["before", video, "after"]})
    ids = [message.message_id for message in world.napcat.delivered]
    assert len(ids) == 3
    assert envelope["data"] == {"message_id": ids[0], "message_ids": ids}


async def test_what_qq_refuses_is_told_in_its_words_and_never_as_a_stack_trace(world: World) -> None:
    world.napcat.behave("group:1", "kick")
    world.napcat.behave("group:2", "throw", text="TypeError: Cannot read properties of undefined\n    at /app/x.js:1:2")
    gateway = await world.gateway()
    envelope = await call(gateway, "send_group_msg", JOB)
    assert (envelope["status"], envelope["retcode"], envelope["data"]) == ("failed", 200, None)
    assert envelope["message"].startswith("rejected (target_unreachable): ")
    assert "你已被移出该群" in envelope["message"]
    thrown = await call(gateway, "send_group_msg", {**JOB, "group_id": 2})
    assert thrown["status"] == "failed"
    assert "/app" not in json.dumps(thrown)


async def test_a_message_of_which_only_the_first_part_was_delivered_failed_and_says_so(world: World) -> None:
    world.napcat.behave("group:1", "normal", times=1)
    world.napcat.behave("group:1", "kick")
    gateway = await world.gateway()
    video = {"type": "video", "data": {"file": "https://example.com/a.mp4"}}
    envelope = await call(gateway, "send_group_msg", {"group_id": 1, "message": ["before", video, "after"]})
    assert envelope["status"] == "failed"
    assert envelope["message"].endswith("; 1 of 3 parts were delivered")


async def test_a_job_that_expires_or_is_cancelled_failed(world: World) -> None:
    world.napcat.behave("group:1", "delay", times=1, ms=700)
    gateway = await world.gateway()
    first = asyncio.create_task(call(gateway, "send_group_msg", JOB))
    await until(lambda: world.napcat.received)
    late = asyncio.create_task(call(gateway, "send_group_msg", {**JOB, "ttl": "100ms"}))
    lost = asyncio.create_task(call(gateway, "send_group_msg", {**JOB, "key": "lost"}))
    receipt = await until(lambda: gateway.find("key:lost"))
    assert (await gateway.request("DELETE", f"/v1/jobs/{receipt.id}")).status == 200
    assert (await lost)["message"].startswith("cancelled")
    assert (await late)["message"].startswith("expired")
    assert (await first)["status"] == "ok"


async def test_a_job_that_takes_longer_than_the_wait_is_told_as_under_way_and_can_be_asked_for(world: World) -> None:
    world.napcat.behave("group:1", "delay", times=1, ms=1_000)
    gateway = await world.gateway(onebot={"wait": "100ms"})
    reply = await gateway.post("/send_group_msg", {**JOB, "echo": 1})
    envelope = told(reply)
    job = envelope["data"]["job"]
    assert (envelope["status"], envelope["retcode"], envelope["data"]) == ("async", 1, {"job": job})
    assert reply.headers["Location"] == f"/v1/jobs/{job}"
    assert (await gateway.get(f"/v1/jobs/{job}?wait=20s")).json["state"] == "delivered"


async def test_what_nobody_knows_is_told_as_under_way_and_never_as_failed(world: World) -> None:
    world.napcat.behave("*", "timeout", wait_ms=10)
    gateway = await world.gateway(onebot={"wait": "5s"}, delivery={"settle_for": "100ms"})
    envelope = await call(gateway, "send_group_msg", JOB)
    assert (envelope["status"], envelope["retcode"]) == ("async", 1)
    assert (await gateway.receipt(envelope["data"]["job"])).state == "unconfirmed"


async def test_an_async_action_is_answered_at_once(world: World) -> None:
    world.napcat.behave("*", "delay", ms=700)
    gateway = await world.gateway()
    for action, where in (("send_msg", "user_id"), ("send_group_msg", "group_id"), ("send_private_msg", "user_id")):
        envelope = await call(gateway, f"{action}_async", {where: 1, "message": "hello"})
        assert (envelope["status"], envelope["retcode"]) == ("async", 1)
        assert (await gateway.receipt(envelope["data"]["job"])).state != "delivered"
    await world.ended(3)


async def test_a_scheduled_message_is_answered_at_once(world: World) -> None:
    gateway = await world.gateway()
    async with asyncio.timeout(10):
        for later in ({"delay": "1h"}, {"not_before": "2100-01-01T00:00:00Z"}):
            assert (await call(gateway, "send_group_msg", {**JOB, **later}))["status"] == "async"


async def test_the_same_key_is_one_message_and_one_answer(world: World) -> None:
    gateway = await world.gateway()
    first = await call(gateway, "send_group_msg", {**JOB, "key": "a", "echo": 1})
    again = await call(gateway, "send_group_msg", {**JOB, "echo": 2}, Idempotency_Key="a")
    assert again["data"] == first["data"]
    assert len(world.napcat.received) == 1
    refusal(await call(gateway, "send_group_msg", {**JOB, "message": "other", "key": "a"}), "key")


async def test_an_account_in_the_path_is_the_one_that_sends(world: World) -> None:
    accounts = [world.account(), world.account(name="second"), world.account(name="v1")]
    gateway = await world.gateway(accounts=accounts)
    for name in ("main", "second", "v1"):
        reply = await gateway.post(f"/{name}/send_group_msg", JOB)
        assert is_delivered(told(reply), world)
        assert reply.headers["Location"].startswith(f"/v1/jobs/{name}.")
    assert told(await gateway.get("/second/get_login_info"))["data"]["user_id"] == 10001
    refusal(told(await gateway.post("/second/send_group_msg", {**JOB, "account": "main"})), "account")
    assert (await gateway.post("/third/send_group_msg", JOB)).status == 404


async def test_no_path_of_the_gateway_is_taken_by_a_client_action(world: World) -> None:
    accounts = [world.account(name=name) for name in ("v1", "status", "healthz", "napcat")]
    gateway = await world.gateway(accounts=accounts)
    assert (await gateway.status())["version"]
    assert (await gateway.get("/healthz/live")).status == 200
    assert (await gateway.get("/v1/jobs/key:a")).json["code"] == "job_not_found"
    assert (await gateway.post("/v1/jobs", JOB)).status == 202
    assert (await gateway.get("/v1/jbos")).json["code"] == "not_found"


async def test_an_action_is_taken_under_the_other_name_that_napcat_takes_it_under(world: World) -> None:
    gateway = await world.gateway()
    assert is_delivered(await call(gateway, "send_group_msg_rate_limited", JOB), world)


async def test_a_trailing_slash_is_fine_and_another_method_is_not(world: World) -> None:
    gateway = await world.gateway()
    assert is_delivered(told(await gateway.post("/send_group_msg/", JOB)), world)
    for method in ("HEAD", "PUT", "DELETE"):
        assert (await gateway.request(method, "/send_group_msg?group_id=1&message=a")).status == 405
    assert len(world.napcat.received) == 1


async def test_what_cannot_be_read_is_told_with_a_status_of_its_own(world: World) -> None:
    gateway = await world.gateway(http={"port": 0, "max_body": "1KiB"})
    for body in (b"{", b"[]", b'{"group_id": 1, "group_id": 2}', b'{"message": "\xff"}', b'{"message": "\\ud800"}'):
        assert told(await gateway.post("/send_group_msg", body), 400)["retcode"] == 400
    for kind in ("text/plain", "multipart/form-data; boundary=x", "application/xml"):
        reply = await gateway.post("/send_group_msg", JOB, {"Content-Type": kind})
        assert "application/json" in told(reply, 406)["message"]
    bad = await gateway.request("POST", "/send_group_msg", data=b"group_id=1&message=%ff", headers=FORM)
    assert told(bad, 400)["status"] == "failed"
    assert (await gateway.post("/send_group_msg", {**JOB, "message": "x" * 2000})).status == 413


async def test_other_actions_are_passed_to_napcat_where_the_settings_say_so(world: World) -> None:
    gateway = await world.gateway(onebot={"pass": ["get_status", "get_group_member_info", "get_msg"]})
    assert (await call(gateway, "get_status", {}))["data"]["online"] is True
    member = told(await gateway.get("/get_group_member_info?group_id=1&user_id=5"))
    assert (member["data"]["group_id"], member["data"]["user_id"]) == (1, 5)
    missing = await call(gateway, "get_msg", {"message_id": 1})
    assert (missing["status"], missing["retcode"], missing["message"]) == ("failed", 200, "消息不存在")
    for action in ("get_login_info", "get_cookies", "send_like", "send_group_forward_msg", ".ocr_image"):
        assert told(await gateway.post(f"/{action}", {}), 404)["retcode"] == 404


async def test_an_action_of_a_napcat_that_is_away_failed(world: World) -> None:
    gateway = await world.gateway()
    await world.napcat.stop()
    envelope = await call(gateway, "get_status", {})
    assert (envelope["status"], envelope["data"]) == ("failed", None)
    assert "no answer" in envelope["message"]


async def test_a_token_is_taken_from_query_header_or_body_and_the_query_wins(world: World) -> None:
    gateway = await world.gateway(auth={"keys": [key("good"), key("reader", scopes=["read"])]})

    async def status(query: str = "", body: dict[str, Any] | None = None, **headers: str) -> int:
        return (await gateway.post(f"/send_group_msg{query}", {**JOB, **(body or {})}, headers)).status

    assert await status() == 401
    assert await status("?access_token=") == 401
    assert await status("?access_token=bad") == 403
    assert await status("?access_token=bad", Authorization="Bearer good") == 403
    assert await status(Authorization="Bearer bad") == 403
    assert await status(body={"access_token": "bad"}) == 403
    # Of strangers nothing large is looked into.
    assert await status(body={"access_token": "good", "message": "x" * 65_536}) == 401
    assert await status(Authorization="Bearer reader") == 403
    assert world.napcat.received == []
    assert await status("?access_token=good", Authorization="Bearer bad") == 200
    assert await status(Authorization="Bearer good") == 200
    assert await status(Authorization="good") == 200
    assert await status(body={"access_token": "good"}) == 200
    assert len(world.napcat.received) == 4
    assert all(b"access_token" not in call.raw for call in world.napcat.received)
    for path in ("/get_status", "/no_such_action"):
        assert (await gateway.get(path)).status == 401
    assert (await gateway.post("/send_group_msg", b"{")).status == 401


async def test_a_key_reaches_its_targets_only(world: World) -> None:
    keys = [key("narrow", targets=["group:1"])]
    gateway = await world.gateway(auth={"keys": keys}, onebot={"pass": ["get_status", "get_group_member_info"]})
    bearer = {"Authorization": "Bearer narrow"}
    assert (await gateway.post("/send_group_msg", JOB, bearer)).status == 200
    assert (await gateway.post("/send_group_msg", {**JOB, "group_id": 2}, bearer)).status == 403
    assert (await gateway.get("/get_status", bearer)).status == 200
    assert (await gateway.get("/get_group_member_info?group_id=1&user_id=2", bearer)).status == 403
    assert [call.target for call in world.napcat.received] == ["group:1"]


async def test_a_page_of_another_site_cannot_send_through_an_open_gateway(world: World) -> None:
    gateway = await world.gateway()
    for site in ("cross-site", "same-site"):
        told(await gateway.get("/send_group_msg?group_id=1&message=a", {"Sec-Fetch-Site": site}), 403)
    assert world.napcat.received == []
    assert (await gateway.get("/send_group_msg?group_id=1&message=a", {"Sec-Fetch-Site": "none"})).status == 200


async def test_two_hundred_clients_at_once_are_all_answered(world: World) -> None:
    gateway = await world.gateway()
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:

        async def send(number: int) -> tuple[int, str]:
            job = {"group_id": 1 + number % 20, "message": f"{number}"}
            async with session.post(f"{gateway.url}/send_group_msg", json=job) as answer:
                return answer.status, (await answer.json())["status"]

        answers = Counter(await asyncio.gather(*(send(number) for number in range(200))))
    assert answers == {(200, "ok"): 200}
    assert len(world.napcat.received) == 200


async def test_a_message_that_another_replica_delivers_is_answered_too(world: World) -> None:
    world.napcat.behave("group:9", "delay", ms=3_000)
    busy = await world.gateway(accounts=[world.account(max_in_flight=1)])
    await call(busy, "send_group_msg_async", {**JOB, "group_id": 9})
    await until(lambda: len(world.napcat.received) == 1)  # the only call this one may make
    asked = asyncio.create_task(call(busy, "send_group_msg", JOB))
    await world.gateway()
    async with asyncio.timeout(2.5):
        assert is_delivered(await asked, world)


async def test_a_restart_of_redis_delays_the_answer_and_loses_nothing(world: World) -> None:
    world.napcat.behave("group:1", "delay", times=1, ms=1_000)
    gateway = await world.gateway()
    asked = asyncio.create_task(call(gateway, "send_group_msg", JOB))
    await until(lambda: world.napcat.received)
    await world.stop_redis()
    await world.start_redis()
    assert is_delivered(await asked, world)
    assert len(world.napcat.received) == 1


async def test_without_redis_a_message_is_not_taken(world: World) -> None:
    gateway = await world.gateway()
    await world.stop_redis()
    reply = await gateway.post("/send_group_msg", JOB)
    assert (reply.status, reply.json["code"]) == (503, "store_unavailable")
    await world.start_redis()


async def test_who_waits_while_the_gateway_stops_is_told_which_job_to_ask_for(world: World) -> None:
    world.napcat.behave("group:1", "delay", times=1, ms=1_000)
    gateway = await world.gateway()
    asked = asyncio.create_task(call(gateway, "send_group_msg", JOB))
    await until(lambda: world.napcat.received)
    await gateway.stop()
    envelope = await asked
    assert envelope["status"] == "async"
    other = await world.gateway()
    assert (await other.get(f"/v1/jobs/{envelope['data']['job']}?wait=20s")).json["state"] == "delivered"
