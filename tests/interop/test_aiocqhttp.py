"""aiocqhttp's HTTP API client: of its settings only the address of NapCat is another."""

from typing import Any

import pytest
from aiocqhttp import ActionFailed, CQHttp, Event, HttpFailed, Message, MessageSegment

from tests.interop.conftest import KEYS, TOKEN, sent
from tests.world import Gateway, World

FILE = "https://example.com/a.png"


def bot_at(gateway: Gateway, **options: Any) -> CQHttp:
    """Return a bot as its author makes it."""
    return CQHttp(api_root=gateway.url, **options)


async def test_a_bot_sends_text_to_a_group_and_gets_the_message_id(world: World) -> None:
    bot = bot_at(await world.gateway())
    told = await bot.send_group_msg(group_id=7, message="hello")
    assert told["message_id"] == world.napcat.delivered[-1].message_id
    assert sent(world) == ("group:7", [("text", "hello")])


async def test_a_bot_sends_cq_codes_to_a_person_and_gets_the_message_id(world: World) -> None:
    bot = bot_at(await world.gateway())
    told = await bot.send_private_msg(user_id=10002, message=f"look[CQ:face,id=1][CQ:image,file={FILE}]")
    assert told["message_id"] == world.napcat.delivered[-1].message_id
    assert sent(world) == ("private:10002", [("text", "look"), ("face", "1"), ("image", FILE)])


async def test_a_bot_that_wants_no_codes_read_is_taken_at_its_word(world: World) -> None:
    bot = bot_at(await world.gateway())
    await bot.send_private_msg(user_id=10002, message="[CQ:face,id=1]", auto_escape=True)
    assert sent(world) == ("private:10002", [("text", "[CQ:face,id=1]")])


async def test_a_bot_sends_a_message_made_of_segments(world: World) -> None:
    bot = bot_at(await world.gateway())
    message = MessageSegment.at(10002) + " look " + Message([MessageSegment.image(FILE), MessageSegment.face(1)])
    told = await bot.call_action("send_msg", message_type="group", group_id=7, message=message)
    assert told["message_id"] == world.napcat.delivered[-1].message_id
    assert sent(world) == ("group:7", [("at", "10002"), ("text", " look "), ("image", FILE), ("face", "1")])


@pytest.mark.parametrize(
    ("where", "target"),
    [
        ({"message_type": "group", "group_id": 7, "user_id": 10003}, "group:7"),
        ({"message_type": "private", "user_id": 10003}, "private:10003"),
    ],
)
async def test_a_bot_answers_what_it_heard(world: World, where: dict[str, Any], target: str) -> None:
    bot = bot_at(await world.gateway())
    heard = Event.from_payload({"post_type": "message", "self_id": 10001, "message": "hi", "message_id": 5, **where})
    told = await bot.send(heard, "hello", at_sender=target == "group:7")
    assert told["message_id"] == world.napcat.delivered[-1].message_id
    named = [("at", "10003"), ("text", " hello")] if target == "group:7" else [("text", "hello")]
    assert sent(world) == (target, named)


async def test_a_bot_that_does_not_wait_gets_the_job(world: World) -> None:
    gateway = await world.gateway()
    told = await bot_at(gateway).send_group_msg_async(group_id=7, message="later")
    await gateway.shows(told["job"], "delivered")


async def test_a_bot_whose_message_takes_long_gets_the_job_and_need_not_send_again(world: World) -> None:
    world.napcat.behave("group:7", "delay", ms=1_000)
    gateway = await world.gateway(onebot={"wait": "200ms"})
    told = await bot_at(gateway).send_group_msg(group_id=7, message="hello")
    await gateway.shows(told["job"], "delivered")
    assert len(world.napcat.received) == 1


async def test_a_bot_learns_that_it_was_removed_from_the_group(world: World) -> None:
    world.napcat.behave("group:8", "kick")
    bot = bot_at(await world.gateway())
    with pytest.raises(ActionFailed) as failure:
        await bot.send_group_msg(group_id=8, message="anybody?")
    assert failure.value.retcode == 200
    assert failure.value.result["wording"].startswith("rejected (")
    assert "你已被移出该群" in failure.value.result["wording"]


async def test_a_bot_asks_who_it_is(world: World) -> None:
    assert await bot_at(await world.gateway()).get_login_info() == {"user_id": 10001, "nickname": "NapCat"}


async def test_a_bot_with_its_access_token_may_send(world: World) -> None:
    bot = bot_at(await world.gateway(auth=KEYS), access_token=TOKEN)
    assert (await bot.send_group_msg(group_id=7, message="hello"))["message_id"]


@pytest.mark.parametrize(("token", "status"), [(None, 401), ("another", 403)])
async def test_a_bot_without_the_right_token_is_told_so(world: World, token: str | None, status: int) -> None:
    bot = bot_at(await world.gateway(auth=KEYS), access_token=token)
    with pytest.raises(HttpFailed) as failure:
        await bot.send_group_msg(group_id=7, message="hello")
    assert failure.value.status_code == status
    assert world.napcat.received == []
