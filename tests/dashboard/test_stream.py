"""The stream behind the dashboard: one look for everybody, the latest for each, an end when it is time."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, cast

import aiohttp
import pytest
from aiohttp import web

from gateway.clock import Clock
from gateway.monitor.dashboard import Stream
from gateway.monitor.dashboard.stream import Status
from gateway.sandbox.process import GatewayProcess
from gateway.settings import Key
from gateway.supervise import Supervisor
from gateway.web import speak_problem
from tests.clocks import Ahead
from tests.dashboard.test_session import cookie, sign_in
from tests.keys import bearer, key
from tests.world import Gateway, Reply, World, until

JOB = {"group_id": "1", "message": "hello"}


class Watcher:
    """One who looks on: takes events until the stream ends."""

    def __init__(self, answer: aiohttp.ClientResponse) -> None:
        self.answer = answer
        self.events: list[tuple[str, Any]] = []
        self.ended = False
        self._task = asyncio.create_task(self._read())

    async def _read(self) -> None:
        name = ""
        try:
            async for line in self.answer.content:
                field, _, value = line.decode().rstrip("\n").partition(": ")
                if field == "event":
                    name = value
                elif field == "data":
                    self.events.append((name, json.loads(value)))
        except aiohttp.ClientError:
            pass
        self.ended = True

    def last(self, name: str) -> Any:
        """Return what the last event of NAME told; None when there was none."""
        return next((told for event, told in reversed(self.events) if event == name), None)

    def count(self, name: str) -> int:
        return sum(event == name for event, _ in self.events)

    async def close(self) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)


class Served:
    """A stream on a socket of its own, that looks as a test says."""

    def __init__(self, url: str) -> None:
        self.url = url


@asynccontextmanager
async def watching(
    gateway: Gateway | GatewayProcess | Served, headers: dict[str, str] | None = None
) -> AsyncIterator[Watcher]:
    url = f"{gateway.url}/dashboard/stream"
    async with aiohttp.ClientSession(read_bufsize=2**24) as session, session.get(url, headers=headers) as answer:
        assert answer.status == 200
        assert answer.headers["Content-Type"] == "text/event-stream"
        watcher = Watcher(answer)
        try:
            yield watcher
        finally:
            await watcher.close()


@asynccontextmanager
async def served(status: Status, **bounds: float) -> AsyncIterator[Served]:
    """Serve a stream that looks by STATUS, with other BOUNDS than usual."""

    async def flow() -> None:
        return None

    clock = Clock()
    stream, supervisor = Stream(status, flow, clock, **cast("Any", bounds)), Supervisor(clock)
    app = web.Application(middlewares=[speak_problem])
    app.router.add_get("/dashboard/stream", stream.get)
    runner = web.AppRunner(app, access_log=None, handler_cancellation=False, shutdown_timeout=0.1)
    await runner.setup()
    supervisor.start("dashboard", stream.run)
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield Served(f"http://127.0.0.1:{runner.addresses[0][1]}")
    finally:
        stream.stop()
        await supervisor.close()
        await runner.cleanup()


async def well(_: Key | None) -> dict[str, Any]:
    return {"status": "ok"}


async def asked(stream: Served) -> Reply:
    """Return what is answered where that is no stream; of a stream only how it begins."""
    async with aiohttp.ClientSession() as session, session.get(f"{stream.url}/dashboard/stream") as answer:
        body = b"" if answer.status == 200 else await answer.read()
        return Reply(answer.status, dict(answer.headers), body)


async def begins(stream: Served) -> bool:
    return (await asked(stream)).status == 200


async def raw(stream: Served) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Ask for the stream on a connection of which nobody reads more than the test does."""
    host, port = stream.url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port), limit=1024)
    writer.write(b"GET /dashboard/stream HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
    return reader, writer


async def test_who_looks_on_is_told_at_once_and_then_of_every_change(world: World) -> None:
    gateway = await world.gateway()
    async with watching(gateway) as watcher:
        first = await until(lambda: watcher.last("status"))
        assert first["accounts"]["main"]["ended"] == {}
        assert (await until(lambda: watcher.last("flow")))["accounts"]["main"]["delivered"] == [0] * 60
        await world.add(JOB)
        await until(lambda: watcher.last("status")["accounts"]["main"]["ended"] == {"delivered": 1})
        await until(lambda: sum(watcher.last("flow")["accounts"]["main"]["delivered"]) == 1)
        served = (await gateway.get("/status")).json
        assert set(watcher.last("status")) == set(served)


async def test_many_who_look_on_cost_one_look() -> None:
    looks = 0

    async def look(_: Key | None) -> dict[str, Any]:
        nonlocal looks
        looks += 1
        return {"look": looks}

    async with served(look) as stream, watching(stream) as one, watching(stream) as two, watching(stream) as three:
        watchers = (one, two, three)
        await until(lambda: all(watcher.count("status") >= 3 for watcher in watchers))
        assert looks <= max(watcher.count("status") for watcher in watchers) + 2


async def test_each_sees_what_its_key_reaches(world: World) -> None:
    keys = [key("all", scopes=["read", "admin"]), key("narrow", scopes=["read"], targets=["group:1"]), key("shop")]
    gateway = await world.gateway(auth={"keys": [*keys, key("blind", scopes=["send"])]})
    for number in ("1", "2"):
        assert (await gateway.post(f"/v1/targets/group/{number}/park", {}, bearer("all"))).status == 200
    async with watching(gateway, bearer("all")) as every, watching(gateway, bearer("narrow")) as narrow:

        def held(watcher: Watcher) -> list[str]:
            told = watcher.last("status")
            return sorted(hold["target"] for hold in told["accounts"]["main"]["holds"]) if told else []

        await until(lambda: held(every) == ["group:1", "group:2"])
        await until(lambda: narrow.last("status"))
        assert held(narrow) == ["group:1"]
    assert (await gateway.get("/dashboard/stream")).status == 401
    assert (await gateway.get("/dashboard/stream", bearer("blind"))).status == 403


@pytest.mark.parametrize("first", ["all", "none"])
async def test_a_key_without_targets_shares_no_look_with_one_that_reaches_all(world: World, first: str) -> None:
    keys = [key("all", scopes=["read", "admin"]), key("none", scopes=["read"], targets=[])]
    gateway = await world.gateway(auth={"keys": keys})
    assert (await gateway.post("/v1/targets/group/1/park", {}, bearer("all"))).status == 200
    second = {"all": "none", "none": "all"}[first]
    async with watching(gateway, bearer(first)) as one, watching(gateway, bearer(second)) as other:
        told = {first: one, second: other}
        for name, held in (("all", 1), ("none", 0)):
            status = await until(partial(told[name].last, "status"))
            assert len(status["accounts"]["main"]["holds"]) == held


async def test_streams_end_when_the_gateway_does(world: World) -> None:
    gateway = await world.gateway()
    async with watching(gateway) as watcher:
        await until(lambda: watcher.count("status"))
        await asyncio.wait_for(gateway.stop(), 10)
        await until(lambda: watcher.ended)


async def test_an_open_stream_does_not_keep_a_process_from_its_end(world: World) -> None:
    process = await world.process()
    async with watching(process) as watcher:
        await until(lambda: watcher.count("status"))
        assert await asyncio.wait_for(process.stop(), 10) == 0
        await until(lambda: watcher.ended)


async def test_redis_going_away_is_told_and_so_is_its_return(world: World) -> None:
    gateway = await world.gateway()
    async with watching(gateway) as watcher:
        await until(lambda: watcher.count("status"))
        await world.stop_redis()
        await until(lambda: watcher.last("status")["status"] == "down")
        await world.start_redis()
        await until(lambda: watcher.last("status")["status"] != "down")


async def test_a_stream_ends_with_its_session(world: World) -> None:
    clock = Ahead()
    gateway = await world.gateway(clock, auth={"keys": [key("eye", scopes=["read"])]})
    session = cookie(await sign_in(gateway, "eye"))
    async with watching(gateway, session) as watcher, watching(gateway, bearer("eye")) as other:
        await until(lambda: watcher.count("status"))
        clock.seconds = 90_000
        await until(lambda: watcher.ended)
        told = other.count("status")
        await until(lambda: other.count("status") > told)


async def test_there_are_not_more_streams_than_a_bound_and_who_leaves_makes_room() -> None:
    async with served(well, most=2) as stream, watching(stream):
        async with watching(stream):
            refused = await asked(stream)
            assert (refused.status, refused.json["code"], refused.headers["Retry-After"]) == (503, "streams_full", "5")
        await until(lambda: begins(stream))


async def test_who_does_not_read_keeps_nobody_waiting_and_is_given_up() -> None:
    async def large(_: Key | None) -> dict[str, Any]:
        return {"padding": "x" * 4_000_000}

    async with served(large, patience_s=0.5) as stream:
        reader, writer = await raw(stream)
        try:
            await reader.readexactly(100)
            async with watching(stream) as watcher:
                await until(lambda: watcher.count("status") >= 3)
            with pytest.raises((asyncio.IncompleteReadError, ConnectionError)):
                await asyncio.wait_for(reader.readexactly(100_000_000), 20)
        finally:
            writer.close()


async def test_who_leaves_before_the_first_look_is_no_fault_of_ours(capfd: pytest.CaptureFixture[str]) -> None:
    looked, gone = asyncio.Event(), asyncio.Event()

    async def slow(_: Key | None) -> dict[str, Any]:
        looked.set()
        await gone.wait()
        return {}

    async with served(slow, most=1) as stream:
        _, writer = await raw(stream)
        await until(looked.is_set)
        writer.transport.abort()
        assert (await asked(stream)).status == 503  # by then it has been noticed
        gone.set()
        await until(lambda: begins(stream))
    assert "request.failed" not in "".join(capfd.readouterr())


async def test_while_no_look_succeeds_who_leaves_makes_room() -> None:
    fails = False

    async def failing(_: Key | None) -> dict[str, Any]:
        if fails:
            raise RuntimeError("no look")
        return {}

    async with served(failing, most=1, heartbeat_s=0.1) as stream:
        async with watching(stream) as watcher:
            await until(lambda: watcher.count("status"))
            fails = True
            assert (await asked(stream)).json["code"] == "streams_full"
        # There is room, though nothing to tell.
        await until(lambda: asked(stream), lambda reply: reply.status == 500)


async def test_no_limit_of_time_for_requests_cuts_a_stream(world: World) -> None:
    gateway = await world.gateway(http={"port": 0, "timeout": "200ms", "keepalive": "200ms"})
    async with watching(gateway) as watcher:
        await until(lambda: watcher.count("status") >= 4)
        assert not watcher.ended


async def test_only_get_is_for_streams(world: World) -> None:
    gateway = await world.gateway()
    for method in ("HEAD", "POST"):
        assert (await gateway.request(method, "/dashboard/stream")).status == 405
    assert (await gateway.get("/dashboard/stream?every=1")).status == 422
