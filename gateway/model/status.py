"""How the gateway, its accounts and its targets are: the shape of what is answered, as clients may rely on it."""

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from gateway.model.answers import Document, Holdable, JobName, TargetName


class HoldTold(Document):
    """Why something waits on purpose."""

    reason: str
    since: datetime
    until: datetime


class LaneHold(HoldTold):
    """Why a target waits on purpose, and whether a person said so, who then has to release it."""

    operator: bool


class SlowedTold(HoldTold):
    """By which factor rates are stretched for a while, and why."""

    factor: int = Field(ge=1)


class NamedHold(LaneHold):
    """A hold of an account, with what it holds."""

    target: Holdable


class NamedSlowed(SlowedTold):
    """What of an account is slowed."""

    target: Holdable


class RateTold(Document):
    """How full a rate is."""

    scope: Holdable
    rate: str = Field(examples=["20/1m"])
    used: int = Field(ge=0, description="sends that count in it now")
    opens_at: datetime | None = Field(None, description="from when on one more fits")
    observed: bool | None = Field(None, description="true: it delays nothing and is only counted")


class TargetTold(Document):
    """What one target holds right now."""

    account: str
    target: TargetName
    queued: int = Field(ge=0, description="in its lane; scheduled jobs join it when they are due")
    in_flight: bool
    next_at: datetime | None = Field(None, description="when its lane may go next")
    hold: LaneHold | None = None
    slowed: SlowedTold | None = None
    rates: list[RateTold] = Field(description="all of them must allow a send")


class UnmatchedTold(Document):
    """Answers of NapCat that no rule knows, by their wording."""

    fingerprint: str
    times: int
    since: datetime
    last_at: datetime
    retcode: int | None
    last_job: JobName


class CallbacksTold(Document):
    """Receipts that are still to be posted to callback URLs."""

    waiting: int
    oldest_age_ms: int | None = None


class SentTold(Document):
    """Attempts by the last minutes; of the minute that is only partly in them, its share."""

    one: int = Field(alias="1m", ge=0)
    five: int = Field(alias="5m", ge=0)
    sixty: int = Field(alias="60m", ge=0)


class VerdictsTold(Document):
    """Attempts by what their answer proved."""

    delivered: int = Field(ge=0)
    retry: int = Field(ge=0, description="surely not sent")
    unknown: int = Field(ge=0, description="nobody knows")
    rejected: int = Field(ge=0)


class AccountNumbersTold(Document):
    """What one account holds right now."""

    self_id: str | None = Field(description="the QQ number that was seen there")
    breaker: Literal["closed", "open", "half_open"] = Field(description="closed: nothing is known against its NapCat")
    queued: int = Field(ge=0)
    lanes: int = Field(ge=0, description="targets that have queued jobs")
    in_flight: int = Field(ge=0)
    scheduled: int = Field(ge=0)
    parked: int = Field(ge=0, description="targets on hold; of very many an estimate")
    overdue_ms: int = Field(ge=0, description="how long the longest-waiting lane is past its turn")
    oldest_waiting_ms: int | None = Field(
        None, ge=0, description="how long the first job waits, of the fullest and the held lanes and those next in turn"
    )
    sent: SentTold = Field(description="calls that NapCat answered, or should have, in the last minutes")
    verdicts: VerdictsTold = Field(description="what these answers proved in the last 60 minutes")
    unknown_share: float | None = Field(ge=0, le=1, description="of the answers, those that proved nothing")
    ended: dict[str, int] = Field(description="jobs by final state, since its first job")
    observed: dict[str, int] = Field(description="by scope: sends that an observed rate would have delayed")
    receipts: int = Field(ge=0, description="entries of its receipts stream")
    rates: list[RateTold] = Field(description="how full the rates of the whole account are")
    holds: list[NamedHold] = Field(description="the account's own first, then of its targets; 64 at most")
    slowed: list[NamedSlowed]
    unmatched: list[UnmatchedTold]
    callbacks: CallbacksTold


class AccountTold(AccountNumbersTold):
    """One account and its numbers."""

    name: str


