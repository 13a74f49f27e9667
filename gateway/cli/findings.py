"""What `gateway check` finds: in the settings, which needs nobody, and in what they lead to, which has to be asked."""

import asyncio
import os
from collections import defaultdict
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import NamedTuple

from gateway.cli.showing import shown
from gateway.cli.usage import file_of, read_settings
from gateway.forward.inspection import Inspected, inspect
from gateway.forward.rules import load_rules
from gateway.intake.hooks.hooks import tried_hooks
from gateway.model.errors import SettingsInvalid
from gateway.model.finding import Finding
from gateway.model.veil import Veil
from gateway.settings import Settings, secrets_of
from gateway.store.embedded import find_server, state_dir
from gateway.store.examination import examine

_PATIENCE_S = 10.0  # for all that Redis is asked


class Checked(NamedTuple):
    """What was found: the settings, and what those say who were asked; else None, and what is wrong with them."""

    settings: Settings | None
    findings: list[Finding]


def check_all(config: Path | None, set_: list[str] | None, *, online: bool) -> Checked:
    """Check settings, rules and templates, and, when they can be used, ONLINE who they lead to."""
    try:
        settings = read_settings(file_of(config), set_)
        tried_hooks(settings)
    except SettingsInvalid as error:
        return Checked(None, _faults(error))
    if not online:
        return Checked(settings, [])
    veil = Veil(secrets_of(settings))
    found = asyncio.run(_asked(settings))
    return Checked(settings, [one._replace(detail=shown(veil(one.detail))) for one in found])


def _faults(error: SettingsInvalid) -> list[Finding]:
    """Return each line of ERROR, which names its key first, as a finding."""
    parts = (line.partition(": ") for line in str(error).splitlines())
    return [Finding("fault", key, detail) for key, _, detail in parts]


async def _asked(settings: Settings) -> list[Finding]:
    """Ask Redis and every NapCat, all at once."""
    rules = load_rules(settings.delivery.rules)
    accounts = (
        inspect(position, account, rules, settings.delivery.slack) for position, account in enumerate(settings.accounts)
    )
    redis, inspected = await asyncio.gather(_redis(settings), asyncio.gather(*accounts))
    return [*redis, *chain.from_iterable(found for found, _ in inspected), *_twice(settings, inspected)]


async def _redis(settings: Settings) -> list[Finding]:
    if not settings.redis.url:
        return [_embedded()]
    try:
        async with asyncio.timeout(_PATIENCE_S):
            return await examine(settings)
    except TimeoutError:
        return [Finding("fault", "redis.url", "no answer in time", "see that Redis runs there and is not stuck")]
    except SettingsInvalid as error:
        return _faults(error)


def _embedded() -> Finding:
    """Return whether the embedded server could be started; starting it is for `gateway run`."""
    try:
        program, folder = find_server(), state_dir()
    except SettingsInvalid as error:
        return Finding("fault", "redis.url", f"is empty, and {error}")
    existing = next(parent for parent in (folder, *folder.absolute().parents) if parent.exists())
    if not existing.is_dir() or not os.access(existing, os.W_OK | os.X_OK):
        return Finding(
            "fault",
            "redis.url",
            f"is empty, and the embedded server cannot write to {folder}",
            "set GATEWAY_STATE_DIR or redis.url",
        )
    return Finding("fine", "redis.url", f"is empty: an embedded server ({program}) keeps its data in {folder}")


def _twice(settings: Settings, inspected: list[Inspected]) -> Iterator[Finding]:
    """Tell of two accounts that are one QQ number: each would use up the limits for itself."""
    names = defaultdict(list)
    for account, one in zip(settings.accounts, inspected, strict=True):
        names[one.number].append(account.name)
    for number, accounts in names.items():
        if number and len(accounts) > 1:
            yield Finding(
                "advice",
                "accounts",
                f"{', '.join(accounts)} are one QQ number, {number}, and each has the limits for itself",
                "keep one of them",
            )
