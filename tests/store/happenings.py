"""What may happen to an account in the state machine: jobs that are wished for, answers, and ticks."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from hypothesis import strategies as st

from gateway.model.rate import Rate
from gateway.model.verdict import Verdict
from gateway.store.values import Limits, TickPolicy
from tests.store.model.values import CALL, REQUESTER_PERIOD

DAY = 86_400_000
POLICY = TickPolicy(
    limits=Limits((), (), (), requester=[Rate(1, REQUESTER_PERIOD)]),
    most_in_flight=10,
    lease=4_000,
    settle_for=10_000,
    keep=600_000,
    stream=10_000,
    on_unknown="hold",
    retries=2,
)
ANSWERS: dict[str, dict[str, Any]] = {
    "delivered": {"settlement": "delivered", "verdict": Verdict.DELIVERED, "http_status": 200},
    "busy": {"settlement": "retry", "verdict": Verdict.RETRY, "rule": "busy", "http_status": 200},
    "busy for a while": {"settlement": "retry", "verdict": Verdict.RETRY, "rule": "busy", "wait_ms": 5_000},
    "muted": {
        "settlement": "retry", "verdict": Verdict.RETRY, "rule": "muted", "http_status": 200,
        "effect": "park", "hold_ms": 60_000, "spends": False,
    },
    "offline": {
        "settlement": "retry", "verdict": Verdict.RETRY, "rule": "offline",
        "effect": "pause", "hold_ms": 60_000, "spends": False,
    },
    "unknown": {"settlement": "unknown", "verdict": Verdict.UNKNOWN, "rule": "reset"},
    "rejected": {"settlement": "rejected", "verdict": Verdict.REJECTED, "rule": "bad", "http_status": 200},
    "dead": {"settlement": "dead", "verdict": Verdict.RETRY, "rule": "busy", "http_status": 200},
    "unstarted": {"settlement": "unstarted"},
}  # fmt: skip


@dataclass(frozen=True)
class Wish:
    """A job as its producer wishes it."""

    target: str
    text: str = "hello"
    priority: str = "normal"
    parts: int = 1
    media: tuple[str, ...] = ()
    requester: str | None = None
    collapse: str | None = None
    on_unknown: str | None = None
    delay: int | None = None
    ttl: int | None = None


@dataclass(frozen=True)
class Turn:
    """A tick of one replica, some milliseconds after what happened before it.

    answers  what came of calls in flight: how many claims ago the call was claimed, and one of ANSWERS
    probed   what asking NapCat brings at once, should this tick want to know: why the account does not work ("": it
             does); None: not now
    listed   what the history lists, should this tick want to know: some of LISTED, and whether that is trusted; None:
             not now
    """

    after: int = 0
    replica: str = "r1"
    answers: Sequence[tuple[int, str]] = ()
    most_claims: int = 5
    most_in_flight: int = POLICY.most_in_flight
    lease: int = POLICY.lease
    settle_for: int = POLICY.settle_for
    probed: str | None = ""
    listed: tuple[Sequence[str], bool] | None = None

    @property
    def policy(self) -> TickPolicy:
        return replace(POLICY, most_in_flight=self.most_in_flight, lease=self.lease, settle_for=self.settle_for)


LISTED = ("it", "it", "barely in time", "too old", "known", "taken", "other words")
targets = st.sampled_from(["group:1", "group:1", "group:1", "group:2", "private:1"])
recent = st.integers(0, 5)  # 0 is the last one, 1 the one before it, …
answers = st.sampled_from([*ANSWERS, "delivered", "busy for a while"])
wishes = st.builds(
    Wish,
    target=targets,
    text=st.sampled_from(["hello", "hello", "goodbye"]),
    priority=st.sampled_from(["normal", "high", "low"]),
    parts=st.sampled_from([1, 2]),
    media=st.sampled_from([(), (), (), ("cat",), ("dog",), ("cat", "dog")]),
    requester=st.sampled_from([None, None, None, "7", "8"]),
    collapse=st.sampled_from([None, "news"]),
    on_unknown=st.sampled_from([None, "resend"]),
    delay=st.sampled_from([None, None, None, 5_000]),
    ttl=st.sampled_from([None, None, None, 0, 8_000]),
)
findings = st.sampled_from(["", "", "", "offline", "gone", None])
lists = st.tuples(st.lists(st.sampled_from(LISTED), max_size=3), st.sampled_from([False, False, False, True]))
turns = st.builds(
    Turn,
    after=st.sampled_from([0, 0, 0, 1, 1_000, 5_000, 10_000, 60_000]),
    replica=st.sampled_from(["r1", "r2"]),
    answers=st.lists(st.tuples(recent, answers), max_size=3),
    most_claims=st.sampled_from([5, 5, 1, 0]),
    most_in_flight=st.sampled_from([POLICY.most_in_flight, POLICY.most_in_flight, 2]),
    lease=st.sampled_from([POLICY.lease, POLICY.lease, -CALL]),  # the latter has lapsed at the next tick
    settle_for=st.sampled_from([POLICY.settle_for, 0]),
    probed=findings,
    listed=st.one_of(st.none(), lists),
)
perhaps = st.one_of(st.none(), turns, turns)
