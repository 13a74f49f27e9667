"""Taking a message back: `delete_msg`, as the clients of others call it."""

import pytest
from aiocqhttp import ActionFailed, CQHttp

from tests.interop.conftest import Meet
from tests.world import World, until


async def test_aiocqhttp_takes_back_what_it_sent(world: World) -> None:
    bot = CQHttp(api_root=(await world.gateway()).url)
    said = await bot.send_group_msg(group_id=7, message="oops")
    assert await bot.delete_msg(message_id=said["message_id"]) is None
    assert world.napcat.recalled == [said["message_id"]]


async def test_aiocqhttp_learns_that_a_message_cannot_be_taken_back(world: World) -> None:
    bot = CQHttp(api_root=(await world.gateway()).url)
    with pytest.raises(ActionFailed) as failure:
        await bot.delete_msg(message_id=12345)
    assert failure.value.result["wording"]
    assert world.napcat.recalled == []


async def test_nonebot_takes_back_what_it_sent(world: World, nonebot_at: Meet) -> None:
    bot = await nonebot_at((await world.gateway()).url)
    told = await bot.hears("take it back")
    await until(lambda: world.napcat.recalled == [told["returned"]["message_id"]])
