"""An open WebSocket connection: what comes through it, and how it ends."""

import asyncio
import json
import socket as socketlib
from typing import Any

import pytest
from aiohttp import WSMsgType

from gateway.forward import napcat_ws
from tests.forward.peers import PART, PATIENT, speaking
from tests.forward.ws_peer import Socket, Talk, deliver, listening, napcat, ok, upgraded


async def test_no_answer_ends_in_time_and_the_connection_stays() -> None:
    async def talk(socket: Socket, call: dict[str, Any]) -> None:
        if len(peer.frames) == 2:
            await socket.send_json(ok({"echo": "1"}, 1))  # too late: its caller has gone
            await socket.send_json(ok(call, 2))

    async with listening(talk) as peer, napcat(peer.port) as client:
        assert (await client.call(PART)).error == "timeout"
        assert (await client.call(PATIENT)).message_id == 2
        assert client.ignored == {"late": 1}
    assert len(peer.connections) == 1


async def _abort(socket: Socket, _: dict[str, Any]) -> None:
    connection: socketlib.socket = socket.get_extra_info("socket")
    connection.shutdown(socketlib.SHUT_RDWR)


async def _close(socket: Socket, _: dict[str, Any]) -> None:
    await socket.close(code=1001)


async def _ping_and_abort(socket: Socket, call: dict[str, Any]) -> None:
    await socket.ping()
    await _abort(socket, call)


@pytest.mark.parametrize("talk", [_abort, _close, _ping_and_abort])
async def test_a_connection_lost_with_calls_under_way(talk: Talk) -> None:
    async def when_all_are_there(socket: Socket, call: dict[str, Any]) -> None:
        if len(peer.frames) == 3:
            await talk(socket, call)

    async with listening(when_all_are_there) as peer, napcat(peer.port) as client:
        answers = await asyncio.gather(*(client.call(PATIENT) for _ in range(3)))
    assert {answer.error for answer in answers} == {"reset"}
    assert len(peer.frames) == 3


async def test_an_answer_that_came_before_the_drop_is_kept() -> None:
    async def talk(socket: Socket, call: dict[str, Any]) -> None:
        if len(peer.frames) == 2:
            await deliver(socket, call)
            await _close(socket, call)

    async with listening(talk) as peer, napcat(peer.port) as client:
        first, second = await asyncio.gather(client.call(PATIENT), client.call(PATIENT))
    assert (first.error, second.message_id) == ("reset", 7)


async def test_a_close_without_a_code_ends_the_calls_at_once() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await upgraded(reader, writer)
        await reader.readexactly(6)
        writer.write(b"\x88\x00")
        await asyncio.Event().wait()  # and the connection is left open

    async with speaking(serve) as port, napcat(port) as client, asyncio.timeout(10):
        assert (await client.call(PATIENT)).error == "reset"


async def test_a_peer_that_gives_no_sign_of_life_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await upgraded(reader, writer)
        await reader.read()

    monkeypatch.setattr(napcat_ws, "_HEARTBEAT_S", 0.05)
    async with speaking(serve) as port, napcat(port) as client, asyncio.timeout(10):
        assert (await client.call(PATIENT)).error == "reset"


async def test_a_peer_that_takes_nothing_is_left_and_the_rest_never_sent() -> None:
    connections: list[asyncio.StreamReader] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await upgraded(reader, writer)
        connections.append(reader)
        await asyncio.Event().wait()

    async with speaking(serve) as port, napcat(port) as client:
        large = PART._replace(body=b'"' + b"x" * 8 * 2**20 + b'"', timeout_ms=200)
        behind = asyncio.create_task(client.call(PATIENT))
        assert (await client.call(large)).error == "timeout"
        assert (await behind).error == "reset"
        assert (await client.call(PART)).error == "timeout"  # over a new connection
    assert len(connections) == 2
    received = 0
    while chunk := await connections[0].read(2**20):
        received += len(chunk)
    assert received < 8 * 2**20


@pytest.mark.parametrize(
    ("frame", "why"),
    [
        ("", "no_echo"),
        ("hello", "no_echo"),
        ("<html>", "no_echo"),
        ("[" * 100_000, "no_echo"),
        ("null", "no_echo"),
        ('"1"', "no_echo"),
        ("{}", "no_echo"),
        ('{"echo":1}', "no_echo"),
        ('{"echo":null,"status":"failed","retcode":1400}', "no_echo"),
        ('{"echo":{"a":[1]},"status":"ok","retcode":0}', "no_echo"),
        ('{"echo":"99","status":"ok","retcode":0}', "late"),
        ('{"echo":"99"}', "late"),
        ('{"echo":"1","status":"ok","retcode":1' + "0" * 5000 + "}", "no_echo"),
        ('{"time":1,"post_type":"meta_event","meta_event_type":"heartbeat","status":{"online":true}}', "no_echo"),
        (b"\xff\xfe{", "no_echo"),
        (b"", "binary"),
    ],
    ids=lambda value: repr(value[:36]),
)
async def test_a_frame_that_answers_nobody_is_ignored(frame: str | bytes, why: str) -> None:
    async def talk(socket: Socket, call: dict[str, Any]) -> None:
        raw = frame.encode() if isinstance(frame, str) else frame
        await socket.send_frame(raw, WSMsgType.BINARY if why == "binary" else WSMsgType.TEXT)
        await deliver(socket, call)

    async with listening(talk) as peer, napcat(peer.port) as client:
        assert (await client.call(PATIENT)).message_id == 7
        assert (await client.call(PATIENT)).message_id == 7
        assert client.ignored == {why: 2}
    assert len(peer.connections) == 1


async def test_after_an_answer_that_is_no_envelope_the_connection_stays() -> None:
    async def talk(socket: Socket, call: dict[str, Any]) -> None:
        await (socket.send_json({"echo": call["echo"]}) if len(peer.frames) == 1 else deliver(socket, call))

    async with listening(talk) as peer, napcat(peer.port) as client:
        assert (await client.call(PATIENT)).error == "unparsable"
        assert (await client.call(PATIENT)).message_id == 7
    assert len(peer.connections) == 1


@pytest.mark.parametrize(
    "said",
    [
        bytes([0x81, 127]) + (16 * 2**20 + 1).to_bytes(8),  # the head of a frame above 16 MiB
        bytes([0x81, 127]) + (2**63).to_bytes(8),
        b"\xf1\x00",  # reserved bits
        b"\x83\x00",  # an opcode that is none
        b"HTTP/1.1 500 Internal Server Error\r\n\r\n",
    ],
    ids=repr,
)
async def test_what_is_no_frame_ends_the_connection(said: bytes) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await upgraded(reader, writer)
        await reader.readexactly(6)
        writer.write(said)
        await reader.read()

    async with speaking(serve) as port, napcat(port) as client, asyncio.timeout(10):
        assert (await client.call(PATIENT)).error == "reset"


async def test_an_answer_in_fragments_between_pings_is_whole() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await upgraded(reader, writer)
        await reader.readexactly(6)
        said = json.dumps(ok({"echo": "1"})).encode()
        for piece in (b"\x01\x05" + said[:5], b"\x89\x00", bytes([0x80, len(said) - 5]) + said[5:]):
            writer.write(piece)
            await writer.drain()
        await reader.read()

    async with speaking(serve) as port, napcat(port) as client:
        assert (await client.call(PATIENT)).message_id == 7
