"""The public record of a job."""

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

State = Literal[
    "queued", "waiting", "sending", "unknown",
    "delivered", "rejected", "dead", "unconfirmed", "expired", "cancelled",
]  # fmt: skip
FINAL_STATES = frozenset({"delivered", "rejected", "dead", "unconfirmed", "expired", "cancelled"})


class AttemptReceipt(BaseModel):
    """One numbered try of one part; written down before its request left, completed after."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    n: int
    part: int
    began_at: datetime
    took_ms: int | None = None
    http_status: int | None = None
    retcode: int | None = None
    result: int | None = None
    verdict: str | None = None
    rule: str | None = None
    text: str | None = None


class Parts(BaseModel):
    """How many NapCat calls the job is, and how many of them were delivered."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    total: int
    delivered: int


class Receipt(BaseModel):
    """What became of a job; an absent field means not known. Times are RFC 3339 UTC."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str
    key: str | None = None
    account: str
    target: str
    state: State
    reason: str | None = None
    code: str | None = None
    eta: datetime | None = None
    created_at: datetime
    updated_at: datetime
    ended_at: datetime | None = None
    message_ids: list[int] = []
    parts: Parts
    attempts: list[AttemptReceipt] | None = None
    evidence: Literal["response", "event", "history"] | None = None
    corrected: bool | None = None
    recalled_at: datetime | None = None
    replay_of: str | None = None
    metadata: dict[str, Any] | None = None
