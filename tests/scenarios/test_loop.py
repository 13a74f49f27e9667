"""Nothing on the way of a job blocks the loop that all lanes share."""

from blockbuster import blockbuster_ctx

from tests.results.test_callbacks import CALLBACKS, receiving
from tests.world import World


async def test_no_call_blocks_the_loop_while_jobs_flow(world: World) -> None:
    gateway = await world.gateway(callbacks=CALLBACKS)

    async def use_every_way_in(called: str) -> None:
        called = called.replace("127.0.0.1", "localhost")  # a name, which has to be resolved
        await world.add(*({"group_id": str(n), "message": "hello"} for n in range(1, 20)))
        await world.producer.push('{"group_id": "20", "message": "hello"}')
        job = {"group_id": "21", "message": "hello", "callback_url": called}
        assert (await gateway.post("/v1/jobs", job)).status == 202
        assert (await gateway.get("/status")).status == 200

    # Libraries import parts of themselves when they are first used.
    async with receiving() as receiver:
        await use_every_way_in(receiver.url)
        await world.ended(21)
        await receiver.got(1)
        with blockbuster_ctx() as blockers:
            # A log line is written where it arises; the reader of standard error is expected to keep up.
            blockers.functions["io.TextIOWrapper.write"].deactivate()
            await use_every_way_in(receiver.url)
            await world.ended(42)
            await receiver.got(2)
