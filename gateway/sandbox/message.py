"""How NapCat turns a `message` field into what QQ is asked to send (NAPCAT.md §3.1, §3.4, table B)."""

from collections.abc import Callable
from typing import Any

from gateway.sandbox.wire import ActionError

Segment = dict[str, Any]

MEDIA = frozenset({"image", "record", "video", "file"})
DROPPED = frozenset({"xml", "poke", "miniapp", "onlinefile", "flashtransfer"})
SENT = MEDIA | {
    "text", "at", "reply", "face", "mface", "json", "markdown", "music", "contact", "dice", "rps",
    "forward", "node", "location",
}  # fmt: skip

_SENDS = {"send_group_msg": "group", "send_private_msg": "private", "send_msg": ""}
_NODE_MIX = "转发消息不能和普通消息混在一起发送,转发需要保证message只有type为node的元素"
_EMPTY = "消息体无法解析, 请检查是否发送了不支持的消息类型"


def send_kind(action: str) -> str | None:
    """Return `group`, `private` or empty (either) for a send action and its aliases, else None."""
    return _SENDS.get(action.removesuffix("_async").removesuffix("_rate_limited"))


def address(kind: str, body: dict[str, Any]) -> str:
    """Return where a send goes, `group:…` or `private:…`; raise `ActionError` when nowhere."""
    kind = kind or str(body.get("message_type") or "")
    group, user = body.get("group_id"), body.get("user_id")
    if kind != "private" and group:
        return f"group:{group}"
    if kind != "group" and user:
        return f"private:{user}"
    if kind == "private" and group:
        raise ActionError("当前私聊发送,请指定 user_id 而不是 group_id")
    raise ActionError("请指定正确的 group_id 或 user_id")


def segments_of(message: Any) -> list[Any]:
    """Return the message as a list, a string as one text segment (CQ codes stay text here)."""
    if isinstance(message, str):
        return [{"type": "text", "data": {"text": message}}] if message else []
    return message if isinstance(message, list) else [message]


def text_of(message: Any) -> str:
    """Return all text segments joined, whatever the message looks like."""
    texts = []
    for segment in segments_of(message):
        if isinstance(segment, dict) and segment.get("type") == "text":
            data = segment.get("data")
            texts.append(str(data.get("text", "")) if isinstance(data, dict) else "")
    return "".join(texts)


def check(body: dict[str, Any]) -> list[Any]:
    """Return the segments of a send that passes the only check NapCat makes: forward nodes stand alone."""
    message = body.get("message")
    segments = segments_of(message)
    for segment in segments:
        if segment is None:
            nothing = "null" if "message" in body else "undefined"
            raise ActionError(
                f"TypeError: Cannot read properties of {nothing} (reading 'type')\n"
                "    at getSpecialMsgNum (file:///app/napcat/napcat.mjs:40211:13)\n"
                "    at SendMsgBase.check (file:///app/napcat/napcat.mjs:40388:31)",
                mute_over_ws=True,
            )
    nodes = sum(1 for segment in segments if _type(segment) == "node")
    if 0 < nodes < len(segments):
        raise ActionError(_NODE_MIX, retcode=400)
    return segments


def convert(segments: list[Any], *, private: bool, is_known: Callable[[Any], bool]) -> list[Segment]:
    """Return what is left to send: some types are dropped without a word, unknown ones throw."""
    converted = [_convert(segment, private=private, is_known=is_known) for segment in segments]
    sendable = [segment for segment in converted if segment is not None]
    if not sendable:
        raise ActionError(_EMPTY)
    return sendable


def _type(segment: Any) -> Any:
    return segment.get("type") if isinstance(segment, dict) else None


def _convert(segment: Any, *, private: bool, is_known: Callable[[Any], bool]) -> Segment | None:
    kind = _type(segment)
    if kind in DROPPED:
        return None
    if kind not in SENT:
        raise ActionError(f"未知的消息类型：{'undefined' if kind is None else kind}")
    data = segment.get("data")
    if not isinstance(data, dict):
        if kind in ("dice", "rps"):
            return {"type": kind, "data": {}}
        raise ActionError(f"Cannot read properties of undefined (reading '{'text' if kind == 'text' else 'url'}')")
    if kind in MEDIA and not (data.get("url") or data.get("file") or data.get("path")):
        raise ActionError("文件消息缺少参数")
    if kind == "location":  # a stub in NapCat: it sends this word instead
        return {"type": "text", "data": {"text": "测试"}}
    if kind == "at" and (private or not data.get("qq")):
        return None
    if kind == "reply" and not data.get("seq") and not is_known(data.get("id")):
        return None
    return {"type": kind, "data": data}


def cq_code(message: list[Segment]) -> str:
    """Return the `raw_message` of an event or history row (NAPCAT.md §7)."""
    parts = []
    for segment in message:
        if segment["type"] == "text":
            parts.append(_escape(str(segment["data"].get("text", ""))))
        else:
            fields = "".join(
                f",{key}={_escape(str(value)).replace(',', '&#44;')}" for key, value in segment["data"].items()
            )
            parts.append(f"[CQ:{segment['type']}{fields}]")
    return "".join(parts)


def _escape(text: str) -> str:
    return text.replace("&", "&amp;").replace("[", "&#91;").replace("]", "&#93;")
