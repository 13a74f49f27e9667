"""From settings to what the ticks of one account apply."""

from gateway.settings import Account, Settings
from gateway.store.values import Limits, TickPolicy

START_WITHIN = 4_000
"""The body of a claimed request leaves within this many milliseconds or not at all; connecting may take 3 s of them."""
_LEASE_SLACK = 5_000
"""A lease outlives its call by this much: to start, and for timers that round up by a second."""


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
