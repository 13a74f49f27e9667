"""The bell: whoever may publish may ring it, with whatever bytes."""

import asyncio
from contextlib import suppress

from gateway.store.bell import Bell
from gateway.store.keys import Keys
from tests.world import World


async def test_a_ring_that_is_no_text_wakes_nobody_and_breaks_no_bell(world: World) -> None:
    keys, woken = Keys("gw"), asyncio.Event()
    listening = asyncio.create_task(Bell(world.clients, keys, {"main": woken.set}).listen())
    try:
        async with asyncio.timeout(5):
            await woken.wait()  # by the subscription, which counts as a ring
            woken.clear()
            await world.clients.commands.publish(keys.bell, b"\xff")
            await world.clients.commands.publish(keys.bell, "main somebody")
            await woken.wait()
    finally:
        listening.cancel()
        with suppress(asyncio.CancelledError):
            await listening
