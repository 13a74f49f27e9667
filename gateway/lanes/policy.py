"""From settings to what the ticks of one account apply."""

from collections.abc import Sequence
from fnmatch import fnmatchcase

from gateway.model.rate import Rate
from gateway.model.target import Target
from gateway.settings import Account, Settings
from gateway.settings import Limits as LimitSettings
from gateway.store.values import Limits, TickPolicy

START_WITHIN = 4_000
"""The body of a claimed request leaves within this many milliseconds or not at all; connecting may take 3 s of them."""
_LEASE_SLACK = 5_000
"""A lease outlives its call by this much: to start, and for timers that round up by a second."""
_KIND = {"user": "private"}  # a scope's name in the lanes, where it differs


def tick_policy(settings: Settings, account: Account) -> TickPolicy:
    """Return the limits, waits and sizes that ACCOUNT's ticks apply."""
    limits = settings.limits
    return TickPolicy(
        limits=Limits(
            account=limits.account,
            group=limits.group,
            private=limits.user,
            requester=limits.requester,
            overrides=[(override.target, override.rates, override.observe) for override in limits.overrides],
            observe=[_KIND.get(scope, scope) for scope, observed in limits.observe if observed],
        ),
        most_in_flight=account.max_in_flight,
        lease=settings.delivery.slack + _LEASE_SLACK,
        settle_for=settings.delivery.settle_for,
        keep=settings.results.keep,
        stream=settings.results.stream,
        on_unknown=settings.delivery.on_unknown,
        retries=len(settings.delivery.retry),
    )


def rates_for(limits: LimitSettings, target: Target, requester: str | None) -> dict[str, Sequence[Rate]]:
    """Return the rates that a send to TARGET on behalf of REQUESTER has to fit, by scope: as the tick finds them."""
    own = limits.group if target.kind == "group" else limits.user
    override = next((line for line in limits.overrides if fnmatchcase(str(target), line.target)), None)
    scopes: dict[str, Sequence[Rate]] = {"account": limits.account, "group" if target.kind == "group" else "user": own}
    if override is not None:
        scopes = {"account": limits.account, f"override {override.target}": override.rates}
    return {**scopes, "requester": limits.requester} if requester is not None else scopes


def account_for(target: Target, settings: Settings) -> Account:
    """Return the account that serves TARGET: of the first route that matches, else the first one."""
    if not settings.routes:
        return settings.accounts[0]
    spelled = str(target)
    name = next((line.account for line in settings.routes if fnmatchcase(spelled, line.target)), None)
    return next((account for account in settings.accounts if account.name == name), settings.accounts[0])
