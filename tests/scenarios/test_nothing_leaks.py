"""Promise 6: tokens, keys and message text stay out of logs, status and errors."""

import aiohttp

from gateway.sandbox.napcat import StandIn
from tests.world import World

TEXT, TOKEN = "the text of a message", "a-napcat-token"


async def test_log_and_status_hold_no_token_and_no_text(world: World) -> None:
    async with StandIn(token=TOKEN).serve() as napcat:
        napcat.behave("group:2", "kick")
        napcat.behave("group:3", "throw", text=f"{TEXT}: something broke at /opt/napcat/index.js:1")
        account = {"name": "main", "endpoint": napcat.url, "token": TOKEN}
        gateway = await world.process(accounts=[account], delivery={"settle_for": "100ms"})
        await world.add(*({"group_id": str(n), "message": TEXT} for n in range(1, 4)))
        await world.add({"group_id": "1", "mesage": TEXT})
        await world.ended(3)
        async with aiohttp.ClientSession(gateway.url) as session:
            status = await (await session.get("/status")).text()
        log = gateway.log.read_text()
    for words in (log, status):
        assert TEXT not in words
        assert TOKEN not in words


async def test_a_receipt_never_shows_a_stack_trace_or_a_path(world: World) -> None:
    world.napcat.behave("group:1", "throw", text="TypeError: x\n    at Object.send (/opt/napcat/index.js:1:2)")
    await world.gateway(delivery={"settle_for": "100ms"})
    await world.add({"group_id": "1", "message": "hello"})
    (receipt,) = await world.ended(1)
    assert receipt.attempts
    assert "/opt" not in str(receipt)
    assert "    at " not in str(receipt)
