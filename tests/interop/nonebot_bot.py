"""A bot as its author writes it with nonebot; it knows the gateway as a URL in its settings, where NapCat's would be.

It does what a message it hears names, and prints a line with what the call returned, or how it failed.
"""

import json
from collections.abc import Awaitable, Callable
from typing import Any

import nonebot
from nonebot.adapters.onebot.v11 import Adapter, Bot, Message, MessageEvent, MessageSegment
from nonebot.adapters.onebot.v11.exception import ActionFailed, NetworkError

PICTURE = "https://example.com/a.png"

nonebot.init()
nonebot.get_driver().register_adapter(Adapter)
heard = nonebot.on_message()


async def _take_back(bot: Bot, event: MessageEvent) -> Any:
    said = await bot.send(event, "oops")
    await bot.delete_msg(message_id=said["message_id"])
    return said


CALLS: dict[str, Callable[[Bot, MessageEvent], Awaitable[Any]]] = {
    "say a word": lambda bot, event: bot.send(event, "hello, [CQ:face,id=1]"),
    "say it to me": lambda bot, event: bot.send(
        event, MessageSegment.face(1) + MessageSegment.image(PICTURE), at_sender=True, reply_message=True
    ),
    "tell a friend": lambda bot, _: bot.send_private_msg(
        user_id=10002, message=Message([MessageSegment.text("psst "), MessageSegment.image(PICTURE)])
    ),
    "say it in codes": lambda bot, _: bot.send_group_msg(
        group_id=7, message=f"[CQ:at,qq=10002] look [CQ:image,file={PICTURE}]"
    ),
    "say it later": lambda bot, _: bot.call_api("send_group_msg_async", group_id=7, message="later"),
    "say it where you were": lambda bot, _: bot.send_group_msg(group_id=8, message="anybody?"),
    "say who you are": lambda bot, _: bot.get_login_info(),
    "take it back": _take_back,
}


@heard.handle()
async def act(bot: Bot, event: MessageEvent) -> None:
    try:
        told = {"returned": await CALLS[event.get_plaintext()](bot, event)}
    except ActionFailed as failure:
        told = {"failed": failure.info}
    except NetworkError as failure:
        told = {"unreachable": failure.msg}
    print(json.dumps(told), flush=True)  # noqa: T201 - whoever started the bot reads it


if __name__ == "__main__":
    nonebot.run()
