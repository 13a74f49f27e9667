"""What differs between the settings that count and those that are wished for, and what of that can count at once."""

from collections.abc import Iterator
from typing import NamedTuple

from pydantic import BaseModel, ValidationError

from gateway.model.answers import AccountsReloaded
from gateway.model.errors import SettingsInvalid
from gateway.settings.settings import Settings

RESTART = frozenset({"redis", "http", "log.format"})
"""What only a restart changes: where everything is kept, the server of our own, and how its log is spelled."""


class Changes(NamedTuple):
    """What follows from settings that were read again.

    settings       what counts from now on
    applied        what of it is new: `limits.group`, or the whole name of a list, such as `hooks`
    needs_restart  what stays as it was, though it is wished otherwise
    accounts       which of them come, go and change
    """

    settings: Settings
    applied: list[str]
    needs_restart: list[str]
    accounts: AccountsReloaded


def changes(running: Settings, wished: Settings) -> Changes:
    """Return what becomes of WISHED where RUNNING counts.

    Raises SettingsInvalid when what could count at once does not go together with what needs a restart.
    """
    different = list(_different(running, wished))
    waits = [name for name in different if name in RESTART or name.partition(".")[0] in RESTART]
    settings = _with_what_stays(running, wished)
    before = {account.name: account for account in running.accounts}
    after = {account.name: account for account in settings.accounts}
    return Changes(
        settings,
        [name for name in different if name not in waits],
        waits,
        AccountsReloaded(
            added=[name for name in after if name not in before],
            removed=[name for name in before if name not in after],
            changed=[name for name in after if name in before and after[name] != before[name]],
        ),
    )


def _different(running: Settings, wished: Settings) -> Iterator[str]:
    for name, old in running:
        new = getattr(wished, name)
        if old == new:
            continue
        if not isinstance(old, BaseModel) or type(new) is not type(old):
            yield name
            continue
        for inner, field in type(old).model_fields.items():
            if getattr(old, inner) != getattr(new, inner):
                yield f"{name}.{field.alias or inner}"


def _with_what_stays(running: Settings, wished: Settings) -> Settings:
    kept = {
        "redis": running.redis,
        "http": running.http,
        "log": wished.log.model_copy(update={"format": running.log.format}),
    }
    try:
        return Settings.model_validate(dict(wished) | kept)
    except ValidationError as error:
        words = [fault["msg"].removeprefix("Value error, ") for fault in error.errors(include_input=False)]
        raise SettingsInvalid("\n".join(f"{line}; http.* counts as it was at the start" for line in words)) from None
