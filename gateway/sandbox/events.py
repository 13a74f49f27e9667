"""What NapCat reports of its own accord: events, and how they are posted (NAPCAT.md §1.4, §1.5, §5.5)."""

import asyncio
import hmac
import time
from dataclasses import dataclass
from typing import Any, Protocol

import aiohttp

from gateway.sandbox.message import Segment, cq_code
from gateway.sandbox.wire import dump

Event = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Sent:
    """One message handed to QQ: its place in QQ's own numbering and what NapCat calls it."""

    message_id: int
    seq: int
    target: str
    message: list[Segment]
    time: int


class Listener(Protocol):
    """A WebSocket that asked for events."""

    async def send_str(self, data: str) -> None:
        """Send one text frame."""


def number(digits: object) -> int | None:
    """Return what JavaScript's parseInt makes of an id; None is its NaN in JSON."""
    text = str(digits)
    return int(text) if text.isascii() and text.isdigit() else None


def own_message(sent: Sent, self_id: str) -> Event:
    """Return an own message as `message_sent` events, history rows and `get_msg` show it."""
    kind, _, peer = sent.target.partition(":")
    me = number(self_id)
    row: Event = {
        "self_id": me,
        "user_id": me,
        "time": sent.time,
        "message_id": sent.message_id,
        "message_seq": sent.message_id,
        "real_id": sent.message_id,
        "real_seq": str(sent.seq),
        "message_type": kind,
        "sender": {"user_id": me, "nickname": "NapCat", "card": "", "role": "member"},
        "raw_message": cq_code(sent.message),
        "font": 14,
        "sub_type": "normal" if kind == "group" else "friend",
        "message": sent.message,
        "message_format": "array",
        "post_type": "message_sent",
        "message_sent_type": "self",
        "target_id": number(peer),
    }
    if kind == "group":
        row["group_id"] = number(peer)
    return row


def _event(self_id: str, post_type: str, **fields: Any) -> Event:
    return {"time": int(time.time()), "self_id": number(self_id), "post_type": post_type, **fields}


def group_ban(self_id: str, group: str, user: str, duration: int, *, lift: bool) -> Event:
    """Return the notice of a mute (user 0: the whole group; seconds, -1: until lifted) or of its end."""
    return _event(
        self_id, "notice", notice_type="group_ban", sub_type="lift_ban" if lift else "ban", operator_id=10000,
        group_id=number(group), user_id=number(user), duration=duration,
    )  # fmt: skip


def bot_offline(self_id: str, words: str) -> Event:
    """Return the notice of a kicked-off account."""
    return _event(
        self_id, "notice", notice_type="bot_offline", user_id=number(self_id),
        tag="BotOfflineEvent", message=words,
    )  # fmt: skip


def recall(self_id: str, sent: Sent) -> Event:
    """Return the notice of an own message taken back."""
    kind, _, peer = sent.target.partition(":")
    ids = {"group_id": number(peer), "operator_id": number(self_id)} if kind == "group" else {}
    return _event(
        self_id, "notice", notice_type="group_recall" if kind == "group" else "friend_recall",
        user_id=number(self_id), message_id=sent.message_id, **ids,
    )  # fmt: skip


def lifecycle(self_id: str) -> Event:
    """Return the first event of each WebSocket connection."""
    return _event(self_id, "meta_event", meta_event_type="lifecycle", sub_type="connect")


def heartbeat(self_id: str, interval_ms: int, *, online: bool) -> Event:
    """Return the event a WebSocket carries every `interval_ms`."""
    status = {"online": online, "good": True}
    return _event(self_id, "meta_event", meta_event_type="heartbeat", status=status, interval=interval_ms)


class Publisher:
    """Posts events to one URL, signed, and sends them to every WebSocket that listens: no retry, no order."""

    def __init__(self, self_id: str, url: str, secret: str) -> None:
        """Remember where to; nothing is opened before `open`."""
        self.listeners: set[Listener] = set()
        self._self_id = self_id
        self._session: aiohttp.ClientSession | None = None
        self.report_to(url, secret)

    def report_to(self, url: str, secret: str) -> None:
        """Post to another URL from now on; empty: nowhere."""
        self._url = url
        self._secret = secret.encode()

    def open(self) -> None:
        """Get ready to post, inside the running loop."""
        self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=30))

    async def close(self) -> None:
        """Give up connections and listeners."""
        self.listeners.clear()
        if self._session is not None:
            await self._session.close()
            self._session = None

    @property
    def is_heard(self) -> bool:
        """Whether anybody would get an event."""
        return bool(self._url or self.listeners)

    async def publish(self, event: Event) -> None:
        """Deliver one event; return when everybody had it. Who cannot be reached is left out."""
        text = dump(event)
        deliveries = [listener.send_str(text) for listener in tuple(self.listeners)]
        await asyncio.gather(self._post(text.encode()), *deliveries, return_exceptions=True)

    async def _post(self, body: bytes) -> None:
        if self._session is None or not self._url:
            return
        headers = {"Content-Type": "application/json", "x-self-id": self._self_id}
        if self._secret:
            headers["x-signature"] = f"sha1={hmac.new(self._secret, body, 'sha1').hexdigest()}"
        async with self._session.post(self._url, data=body, headers=headers) as answer:
            await answer.read()
