"""The public record of a job."""

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

State = Literal[
    "queued", "waiting", "sending", "unknown",
    "delivered", "rejected", "dead", "unconfirmed", "expired", "cancelled",
]  # fmt: skip
UNDELIVERED = frozenset({"rejected", "dead", "unconfirmed", "expired", "cancelled"})
FINAL_STATES = UNDELIVERED | {"delivered"}


class AttemptReceipt(BaseModel):
    """One numbered try of one part; written down before its request left, completed after."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    n: int = Field(description="from 1")
    part: int = Field(description="which call of the job, from 0")
    began_at: datetime
    took_ms: int | None = None
    http_status: int | None = None
    retcode: int | None = None
    result: int | None = None
    verdict: str | None = Field(None, description="what the answer proves: delivered, retry, unknown or rejected")
    rule: str | None = Field(None, description="by which rule")
    text: str | None = Field(None, description="NapCat's words, cleaned and cut")


class Parts(BaseModel):
    """How many NapCat calls the job is, and how many of them were delivered."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    total: int
    delivered: int


class Receipt(BaseModel):
    """What became of a job; an absent field means not known. Times are RFC 3339 UTC."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str
    key: str | None = Field(None, description="its idempotency key")
    account: str
    target: str = Field(description="`group:<id>` or `private:<id>`")
    state: State = Field(description="`waiting` is a queued job that may not go yet; the last six are final")
    reason: str | None = Field(None, description="why it waits, or was cancelled")
    code: str | None = Field(None, description="the rule by which it ended, or why it cannot succeed")
    eta: datetime | None = Field(None, description="when it may go, where that is known")
    created_at: datetime
    updated_at: datetime
    ended_at: datetime | None = None
    message_ids: list[int] = Field([], description="OneBot's, one for each part that was delivered")
    parts: Parts
    attempts: list[AttemptReceipt] | None = Field(None, description="left out in lists")
    evidence: Literal["response", "event", "history"] | None = Field(None, description="what settled it")
    corrected: bool | None = Field(None, description="true: evidence came after it had ended unconfirmed")
    recalled_at: datetime | None = Field(None, description="when the message was taken back")
    replay_of: str | None = Field(None, description="the job that this one sends again")
    metadata: dict[str, Any] | None = Field(None, description="as it was submitted")
