"""What of settings that were read again counts at once, and what waits for a restart."""

from typing import Any

import pytest

from gateway.model.answers import AccountsReloaded
from gateway.model.errors import SettingsInvalid
from gateway.settings import Settings, changes
from tests.keys import key

MAIN = {"name": "main", "endpoint": "http://127.0.0.1:3000"}
SECOND = {"name": "second", "endpoint": "http://127.0.0.1:3001"}


def settings(**sections: Any) -> Settings:
    return Settings.model_validate({"accounts": [MAIN], **sections})


def test_settings_that_are_the_same_change_nothing() -> None:
    found = changes(settings(), settings())
    assert (found.applied, found.needs_restart) == ([], [])
    assert found.accounts == AccountsReloaded(added=[], removed=[], changed=[])
    assert found.settings == settings()


@pytest.mark.parametrize(
    ("sections", "applied", "waits"),
    [
        ({"limits": {"group": ["5/1s"]}}, ["limits.group"], []),
        ({"hooks": [{"name": "a", "preset": "bark", "secret": "s", "targets": ["group:1"]}]}, ["hooks"], []),
        ({"onebot": {"pass": []}}, ["onebot.pass"], []),
        ({"log": {"level": "debug", "text": "full", "format": "console"}}, ["log.level", "log.text"], ["log.format"]),
        ({"redis": {"url": "redis://10.0.0.1", "prefix": "x"}}, [], ["redis.url", "redis.prefix"]),
        ({"http": {"port": 1, "max_body": 2048}, "routes": []}, [], ["http.port", "http.max_body"]),
        ({"auth": {"keys": [key("a")]}, "callbacks": {"hosts": ["a"]}}, ["callbacks.hosts", "auth.keys"], []),
    ],
)
def test_each_change_is_named_by_its_setting(sections: dict[str, Any], applied: list[str], waits: list[str]) -> None:
    found = changes(settings(), settings(**sections))
    assert (found.applied, found.needs_restart) == (applied, waits)


def test_what_needs_a_restart_stays_as_it_was() -> None:
    found = changes(settings(), settings(http={"port": 1}, redis={"prefix": "x"}, results={"keep": "1d"}))
    assert (found.settings.http.port, found.settings.redis.prefix, found.settings.results.keep) == (
        8080,
        "gw",
        86400000,
    )


def test_it_says_which_accounts_come_go_and_change() -> None:
    running = settings(accounts=[MAIN, SECOND])
    wished = settings(accounts=[{**SECOND, "token": "secret"}, {**MAIN, "name": "third"}])
    expected = AccountsReloaded(added=["third"], removed=["main"], changed=["second"])
    assert changes(running, wished).accounts == expected


def test_an_open_gateway_is_not_opened_to_others_by_an_address_that_only_a_restart_changes() -> None:
    """The file binds to loopback and drops the keys; the process still listens for everybody."""
    running = settings(http={"host": "0.0.0.0"}, auth={"keys": [key("a")]})
    with pytest.raises(SettingsInvalid, match=r"http\.host: '0\.0\.0\.0' is reachable .* as it was at the start"):
        changes(running, settings())
