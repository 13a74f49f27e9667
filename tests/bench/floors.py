"""What `python -m tests.bench check` holds the gateway to, with every change.

REACHED is what was measured last with `python -m tests.bench check` on a quiet machine of two cores (the worst of three
runs); the check fails where a ratio is worse than that by more than SHARE allows: below 70 % of it, or above it by as
much. Times are told as multiples of the bare loop's in the same run, and bytes as multiples of the job's own, so that
the machine hardly matters. To set them anew, put here what it prints.
"""

SHARE = 0.7

REACHED_AT_LEAST = {
    "jobs/s ÷ bare loop": 0.30,
}
"""The more the better."""

REACHED_AT_MOST = {
    "own CPU of a job ÷ CPU of a bare post": 2.41,
    "Redis CPU of a job ÷ CPU of a bare post": 1.94,
    "Redis bytes of a queued job ÷ its own": 3.44,
    "Redis bytes of a kept record ÷ the job's own": 4.27,
}
"""The less the better."""
