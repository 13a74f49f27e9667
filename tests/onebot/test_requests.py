"""What a client of NapCat writes means the same here, when only its URL has changed."""

import json
from typing import Any
from urllib.parse import urlencode

import pytest

from tests.convert.test_pages import REQUESTS, SEGMENTS
from tests.onebot.calls import FORM, JOB, call, is_delivered, refusal, told
from tests.world import World

MEDIA = {"file_roots": ["/path/to", "D:/"]}


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
