"""All settings of one gateway, and how they fit together."""

from typing import Annotated, Self

from pydantic import Field, model_validator

from gateway.settings.account import Account
from gateway.settings.hooks import Hook
from gateway.settings.keys import Auth
from gateway.settings.kinds import Section
from gateway.settings.sections import (
    Callbacks,
    Delivery,
    Http,
    Intake,
    Limits,
    Log,
    Media,
    Onebot,
    Redis,
    Results,
    Route,
)

VERSION = 1
"""Of how settings are written: counted up when a setting gets another meaning, or another name.

Gateways up to commit d8da54e know of no version: a file that they are to read, too, does not give one.
"""

OWN_KEYS = frozenset({"accounts", "bell", "format", "invalid", "replicas", "secret"})
"""The keys behind the prefix that are the gateway's own, beside those with a hash tag; see `gateway.store.keys`."""

LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


def _private(prefix: str, source: str) -> bool:
    """Return whether SOURCE is, or may become, a key of our own."""
    beginning, _, name = source.partition(":")
    return beginning == prefix and (name.startswith("{") or name in OWN_KEYS)


class Settings(Section):
    """The whole configuration of one gateway."""

    version: int = Field(VERSION, ge=1, le=VERSION, description="the format these settings are written in")
    redis: Redis = Redis()
    http: Http = Http()
    accounts: Annotated[tuple[Account, ...], Field(min_length=1)] = (
        Account(name="main", endpoint="http://127.0.0.1:3000"),
    )
    limits: Limits = Limits()
    delivery: Delivery = Delivery()
    intake: Intake = Intake()
    results: Results = Results()
    media: Media = Media()
    routes: tuple[Route, ...] = Field((), description="{target, account}: first match, else the first account")
    onebot: Onebot = Onebot()
    callbacks: Callbacks = Callbacks()
    hooks: tuple[Hook, ...] = Field(
        (), description="{name, preset, secret, targets, …}: see `gateway hooks list`, and Webhooks in the README"
    )
    auth: Auth = Auth()
    log: Log = Log()

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        names = [account.name for account in self.accounts]
        for name in sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"accounts: two accounts are named {name!r}; give each its own name")
        for route in self.routes:
            if route.account not in names:
                raise ValueError(f"routes: no account is named {route.account!r}; known: {', '.join(names)}")
        hooks = [hook.name for hook in self.hooks]
        for name in sorted({name for name in hooks if hooks.count(name) > 1}):
            raise ValueError(f"hooks: two hooks are named {name!r}; give each its own name")
        for hook in self.hooks:
            if hook.account and hook.account not in names:
                raise ValueError(f"hooks: no account is named {hook.account!r}; known: {', '.join(names)}")
        sources = [*self.intake.streams, *self.intake.lists]
        for source in sorted({source for source in sources if sources.count(source) > 1}):
            raise ValueError(f"intake: {source!r} is named twice; a source is one stream or one list")
        for source in (source for source in sources if _private(self.redis.prefix, source)):
            raise ValueError(
                f"intake: {source!r} is a key of the gateway's own; name the source otherwise, "
                f"such as {self.redis.prefix}:jobs, or change redis.prefix"
            )
        if self.http.host not in LOOPBACK and not self.auth.keys:
            raise ValueError(
                f"http.host: {self.http.host!r} is reachable from other machines and auth.keys is empty; "
                "configure a key, or bind to 127.0.0.1"
            )
        return self
