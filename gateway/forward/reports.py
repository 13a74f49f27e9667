"""What NapCat reports of its own accord, as frozen models: OneBot 11's events as NapCat 4.18 spells them.

Each model takes one kind of event and nothing else, so that words inside somebody's message are never taken for one.
"""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict

from gateway.convert import parse_cq
from gateway.model.spelling import QQ, MessageId
from gateway.model.target import Target


def _segments(value: Any) -> Any:
    """Read a message that is reported as a CQ string (messagePostFormat `string`) as the array it stands for."""
    try:
        return parse_cq(value) if isinstance(value, str) else value
    except ValueError:
        return [{"type": "text", "data": {"text": value}}]


Segments = Annotated[list[dict[str, Any]], BeforeValidator(_segments)]


class Report(BaseModel):
    """What every event says: when it happened (epoch seconds) and on which QQ number."""

    model_config = ConfigDict(frozen=True, extra="ignore", coerce_numbers_to_str=True)

    self_id: QQ | None = None


class SentMessage(Report):
    """A message this account has sent (NapCat 4.18 with `reportSelfMessage`), up to half an hour late."""

    post_type: Literal["message_sent"]
    message_type: str
    message_id: int
    time: int
    message: Segments
    group_id: str | None = None
    target_id: str | None = None

    @property
    def target(self) -> Target | None:
        """The lane this message went through, or None when the event does not say."""
        if self.message_type == "group" and self.group_id is not None:
            return Target("group", self.group_id)
        return Target("private", self.target_id) if self.target_id is not None else None


class _Notice(Report):
    post_type: Literal["notice"]
    time: int | None = None


class GroupBan(_Notice):
    """A mute or its end (OneBot 11): of one person for `duration` seconds, or of everybody (user 0, -1: no end)."""

    notice_type: Literal["group_ban"]
    sub_type: Literal["ban", "lift_ban"]
    self_id: QQ
    group_id: QQ
    user_id: str
    duration: int = 0


class Kicked(_Notice):
    """The account was removed from a group (OneBot 11, `group_decrease`)."""

    notice_type: Literal["group_decrease"]
    sub_type: Literal["kick_me"]
    group_id: QQ


class GroupRecall(_Notice):
    """A message of a group was taken back, by its author or by an admin."""

    notice_type: Literal["group_recall"]
    group_id: QQ
    message_id: MessageId


class FriendRecall(_Notice):
    """A message of a private chat was taken back; of our own ones NapCat does not say whose chat it was."""

    notice_type: Literal["friend_recall"]
    user_id: QQ
    message_id: MessageId


class BotOffline(_Notice):
    """QQ has logged the account out (NapCat 4.18, index.ts)."""

    notice_type: Literal["bot_offline"]


class Lifecycle(Report):
    """NapCat is there: the first event of a connection."""

    post_type: Literal["meta_event"]
    meta_event_type: Literal["lifecycle"]
    sub_type: Literal["connect", "enable"]


class _Status(BaseModel):
    online: bool


class Heartbeat(Report):
    """The regular sign of life, which says whether the account is online."""

    post_type: Literal["meta_event"]
    meta_event_type: Literal["heartbeat"]
    status: _Status


class HistoryRow(Report):
    """One message of a chat as `get_group_msg_history` lists it; `real_seq` orders those of one second."""

    self_id: QQ
    user_id: QQ
    time: int
    message_id: MessageId
    message: Segments
    real_seq: str | None = None

    @property
    def place(self) -> int:
        """Its place among those of the same second, as QQ numbers them."""
        return int(self.real_seq) if self.real_seq and self.real_seq.isdecimal() else 0

    @property
    def own(self) -> bool:
        """Whether this account sent it."""
        return self.user_id == self.self_id
