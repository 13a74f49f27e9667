"""What is answered over HTTP where no receipt is: the shape of every document, as clients may rely on it."""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from gateway.model.receipt import Receipt, State

JobName = Annotated[str, Field(description="id of a job", examples=["main.Zk3vQ1yTq0Wm"])]
TargetName = Annotated[str, Field(pattern="^(group|private):[1-9][0-9]{0,19}$", examples=["group:123456"])]
Holdable = Annotated[
    str, Field(pattern="^(account|(group|private):[1-9][0-9]{0,19})$", description="a target, or `account`: all of it")
]


class Document(BaseModel):
    """A frozen answer; a field that is not described here is not in it, and an absent one says: not known."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class FaultTold(Document):
    """One thing wrong with one field."""

    loc: str = Field(description="where, such as `message.2.data.file` or `query.limit`")
    msg: str = Field(description="why, and what to do instead")
    type: str = Field(description="stable and machine-readable")


class Problem(Document):
    """Every error that is told over HTTP, as problem+json (RFC 9457)."""

    title: str = Field(description="the status in words")
    status: int = Field(ge=400, le=599)
    code: str = Field(description="which error it is: stable and machine-readable")
    detail: str = Field(description="one sentence for a person")
    errors: list[FaultTold] | None = Field(None, description="each wrong field, where it is about fields")


class Accepted(Document):
    """A job that was taken: it is durable, and ends in exactly one final state."""

    id: JobName
    state: State = Field(description="how far it is: `queued`, or with `duplicate` that of the first job")
    duplicate: bool = Field(description="true: the same key came before with the same fields; this is that job")


class RefusedItem(Document):
    """One thing of many that was refused, in its place."""

    code: str
    detail: str
    errors: list[FaultTold] | None = None


class BatchTaken(Document):
    """One result for each job of a batch, in their order."""

    items: list[Accepted | RefusedItem]


class JobPage(Document):
    """Some jobs, newest first."""

    items: list[Receipt] = Field(description="receipts without `attempts`")
    next_cursor: str | None = Field(description="`cursor` of the next page; null at the end, and only there")


class AccountsReloaded(Document):
    """The accounts that came, went, and stayed with other settings."""

    added: list[str]
    removed: list[str]
    changed: list[str]


class Reloaded(Document):
    """What became of settings that were read again."""

    detail: str = Field(description="one sentence for a person")
    applied: list[str] = Field(
        description="settings that count now, such as `limits.group` or `hooks`; none: as before"
    )
    needs_restart: list[str] = Field(
        description="settings that differ from what counts, and that only a restart changes"
    )
    accounts: AccountsReloaded
    waiting: dict[str, int] = Field(
        description="jobs of accounts that are in the settings no more: they wait in Redis for its return"
    )


class ReplayedItem(Document):
    """A job that was sent again, as a new one."""

    id: JobName = Field(description="the new job")
    replay_of: JobName = Field(description="the one that ended undelivered")


class UnreplayedItem(RefusedItem):
    """A job that was not sent again, and why."""

    replay_of: JobName


class ReplayTold(Document):
    """What a replay of many did, or with `dry_run` would do."""

    count: int = Field(ge=0, description="of `items`; with `dry_run`: of all that are meant")
    items: list[ReplayedItem | UnreplayedItem] | None = Field(None, description="oldest first, at most 1,000")
    more: bool | None = Field(None, description="true: there are more; call again")
    sample: list[Receipt] | None = Field(None, max_length=10, description="with `dry_run`: the oldest of them")


class HookJob(Document):
    """A job that a webhook became."""

    id: JobName
    target: TargetName
    duplicate: bool = Field(description="true: this delivery was taken before")


class HookTaken(Document):
    """What became of a webhook's delivery."""

    event: str | None = Field(None, description="what the product says that it is")
    jobs: list[HookJob]


class Held(Document):
    """A target or an account that was put on hold."""

    account: str
    held: Holdable
    reason: str
    until: datetime


class Released(Document):
    """A target or an account that may go on."""

    account: str
    released: Holdable
    was_held: bool


class SegmentShown(Document):
    """One segment as it is sent, too long values cut."""

    type: str
    data: dict[str, Any] = Field(description="as NapCat gets it; nodes hold segments like this one in `content`")
    cut: dict[str, int] | None = Field(
        None, description="by field that was cut: bytes of inline media, decoded, or characters of anything else"
    )


class PartShown(Document):
    """One NapCat call of a job."""

    action: str
    delivered: bool
    segments: list[SegmentShown]
    card: dict[str, Any] | None = Field(None, description="of a merged forward: source, news, summary, prompt")


class MessageShown(Document):
    """What a job says, as long as its record holds it."""

    id: JobName
    account: str
    target: TargetName
    parts: list[PartShown]


class SignedIn(Document):
    """Who looks at the dashboard, and what for."""

    open: bool = Field(description="true: no keys are configured, and everyone on this machine may do everything")
    name: str | None = Field(None, description="of the key")
    scopes: list[Literal["admin", "read", "send"]]
    targets: list[str] = Field(description="patterns of what is within reach")
    ends_at: datetime | None = Field(None, description="when the session ends")


class Envelope(Document):
    """An answer as OneBot 11 and NapCat write it."""

    status: str = Field(description="ok, failed, or async", examples=["ok"])
    retcode: int = Field(
        description="0 ok, 1 async, 200 failed, 400 the call is wrong; 401, 403, 404, 406, 413 as HTTP"
    )
    data: Any = Field(description="of a send: message_id and message_ids; async: job")
    message: str
    wording: str = Field(description="the same as `message`")
    echo: Any = Field(description="the `echo` of the call")
