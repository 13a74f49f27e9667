"""An attempt from claim to outcome: what a replica may send, and what came of it."""

from typing import Literal, NamedTuple

from gateway.model.part import Part
from gateway.model.target import Target
from gateway.model.verdict import Effect, Verdict, Widespread


class Claim(NamedTuple):
    """A lane's head, leased to this replica for one attempt of one part.

    token     fencing token of the lease: rises with every claim of the account
    n         number of the attempt within its job, from 1
    part_no   index of the part, from 0
    retries   retries already spent on this part
    start_by  local monotonic seconds after which the request must not start any more
    waited_ms  with a job's first claim: from its admission, or from when it was due, until this claim
    traceparent  the trace the job belongs to, if it says so
    pardoned_by, pardons  the rule by which the attempts of this part right before cost nothing, and how many these are
    """

    job_id: str
    target: Target
    token: int
    n: int
    part_no: int
    part: Part
    retries: int
    start_by: float
    pardoned_by: str = ""
    pardons: int = 0
    waited_ms: int | None = None
    traceparent: str | None = None


Settlement = Literal["delivered", "retry", "unknown", "rejected", "dead", "unstarted"]


class Outcome(NamedTuple):
    """What came of a claim, ready for the settling script.

    settlement  the verdict with the retry schedule applied (`dead`: retries spent; `unstarted`: nothing left, the
                attempt never began, hand the lane back untouched)
    rule        name of the rule that decided: the receipt's `code`
    wait_ms     with `retry`: the lane's head may go again after this long
    spends      whether this attempt counts as one of the retries
    effect      what happens to the target or the account for `hold_ms`, because of `rule`
    after       how many such answers in a row bring the effect about
    widespread  what happens to the account when many targets meet the rule
    unmatched   a fingerprint of the answer's words, when no rule knew them
    """

    claim: Claim
    settlement: Settlement
    verdict: Verdict | None = None
    rule: str = ""
    wait_ms: int = 0
    spends: bool = True
    effect: Effect | None = None
    hold_ms: int = 0
    after: int = 1
    widespread: Widespread | None = None
    message_id: int | None = None
    http_status: int | None = None
    retcode: int | None = None
    result: int | None = None
    text: str = ""
    took_ms: int = 0
    unmatched: str = ""
