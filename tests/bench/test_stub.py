"""The stub answers as NapCat does, over both transports: what is measured against it is a real exchange."""

import asyncio
import json
from typing import Any

import aiohttp
import pytest

from gateway.forward.napcat_ws import frame
from tests.bench import frames
from tests.bench.jobs import job, request
from tests.bench.receiver import stub


@pytest.mark.parametrize("size", [1, 125, 126, 65_535, 65_536, 200_000])
async def test_a_call_over_a_websocket_is_answered_with_its_echo_and_noted(size: int) -> None:
    params = {"group_id": "7", "message": [{"type": "text", "data": {"text": "x" * size}}]}
    async with stub(0, []) as napcat, aiohttp.ClientSession() as session:
        async with session.ws_connect(f"{napcat.url}/api") as socket:
            await socket.send_str(frame("send_group_msg", json.dumps(params).encode(), "a").decode())
            await socket.send_str(frame("get_status", b"{}", "b").decode())
            answers: list[dict[str, Any]] = [await socket.receive_json() for _ in range(2)]
        assert [(answer["status"], answer["echo"]) for answer in answers] == [("ok", "a"), ("ok", "b")]
        assert answers[0]["data"] == {"message_id": 1}
        (seen,) = await napcat.seen()
        assert (seen.group, len(seen.text)) == ("7", size)
        assert 0 < seen.at <= seen.answered


async def test_a_request_over_http_is_answered_and_noted_unless_its_group_hangs() -> None:
    async with stub(0, ["2"]) as napcat, aiohttp.ClientSession() as session:
        async with session.post(f"{napcat.url}/send_group_msg", data=request(0)) as answer:
            assert json.loads(await answer.read())["data"] == {"message_id": 1}
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.3), session.post(f"{napcat.url}/send_group_msg", data=request(1)):
                pass
        assert [(one.group, bool(one.answered)) for one in await napcat.seen()] == [("1", True), ("2", False)]
        assert await napcat.cpu() > 0


@pytest.mark.parametrize("piece", [1, 3, 7, 1_000])
def test_frames_that_come_in_pieces_are_put_together(piece: int) -> None:
    payloads = [b"", b"first", b"s" * 300, bytes(range(256)) * 300]
    mask = b"\x01\x82\x03\xf4"
    wire = b"".join(_masked(payload, mask) for payload in payloads)
    pending, found = bytearray(), []
    for begin in range(0, len(wire), piece):
        pending += wire[begin : begin + piece]
        found += list(frames.taken(pending))
    assert found == [(frames.TEXT, payload) for payload in payloads]
    assert not pending


def test_a_job_and_its_request_say_the_same() -> None:
    for number in (0, 7, 12_345):
        pushed, posted = json.loads(job(number)), json.loads(request(number))
        assert posted["group_id"] == pushed["group_id"]
        assert posted["message"] == [{"type": "text", "data": {"text": pushed["message"]}}]


def _masked(payload: bytes, mask: bytes) -> bytes:
    plain = frames.frame(frames.TEXT, payload)
    head = plain[: len(plain) - len(payload)]
    body = bytes(byte ^ mask[place % 4] for place, byte in enumerate(payload))
    return bytes((head[0], head[1] | 0x80)) + head[2:] + mask + body
