"""From settings to what the ticks of one account apply."""

from gateway.settings import Account, Settings
from gateway.store.values import Limits, TickPolicy

START_WITHIN = 1_000
"""A claimed request starts within this many milliseconds or not at all."""
_LEASE_SLACK = 5_000
"""A lease outlives its call by this much: to start, to connect (3 s), and for timers that round up (1 s)."""


def tick_policy(settings: Settings, account: Account) -> TickPolicy:
    """Return the limits, waits and sizes that ACCOUNT's ticks apply."""
    limits = settings.limits
    return TickPolicy(
        limits=Limits(
            account=limits.account,
            group=limits.group,
            private=limits.user,
            requester=limits.requester,
            overrides=[(override.target, override.rates) for override in limits.overrides],
        ),
        most_in_flight=account.max_in_flight,
        lease=settings.delivery.slack + _LEASE_SLACK,
        settle_for=settings.delivery.settle_for,
        keep=settings.results.keep,
        stream=settings.results.stream,
        on_unknown=settings.delivery.on_unknown,
        retries=len(settings.delivery.retry),
    )
