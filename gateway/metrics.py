"""What this process counts and times, for Prometheus: every name, in one place.

Labels are bounded: accounts, states, rules, scripts; never a target, a job or a text.
"""

from collections.abc import Iterable
from functools import partial

from prometheus_client import CollectorRegistry, Counter, Histogram, Info, ProcessCollector

from gateway import __version__
from gateway.model.receipt import FINAL_STATES

_SHORT = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 1.0, 5.0)  # seconds
_LONG = (0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 1_800.0, 7_200.0, 86_400.0)  # seconds


class Metrics:
    """The instruments of one process, in a registry of its own."""

    def __init__(self) -> None:
        """Start with nothing counted."""
        self.registry = CollectorRegistry()
        counter, histogram = partial(Counter, registry=self.registry), partial(Histogram, registry=self.registry)
        self.admissions = counter(
            "gateway_admissions",
            "What became of jobs at the door: admitted, duplicate, conflict, seen, full.",
            ["account", "outcome"],
        )
        self.attempts = counter(
            "gateway_attempts",
            "Calls to NapCat, by what their answer proved and the rule that read it.",
            ["account", "verdict", "rule"],
        )
        self.send_seconds = histogram(
            "gateway_send_seconds", "How long NapCat took to answer a call.", ["account"], buckets=_LONG
        )
        self.ended = counter(
            "gateway_jobs_ended",
            "Jobs whose end this process wrote down, by state; one that is corrected counts again, as delivered.",
            ["account", "state"],
        )
        self.end_to_end_seconds = histogram(
            "gateway_end_to_end_seconds",
            "From a job's admission to its end, by state; what was scheduled waited on purpose.",
            ["account", "state"],
            buckets=_LONG,
        )
        self.queue_seconds = histogram(
            "gateway_queue_seconds",
            "From a job's admission, or the moment it was due, to its first claim.",
            ["account"],
            buckets=_LONG,
        )
        self.settle_seconds = histogram(
            "gateway_settle_seconds",
            "How long nobody knew whether a message was sent, of jobs that ended; a late correction counts again.",
            ["account"],
            buckets=_LONG,
        )
        self.loop_lag_seconds = histogram(
            "gateway_loop_lag_seconds",
            "How late this process gets to what is due: something held up its loop for so long.",
            buckets=_SHORT,
        )
        self.redis_seconds = histogram(
            "gateway_redis_seconds", "Round trips to Redis, by script.", ["script"], buckets=_SHORT
        )
        self.unreplicated = counter(
            "gateway_unreplicated",
            "Scripts whose writes too few replicas had in time (redis.durability: replicated).",
            ["script"],
        )
        self.master_changes = counter(
            "gateway_master_changes",
            "Times that the lanes met another Redis master than before (redis.durability: replicated).",
            ["account"],
        )
        self.callbacks = counter(
            "gateway_callbacks",
            "Posts of receipts, by what came of them: posted, again (put off), given_up, back (to anybody).",
            ["account", "outcome"],
        )
        ProcessCollector(registry=self.registry)
        build = Info("gateway_build", "The version that runs.", registry=self.registry)
        build.info({"version": __version__})

    def expect(self, accounts: Iterable[str]) -> None:
        """Begin at 0 what alerts watch: an increase is seen only of a series that was there before."""
        for script in ("admit", "tick"):
            self.unreplicated.labels(script)
        for account in accounts:
            self.master_changes.labels(account)
            for state in FINAL_STATES:
                self.ended.labels(account, state)
            for outcome in ("posted", "again", "given_up", "back"):
                self.callbacks.labels(account, outcome)
