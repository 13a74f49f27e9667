"""Every setting: frozen, sectioned, spelled with units, refusing what it does not know."""

from gateway.settings.account import Account
from gateway.settings.changes import changes
from gateway.settings.hooks import Hook
from gateway.settings.keys import Auth, Key
from gateway.settings.loading import load_settings
from gateway.settings.secret_values import secrets_of
from gateway.settings.sections import (
    Callbacks,
    Delivery,
    Http,
    Intake,
    Limits,
    Log,
    Media,
    Onebot,
    Override,
    Redis,
    Results,
    Route,
)
from gateway.settings.settings import LOOPBACK, Settings

__all__ = [
    "LOOPBACK",
    "Account",
    "Auth",
    "Callbacks",
    "Delivery",
    "Hook",
    "Http",
    "Intake",
    "Key",
    "Limits",
    "Log",
    "Media",
    "Onebot",
    "Override",
    "Redis",
    "Results",
    "Route",
    "Settings",
    "changes",
    "load_settings",
    "secrets_of",
]
