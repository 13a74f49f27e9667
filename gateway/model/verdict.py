"""What an answer proves: answers, rules and rulings."""

import re
from enum import StrEnum
from typing import Annotated, Any, ClassVar, Literal, NamedTuple, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from gateway.model.duration import Milliseconds


class Verdict(StrEnum):
    """What one attempt's answer proves about its message."""

    DELIVERED = "delivered"
    RETRY = "retry"  # surely not sent: safe to repeat
    UNKNOWN = "unknown"  # may have been sent: repeating could double it
    REJECTED = "rejected"  # surely not sent, and never will be


Effect = Literal["park", "pause", "slow_target", "slow_account"]
"""What an answer does beyond its own job: hold the target or the account, or halve its rates for a while."""

Implementation = Literal["napcat", "llonebot", "go-cqhttp", "lagrange", "onebot12"]
"""Programs that speak OneBot and spell their failures each in its own way."""

Failure = Literal[
    "bad_endpoint", "dns", "refused", "connect_timeout", "tls", "handshake", "pool",
    "timeout", "reset", "unparsable",
]  # fmt: skip
"""Why a call has no answer. First line: surely nothing NapCat acts on has left. Second: it may have arrived."""


class Answer(NamedTuple):
    """One finished NapCat call, parsed: an envelope, a bare HTTP answer, or a transport error.

    transport    `http` or `ws`
    error        why there is no usable answer; None when there is one
    http_status  None when no HTTP answer came; kept when a 2xx body could not be read; with `ws` that of a refused
                 upgrade (401, 403)
    status       envelope `status`: `ok`, `failed`, `async`; None without an envelope
    retcode      envelope `retcode`, as received
    text         envelope `msg`, `message` and `wording` without repeats; else the start of the body, or our
                 own words for `error`
    nodes        whether the call carried a merged forward
    message_id   envelope `data.message_id` when it is an integer
    retry_after  milliseconds the answer asked us to wait, if it did
    """

    transport: Literal["http", "ws"] = "http"
    error: Failure | None = None
    http_status: int | None = None
    status: str | None = None
    retcode: int | None = None
    text: str = ""
    nodes: bool = False
    message_id: int | None = None
    retry_after: int | None = None


def _several(value: Any) -> Any:
    return value if isinstance(value, list) else [value]


def _compiled(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        return re.compile(value, re.DOTALL)
    except (re.error, OverflowError, RecursionError) as error:
        raise ValueError(f"not a regular expression: {error}") from None


def _span(value: Any) -> Any:
    if type(value) is int:
        return value
    if isinstance(value, list | tuple) and len(value) == 2 and all(type(end) is int for end in value):
        low, high = value
        if low <= high:
            return low, high
    raise ValueError("write a number, such as 200, or a range of them in a list, such as [[500, 599]]")


Span = Annotated[int | tuple[int, int], BeforeValidator(_span)]
"""One number, or an inclusive range of them."""

Pattern = Annotated[re.Pattern[str], BeforeValidator(_compiled)]
Spans = Annotated[tuple[Span, ...], BeforeValidator(_several), Field(strict=False)]
Texts = Annotated[tuple[str, ...], BeforeValidator(_several), Field(strict=False)]
Failures = Annotated[tuple[Failure, ...], BeforeValidator(_several), Field(strict=False)]
Implementations = Annotated[tuple[Implementation, ...], BeforeValidator(_several), Field(strict=False)]


class Widespread(BaseModel):
    """When as many different `targets` meet a rule `within` so long, it is the account's matter, not theirs.

    Then `effect` applies for `hold`, because of `reason`: `pause`, or `slow_account`, and `pause` too when the account
    is slowed already.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    targets: Annotated[int, Field(ge=2, le=1000)]
    within: Milliseconds
    effect: Literal["pause", "slow_account"]
    hold: Milliseconds = 600_000
    reason: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,39}$")]


class Rule(BaseModel):
    """One row of the policy: every given condition must hold; the first matching row decides.

    Conditions: `implementation` (which program answers; holds also while that is not known), `transport`, `http` (HTTP
    status), `error` (see `Failure`), `status` (envelope status), `retcode` (1200→200 and 1400→400 are normalised
    before), `kind` (`rejected` = `EventChecker Failed`, `timeout` = `Timeout: NTEvent`), `result` (the code QQ itself
    gave, e.g. `EventRet.result`), `text` (regex searched in the answer's text), `nodes` (a merged forward),
    `message_id` (whether one came). Numbers may be one, a list, or `[low, high]` ranges inside a list. A rule without
    any condition is refused: it would decide for delivered messages too.

    Decision: `verdict`; `waits`: the delays before each retry (empty: the default schedule; when they are
    spent the job ends as `then`); `effect`: `park` the target or `pause` the account for `hold`, or halve the rates of
    one of them (`slow_target`, `slow_account`), which double again after each `hold`; `after`: the effect sets in with
    so many such answers of the account in a row; `widespread`: see there; `spends`: whether the attempt counts as a
    retry (left out: no, where something is held that the message is not to blame for and there are no `waits`);
    `pardons`: of one message so many attempts cost nothing; after that it is the message's fault, and nothing is held.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True)

    CONDITIONS: ClassVar[tuple[str, ...]] = (
        "implementation", "transport", "http", "error", "status", "retcode", "kind", "result", "text", "nodes",
        "message_id",
    )  # fmt: skip

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,39}$")] = "operator"
    implementation: Implementations | None = None
    transport: Literal["http", "ws"] | None = None
    http: Spans | None = None
    error: Failures | None = None
    status: Texts | None = None
    retcode: Spans | None = None
    kind: Literal["rejected", "timeout"] | None = None
    result: Spans | None = None
    text: Pattern | None = None
    nodes: bool | None = None
    message_id: bool | None = None

    verdict: Verdict
    waits: Annotated[tuple[Milliseconds, ...], Field(strict=False)] | None = None
    then: Literal["dead", "rejected"] = "dead"
    effect: Effect | None = None
    hold: Annotated[Milliseconds, Field(ge=100)] = 600_000
    after: Annotated[int, Field(ge=1, le=100)] = 1
    widespread: Widespread | None = None
    spends: bool = True
    pardons: Annotated[int, Field(ge=1)] | None = None
    advice: str = ""

    @model_validator(mode="before")
    @classmethod
    def _innocent(cls, given: Any) -> Any:
        """A message that waits for a hold to end loses no attempt, unless the rule says otherwise."""
        if not isinstance(given, dict) or "spends" in given:
            return given
        held = given.get("verdict") == "retry" and given.get("effect") in {"park", "pause"} and not given.get("waits")
        return {**given, "spends": not held or given.get("after", 1) != 1}

    @model_validator(mode="after")
    def _conditional(self) -> Self:
        if all(getattr(self, condition) is None for condition in self.CONDITIONS):
            raise ValueError(f"a rule needs at least one condition: {', '.join(self.CONDITIONS)}")
        return self


class Ruling(NamedTuple):
    """The rule that matched an answer and what was read on the way.

    result  the code QQ itself gave, when the answer told one
    text    the answer's words, cleaned and cut for a receipt
    """

    rule: Rule
    verdict: Verdict
    result: int | None
    text: str
