import asyncio
import gzip
import json
import re
from typing import Any

import aiohttp
import pytest

from gateway.sandbox.napcat import StandIn

from .calling import Caller, Serve, eventually

FORBIDDEN = (403, "text/html", '{"message":"token verify failed!"}')


async def test_a_send_is_answered_with_napcats_whole_envelope(caller: Caller) -> None:
    envelope = await caller.to_group("hello", echo={"any": [1]})
    assert isinstance(envelope["data"].pop("message_id"), int)
    assert envelope == {
        "status": "ok", "retcode": 0, "data": {}, "message": "", "wording": "", "echo": {"any": [1]},
        "stream": "normal-action",
    }  # fmt: skip


async def test_an_absent_echo_comes_back_as_a_random_base36_string(caller: Caller) -> None:
    first, second = [(await caller.to_group("hello"))["echo"] for _ in range(2)]
    assert re.fullmatch(r"[0-9a-z]+", first)
    assert first != second


async def test_the_root_says_that_napcat_is_running(caller: Caller) -> None:
    async with caller.session.get(caller.napcat.url + "/") as answer:
        assert (await answer.json())["message"] == "NapCat4 Is Running"


async def test_an_unknown_action_is_a_failure_with_retcode_200(caller: Caller) -> None:
    envelope = await caller.call("nope")
    assert (envelope["status"], envelope["retcode"]) == ("failed", 200)
    assert envelope["message"] == envelope["wording"] == "不支持的Api nope"


@pytest.mark.parametrize("method", ["GET", "PUT", "POST"])
async def test_the_query_is_read_whatever_the_method(caller: Caller, method: str) -> None:
    query = {"group_id": "7", "message": "from the query"}
    async with caller.session.request(method, f"{caller.napcat.url}/send_msg/", params=query) as answer:
        assert (await answer.json())["status"] == "ok"
    assert caller.napcat.texts("group:7") == ["from the query"]


async def test_the_query_overrides_the_body(caller: Caller) -> None:
    await caller.raw("/send_group_msg?group_id=2", b'{"group_id": "1", "message": "x"}')
    assert caller.napcat.texts("group:2") == ["x"]


async def test_comments_trailing_commas_and_single_quotes_are_tolerated(caller: Caller) -> None:
    body = b"""{ // a group
        "group_id": "1", /* and */ 'message': [{"type": "text", "data": {"text": "a // b, }"},},],
    }"""
    assert (await caller.raw("/send_group_msg", body))[0] == 200
    assert caller.napcat.texts("group:1") == ["a // b, }"]


@pytest.mark.parametrize("body", [b"{nope", b"{} trailing", gzip.compress(b"{}", mtime=0), b"[" * 100_000])
async def test_a_body_that_is_no_json_is_refused_before_the_token_is_looked_at(
    serve: Serve, session: aiohttp.ClientSession, body: bytes
) -> None:
    caller = Caller(await serve(token="secret"), session)
    assert await caller.raw("/send_group_msg", body) == (400, "text/html", "Invalid JSON")
    assert caller.napcat.received == []


async def test_a_json_body_sent_as_a_form_has_no_message(caller: Caller) -> None:
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    body = b'{"group_id": "1", "message": "x"}'
    _, _, text = await caller.raw("/send_group_msg", body, headers=form)
    assert "Cannot read properties of undefined" in text


@pytest.mark.parametrize(
    ("query", "header", "enters"),
    [
        ("", "Bearer secret", True),
        ("", "secret", True),
        ("?access_token=secret", "", True),
        ("?access_token=secret", "Bearer wrong", True),
        ("?access_token=", "Bearer secret", True),
        ("?access_token=wrong", "Bearer secret", False),
        ("", "Bearer wrong", False),
        ("", "", False),
    ],
)
async def test_a_token_in_the_query_wins_over_the_header(
    serve: Serve, session: aiohttp.ClientSession, query: str, header: str, enters: bool
) -> None:
    caller = Caller(await serve(token="secret"), session)
    headers = {"Authorization": header} if header else {}
    body = b'{"group_id": "1", "message": "x"}'
    answer = await caller.raw(f"/send_group_msg{query}", body, headers=headers)
    assert (answer[0] == 200) if enters else (answer == FORBIDDEN)
    [received] = caller.napcat.received
    assert (received.accepted, received.authorization) == (enters, bool(header))
    assert len(caller.napcat.delivered) == enters