class Accounts(Document):
    """Every account, in the order of the settings."""

    items: list[AccountTold]


class EventsHeard(BaseModel):
    """How NapCat's events come in, and how many were taken or, by reason, refused."""

    model_config = ConfigDict(frozen=True)
    __pydantic_extra__: dict[str, int]

    listening: Literal["off", "connected", "connecting", "standby"]
    since: datetime | None = None
    error: str | None = None


class AccountStatus(AccountNumbersTold):
    """One account in `/status`; what it says of NapCat and its events is what this process knows."""

    reachable: bool | None = Field(description="whether NapCat answers; null: not asked yet")
    online: bool | None = Field(description="whether QQ has the account logged in, as NapCat says; null: not known")
    checked_at: datetime | None = None
    events: EventsHeard


class Reason(Document):
    """Something that is not well, and what to do about it."""

    code: str
    account: str | None = None
    source: str | None = None
    detail: str
    advice: str


class SourceStatus(Document):
    """A stream or list that jobs are read from."""

    kind: Literal["stream", "list"]
    depth: int = Field(ge=0, description="entries not yet taken")
    oldest_age_ms: int | None = Field(None, ge=0, description="age of the oldest; of a list's, since it was moved")
    reader: Literal["here", "elsewhere", "none"] = Field(description="which replica reads it: this one, another, none")


class LaneWaiting(Document):
    """A target with work, and what its first job waits for."""

    account: str
    target: TargetName
    queued: int = Field(ge=0)
    state: str
    reason: str | None = None
    eta: datetime | None = None
    oldest_waiting_ms: int | None = Field(None, ge=0)


class Backlog(Document):
    """All that waits; empty while Redis is away."""

    queued: int | None = Field(None, ge=0)
    oldest_waiting_ms: int | None = Field(None, ge=0)
    targets: list[LaneWaiting] | None = Field(None, description="the fullest, the fullest first; 20 at most")


class RedisNode(Document):
    """A server that keeps something."""

    address: str | None = Field(None, description="host and port")
    version: str | None = None
    role: str | None = None
    used_memory: int | None = None
    maxmemory: int | None = None
    aof_enabled: bool | None = None
    persistence: Literal["ok", "failing", "off"] | None = None
    latency_ms: float | None = Field(None, ge=0, description="of one round trip, just now")


class RedisStatus(RedisNode):
    """What keeps everything; empty while it is away. Of the masters of a cluster it says the worst."""

    nodes: list[RedisNode] | None = Field(
        None, description="the masters of a cluster, or the one that sentinels name; absent for a single server"
    )


class ReplicaTold(Document):
    """A process that serves this gateway."""

    id: str
    host: str
    pid: int
    version: str
    began_at: datetime
    seen_at: datetime


class Status(Document):
    """The whole gateway, for monitors and operators."""

    status: Literal["ok", "degraded", "down"]
    reasons: list[Reason]
    version: str
    uptime_s: int
    at: datetime = Field(description="when this was looked at: a second ago at most")
    accounts: dict[str, AccountStatus]
    sources: dict[str, SourceStatus]
    hooks: dict[str, dict[str, int]] = Field(description="by hook: what was taken, and what was refused, by reason")
    backlog: Backlog
    redis: RedisStatus
    replicas: list[ReplicaTold] = Field(description="alive, the one that began first before the others")
    tasks: dict[str, str] = Field(description="tasks of this process: `ok`, or how each failed last")


class FlowTold(Document):
    """What happened in each of the last 60 minutes, the oldest first, the one that goes on last."""

    admitted: list[int]
    sent: list[int] = Field(description="calls that NapCat answered, or should have")
    delivered: list[int] = Field(description="jobs")
    undelivered: list[int] = Field(description="jobs that ended otherwise")


class Flow(Document):
    """The last hour by the minute, of all replicas."""

    until: datetime = Field(description="when the minute began that goes on")
    accounts: dict[str, FlowTold]


class Fine(Document):
    """All is well."""

    status: Literal["ok"]


class NotReady(Document):
    """What is not well with this process."""

    status: Literal["down"]
    reasons: list[Reason]
