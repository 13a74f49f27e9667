"""What NapCat reports of its own accord, as frozen models: OneBot 11's events as NapCat 4.18 spells them.

Each model takes one kind of event and nothing else, so that words inside somebody's message are never taken for one.
"""

import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, FailFast, Field

from gateway.convert import parse_cq
from gateway.model.spelling import LARGEST_INTEGER, QQ, MessageId
from gateway.model.target import Target


def _segments(value: Any) -> Any:
    """Read a message that is reported as a CQ string (messagePostFormat `string`) as the array it stands for."""
    try:
        return parse_cq(value) if isinstance(value, str) else value
    except ValueError:
        return [{"type": "text", "data": {"text": value}}]


Segments = Annotated[list[dict[str, Any]], FailFast(), BeforeValidator(_segments)]


def _known(number: str | None) -> str | None:
    """Return a QQ number; None for what stands for nobody, as in the events of an account that is not logged in."""
    return number if number is not None and re.fullmatch(r"[1-9][0-9]{0,19}", number) else None


Time = Annotated[int, Field(ge=0, le=LARGEST_INTEGER)]


class Report(BaseModel):
    """What every event says: when it happened (epoch seconds) and on which QQ number."""

    model_config = ConfigDict(frozen=True, extra="ignore", coerce_numbers_to_str=True)

    self_id: Annotated[str | None, AfterValidator(_known)] = None


class SentMessage(Report):
    """A message this account has sent (NapCat 4.18 with `reportSelfMessage`), up to half an hour late."""

    post_type: Literal["message_sent"]
    message_type: str
    message_id: Annotated[int, Field(ge=-LARGEST_INTEGER, le=LARGEST_INTEGER)]
    time: Time
    message: Segments
    group_id: str | None = None
    target_id: str | None = None

    @property
    def target(self) -> Target | None:
        """The lane this message went through, or None when the event does not say."""
        if self.message_type == "group" and self.group_id is not None:
            return Target("group", self.group_id)
        return Target("private", self.target_id) if self.target_id is not None else None


class Notice(Report):
    """What happened to the account or in a chat; OneBot 11 gives every notice a time."""

    post_type: Literal["notice"]
    time: Time


class GroupBan(Notice):
    """A mute or its end (OneBot 11): of one person for `duration` seconds, or of everybody (user 0, -1: no end)."""

    notice_type: Literal["group_ban"]
    sub_type: Literal["ban", "lift_ban"]
    self_id: QQ
    group_id: QQ
    user_id: str
    duration: int = 0


class Kicked(Notice):
    """The account was removed from a group (OneBot 11, `group_decrease`)."""

    notice_type: Literal["group_decrease"]
    sub_type: Literal["kick_me"]
    group_id: QQ


class GroupRecall(Notice):
    """A message of a group was taken back, by its author or by an admin."""

    notice_type: Literal["group_recall"]
    group_id: QQ
    message_id: MessageId


class FriendRecall(Notice):
    """A message of a private chat was taken back; of our own ones NapCat does not say whose chat it was."""

    notice_type: Literal["friend_recall"]
    user_id: QQ
    message_id: MessageId


class BotOffline(Notice):
    """QQ has logged the account out (NapCat 4.18, index.ts)."""

    notice_type: Literal["bot_offline"]


class Lifecycle(Report):
    """NapCat is there: the first event of a connection."""

    post_type: Literal["meta_event"]
    meta_event_type: Literal["lifecycle"]
    sub_type: Literal["connect", "enable"]


class _Status(BaseModel):
    online: bool | None = None


class Heartbeat(Report):
    """The regular sign of life, which says whether the account is online."""

    post_type: Literal["meta_event"]
    meta_event_type: Literal["heartbeat"]
    status: _Status


class HistoryRow(Report):
    """One message of a chat as `get_group_msg_history` lists it; `real_seq` orders those of one second."""

    self_id: QQ
    user_id: QQ
    time: Time
    message_id: Annotated[int, Field(ge=-LARGEST_INTEGER, le=LARGEST_INTEGER)]
    message: Segments
    real_seq: str | None = None

    @property
    def place(self) -> int:
        """Its place among those of the same second, as QQ numbers them."""
        return int(self.real_seq) if self.real_seq and re.fullmatch(r"[0-9]{1,18}", self.real_seq) else 0

    @property
    def own(self) -> bool:
        """Whether this account sent it."""
        return self.user_id == self.self_id