async def test_chinese_in_raw_utf8_breaks_at_chunk_borders_and_escaped_chinese_does_not(
    caller: Caller,
) -> None:
    text = "好" * 100_000
    await caller.raw("/send_group_msg", f'{{"group_id": "1", "message": "{text}"}}'.encode())
    await caller.to_group(text)
    broken, whole = caller.napcat.texts("group:1")
    assert "\ufffd" in broken
    assert whole == text


async def test_a_group_number_over_2_to_the_53_loses_digits_unless_it_is_a_string(caller: Caller) -> None:
    await caller.to_group("x", group=9007199254740993)  # type: ignore[arg-type]
    await caller.to_group("x", group="9007199254740993")
    assert [each.target for each in caller.napcat.received] == [
        "group:9007199254740992",
        "group:9007199254740993",
    ]


async def test_a_body_of_many_megabytes_is_read(caller: Caller) -> None:
    image = {"type": "image", "data": {"file": "base64://" + "A" * 20_000_000}}
    body = json.dumps({"group_id": "1", "message": [image]}).encode()
    status, _, text = await caller.raw("/send_group_msg", body)
    assert (status, json.loads(text)["status"]) == (200, "ok")


async def test_a_body_cut_short_sends_nothing(caller: Caller) -> None:
    body = b'{"group_id": "1", "message": "x"}'
    reader, writer = await asyncio.open_connection(caller.napcat.host, caller.napcat.port)
    writer.write(b"POST /send_group_msg HTTP/1.1\r\nHost: x\r\nContent-Length: 99\r\n\r\n" + body)
    writer.write_eof()
    assert await reader.read() == b""
    writer.close()
    await writer.wait_closed()
    assert caller.napcat.received == []


async def test_what_arrived_is_written_down_as_it_came(caller: Caller) -> None:
    body = b'{"group_id": "1", "message": [{"type": "text", "data": {"text": "a"}}, {"type": "at"}, "b"]}'
    await caller.raw("/send_group_msg_async", body, headers={"Authorization": "Bearer x"})
    [received] = caller.napcat.received
    assert received.raw == body
    assert received.body["group_id"] == "1"
    assert received.authorization
    assert (received.action, received.target, received.text) == ("send_group_msg_async", "group:1", "a")


async def test_a_caller_that_hangs_up_does_not_stop_the_send(serve: Serve) -> None:
    napcat = await serve(answer_ms=50)
    async with aiohttp.ClientSession() as impatient:
        call = asyncio.create_task(Caller(napcat, impatient).to_group("x"))
        await eventually(lambda: napcat.received)
        call.cancel()
        await asyncio.gather(call, return_exceptions=True)
    await eventually(lambda: napcat.delivered)


async def test_concurrent_sends_to_one_group_run_concurrently(serve: Serve, session: aiohttp.ClientSession) -> None:
    napcat = await serve(answer_ms=200)
    caller = Caller(napcat, session)
    await asyncio.gather(*(caller.to_group(str(number)) for number in range(20)))
    assert napcat.received[-1].at < napcat.delivered[0].at


@pytest.mark.parametrize(
    ("action", "data"),
    [
        ("get_status", {"online": True, "good": True, "stat": {}}),
        ("get_login_info", {"user_id": 10001, "nickname": "NapCat"}),
        (
            "get_version_info",
            {"app_name": "NapCat.Onebot", "protocol_version": "v11", "app_version": "4.18.19"},
        ),
        ("can_send_image", {"yes": True}),
        ("can_send_record", {"yes": True}),
    ],
)
async def test_it_says_who_it_is(caller: Caller, action: str, data: dict[str, Any]) -> None:
    assert (await caller.call(action))["data"] == data


async def test_two_stand_ins_live_side_by_side(serve: Serve) -> None:
    first, second = await serve(), await serve()
    assert first.url != second.url


async def test_an_idle_connection_is_announced_to_close_after_five_seconds(
    napcat: StandIn, session: aiohttp.ClientSession
) -> None:
    async with session.post(napcat.url + "/get_status") as answer:
        assert answer.headers["Keep-Alive"] == "timeout=5"
