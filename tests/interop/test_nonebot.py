"""nonebot's OneBot adapter in its HTTP-POST mode: of the bot's settings only the address of NapCat is another."""

from tests.interop.conftest import KEYS, TOKEN, Meet, sent
from tests.world import World

PICTURE = ("image", "https://example.com/a.png")


async def test_a_bot_answers_in_a_group_and_gets_the_message_id(world: World, nonebot_at: Meet) -> None:
    bot = await nonebot_at((await world.gateway()).url)
    told = await bot.hears("say a word")
    assert told["returned"]["message_id"] == world.napcat.delivered[-1].message_id
    assert sent(world) == ("group:7", [("text", "hello, [CQ:face,id=1]")])


async def test_a_bot_quotes_and_names_whom_it_answers(world: World, nonebot_at: Meet) -> None:
    bot = await nonebot_at((await world.gateway()).url)
    told = await bot.hears("say it to me")
    assert told["returned"]["message_id"] == world.napcat.delivered[-1].message_id
    said = [("reply", "5"), ("at", "10003"), ("text", " "), ("face", "1"), PICTURE]
    assert sent(world) == ("group:7", said)


async def test_a_bot_answers_in_a_private_chat_and_writes_to_others(world: World, nonebot_at: Meet) -> None:
    bot = await nonebot_at((await world.gateway()).url)
    told = await bot.hears("say a word", group=None)
    assert told["returned"]["message_id"] == world.napcat.delivered[-1].message_id
    assert sent(world)[0] == "private:10003"
    told = await bot.hears("tell a friend", group=None)
    assert told["returned"]["message_id"] == world.napcat.delivered[-1].message_id
    assert sent(world) == ("private:10002", [("text", "psst "), PICTURE])


async def test_a_bot_that_writes_cq_codes_is_understood(world: World, nonebot_at: Meet) -> None:
    bot = await nonebot_at((await world.gateway()).url)
    told = await bot.hears("say it in codes")
    assert told["returned"]["message_id"] == world.napcat.delivered[-1].message_id
    assert sent(world) == ("group:7", [("at", "10002"), ("text", " look "), PICTURE])


async def test_a_bot_that_does_not_wait_gets_the_job(world: World, nonebot_at: Meet) -> None:
    gateway = await world.gateway()
    bot = await nonebot_at(gateway.url)
    told = await bot.hears("say it later")
    await gateway.shows(told["returned"]["job"], "delivered")


async def test_a_bot_whose_message_takes_long_gets_the_job_and_need_not_send_again(
    world: World, nonebot_at: Meet
) -> None:
    world.napcat.behave("group:7", "delay", ms=1_000)
    gateway = await world.gateway(onebot={"wait": "200ms"})
    bot = await nonebot_at(gateway.url)
    told = await bot.hears("say a word")
    await gateway.shows(told["returned"]["job"], "delivered")
    assert len(world.napcat.received) == 1


async def test_a_bot_learns_that_it_was_removed_from_the_group(world: World, nonebot_at: Meet) -> None:
    world.napcat.behave("group:8", "kick")
    bot = await nonebot_at((await world.gateway()).url)
    failed = (await bot.hears("say it where you were"))["failed"]
    assert (failed["status"], failed["retcode"]) == ("failed", 200)
    assert failed["wording"].startswith("rejected (")
    assert "你已被移出该群" in failed["wording"]


async def test_a_bot_with_its_access_token_may_send_and_ask_who_it_is(world: World, nonebot_at: Meet) -> None:
    bot = await nonebot_at((await world.gateway(auth=KEYS)).url, TOKEN)
    assert (await bot.hears("say who you are"))["returned"]["user_id"] == int(world.napcat.self_id)
    assert (await bot.hears("say a word"))["returned"]["message_id"] == world.napcat.delivered[-1].message_id


async def test_a_bot_without_an_access_token_is_told_so_by_the_status(world: World, nonebot_at: Meet) -> None:
    bot = await nonebot_at((await world.gateway(auth=KEYS)).url)
    assert "401" in (await bot.hears("say a word"))["unreachable"]
    assert world.napcat.received == []
