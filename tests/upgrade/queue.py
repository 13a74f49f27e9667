"""The jobs of the dump: how each stands in it, and the settings it was made with, which are those it is read with.

Their times lie where they are when the dump is read, perhaps years later, and nothing shifts them. So all that has to
last (records, windows, holds, the age of a job) lasts for decades, longer than a setting may say: `LONG` is put into
the code for both.
"""

from pathlib import Path
from typing import Any

DUMP = Path(__file__).parent / "landed.jsonl"
"""Written by `python -m tests.upgrade.make_dump`."""

LONG = [("model/duration.py", "_LONGEST = 366 *", "_LONGEST = 20_000 *")]
"""What is changed in a version for it to know longer times: (file, what stands there, what is to stand there)."""
DECADES = "18000d"

RECEIVER = ("127.77.1.9", 28417)
"""Where a callback is due: nobody else is there."""
SECRET = "whsec_" + "bmFwY2F0bmFwY2F0bmFwY2F0bmFwY2F0"


def settings(settle_for: str = "30s") -> dict[str, Any]:
    """Return the sections of the settings; SETTLE_FOR says how long evidence is looked for."""
    return {
        "limits": {
            "account": ["10000/1s"],
            "group": ["10000/1s"],
            "user": ["10000/1s"],
            "requester": ["1/4s"],
            "overrides": [{"target": "group:101", "rates": [f"2/{DECADES}"]}],
        },
        "delivery": {
            "timeout": "1s",
            "slack": "500ms",
            "settle_for": settle_for,
            "retry": ["20s"],
            "max_age": DECADES,
            "rules": [
                {
                    "name": "too_fast", "retcode": 200, "result": 241, "verdict": "retry", "waits": ["20s"],
                    "effect": "slow_target", "hold": DECADES,
                },
                {"name": "later", "retcode": 200, "result": 299, "verdict": "retry", "waits": ["20s"]},
                {"name": "spent", "retcode": 200, "result": 1, "verdict": "retry", "waits": ["50ms"]},
            ],
        },
        "results": {"keep": DECADES, "stream": 10_000},
        "callbacks": {"secrets": [SECRET], "allow_private": True, "timeout": "500ms", "retry": ["20s", "20s"]},
    }  # fmt: skip


def job(key: str, group: int, **fields: Any) -> dict[str, Any]:
    """Return a job of which the text is its key."""
    return {"group_id": str(group), "message": key, "key": key, **fields}


DELIVERED = [job("delivered-1", 204, metadata={"run": 1}), job("delivered-2", 204)]
DEAD = job("dead", 201)
REJECTED = job("rejected", 202)
UNCONFIRMED = job("unconfirmed", 203)
CANCELLED = job("cancelled", 100)
LIMITED = [job(f"limited-{number}", 101) for number in range(5)]
"""Two are sent, and no other for decades."""
CALLED_BACK = job("called-back", 208, callback_url=f"http://{RECEIVER[0]}:{RECEIVER[1]}/told")
PARKED = [
    job("low-1", 100, priority="low"),
    job("normal-1", 100),
    job("collapsed", 100, collapse_key="c"),
    job("normal-2", 100, collapse_key="c"),
    job("high-1", 100, priority="high"),
    job("short", 100, ttl="5s"),
    job("normal-3", 100, metadata={"run": 3}),
    job("high-2", 100, priority="high"),
]
PARKED_GO = ["high-1", "high-2", "normal-1", "normal-2", "normal-3", "low-1"]
"""Their order once the target is released; `collapsed` was replaced, `short` is too late."""
PAUSED = [job(f"paused-{number}", 300, account="second") for number in range(3)]
NEVER = job("far", 102, not_before="2070-01-01T00:00:00Z")
SOON = job("soon", 103, delay="45s")
RETRIED = job("retried", 105)
SETTLING = job("settling", 106)
PARTS = {
    "group_id": "107",
    "message": [{"type": "text", "data": {"text": "part-1"}}, {"type": "contact", "data": {"type": "qq", "id": "7"}}],
    "key": "parts",
}
SLOWED = job("slowed", 109)
MUTED = job("muted", 110)
IN_FLIGHT = job("in-flight", 104)
BEHIND = job("behind", 104)
RESENT = job("resent", 111, on_unknown="resend")
ASIDE = [job(f"aside-{number}", 120 + number // 2, requester="77") for number in range(3)]
BY_STREAM = [job(f"stream-{number}", 130) for number in range(3)]
BY_LIST = [job(f"list-{number}", 131) for number in range(4)]
"""Of these the first two lie in the stream that the list is moved to."""
