"""`gateway check`: whether the gateway would start, and do what is meant."""

import time

import typer

from gateway.cli.usage import Config, Set, refuse, settings_of
from gateway.intake.hooks.hooks import compiled
from gateway.model.errors import Refused


def check(config: Config = None, set_: Set = None) -> None:
    """Check settings, rules and the hooks' templates without starting anything; one line for each fault."""
    settings = settings_of(config, set_)
    try:
        faults = [
            fault
            for hook in compiled(settings.hooks).values()
            if (fault := hook.fault(time.time(), settings)) is not None
        ]
    except Refused as refusal:
        faults = [refusal.detail]
    if faults:
        refuse("\n".join(faults))
    told = f"accounts: {', '.join(account.name for account in settings.accounts)}"
    if settings.hooks:
        told += f"; hooks: {', '.join(hook.name for hook in settings.hooks)}"
    typer.echo(f"the settings are fine; {told}")
