"""What each setting takes, and how the settings fit together."""

import base64
from typing import Any

import pytest
from pydantic import ValidationError

from gateway.settings import Settings

ACCOUNT = {"name": "main", "endpoint": "http://127.0.0.1:3000"}
KEY = {"name": "bot", "sha256": "0" * 64}

CONTRACT = """
redis:    {url: "", prefix: gw, durability: local}   # empty url: embedded server; replicated: WAIT for a replica
http:     {host: 127.0.0.1, port: 8080, max_body: 8MiB}
accounts:
  - {name: main, endpoint: "http://127.0.0.1:3000", token: "", transport: http, events_url: "", events_secret: "", max_in_flight: 5}
limits:                                     # all of them must allow a send; over limit = later, never lost
  account: ["30/1m"]
  group:   ["1/1100ms", "20/1m"]
  user:    ["1/1100ms", "15/1m"]            # receiver of private messages
  requester: []                             # the person a job names as requester
  overrides: [{target: "group:123", rates: ["5/1m"]}]
delivery:
  timeout: 10s                              # what NapCat is told to wait for a text; media adds size / 256 KB/s
  slack: 5s                                 # the client waits this much longer; a lease lasts timeout + slack + 5 s
  retry: ["2s","10s","30s","2m","10m"]      # waits after an attempt that surely did not send (±20 %)
  on_unknown: hold
  settle_for: 60s
  trust_history: false                      # true: a matching history row counts as delivered
  max_age: 24h                              # from the moment the job could first go
  rules: []                                 # before the built-in ones
intake:   {streams: ["gw:jobs"], lists: ["gw:jobs:list"], max_queued: 1000000}
results:  {keep: 7d, stream: 10000}
routes:   []                                # {target: "group:12*", account: second}; first match, else the first account
onebot:   {wait: 60s, pass: [get_status, get_login_info, get_version_info, can_send_image, can_send_record]}
callbacks: {secrets: []}
hooks:    []
auth:     {keys: []}
"""  # noqa: E501 - as it stands in the contract


def settings(**sections: Any) -> Settings:
    return Settings.model_validate(sections)


def refusal(**sections: Any) -> str:
    with pytest.raises(ValidationError) as caught:
        settings(**sections)
    return str(caught.value)


def test_the_contract_loads_as_it_stands_and_names_the_defaults() -> None:
    import yaml

    loaded = Settings.model_validate(yaml.safe_load(CONTRACT))
    defaults = Settings().model_copy(update={"limits": loaded.limits})
    assert loaded == defaults
    assert [override.target for override in loaded.limits.overrides] == ["group:123"]
    assert loaded.limits.model_copy(update={"overrides": ()}) == Settings().limits


@pytest.mark.parametrize(
    ("written", "milliseconds"),
    [
        ("1500ms", 1500),
        ("2s", 2000),
        ("2m", 120_000),
        ("1.5h", 5_400_000),
        ("7d", 604_800_000),
        (1.5, 1500),
        (20, 20_000),
    ],
)
def test_a_duration_is_written_with_its_unit_or_as_seconds(written: object, milliseconds: int) -> None:
    assert settings(delivery={"timeout": written}).delivery.timeout == milliseconds


@pytest.mark.parametrize("written", ["10", "10 s", "s", "-1s", "1y", "", -1, True, None, [], "1e3s", "١s", "367d"])
def test_what_is_no_duration_is_refused_with_the_form_to_use(written: object) -> None:
    assert "delivery.settle_for" in refusal(delivery={"settle_for": written})


@pytest.mark.parametrize(
    ("written", "spelled"), [("20/1m", "20/1m"), ("1/1100ms", "1/1100ms"), ("5/s", "5/1s"), (" 2 / 60s ", "2/1m")]
)
def test_a_rate_is_a_count_over_a_period(written: str, spelled: str) -> None:
    assert [str(rate) for rate in settings(limits={"group": [written]}).limits.group] == [spelled]


@pytest.mark.parametrize("written", ["0/1m", "1/0s", "20", "1/", "/1m", "-1/1m", "1.5/1m", 20, None, "1/1y", "٣/1m"])
def test_what_is_no_rate_is_refused(written: object) -> None:
    assert "limits.group.0" in refusal(limits={"group": [written]})


@pytest.mark.parametrize(("written", "size"), [("8MiB", 8 * 2**20), ("2048B", 2048), ("1 GiB", 2**30), (4096, 4096)])
def test_a_size_is_written_with_its_unit_or_in_bytes(written: object, size: int) -> None:
    assert settings(http={"max_body": written}).http.max_body == size


@pytest.mark.parametrize("written", ["8MB", "8", "-1MiB", "1.5MiB", "MiB", -1, 1023, None])
def test_what_is_no_size_is_refused(written: object) -> None:
    assert "http.max_body" in refusal(http={"max_body": written})


def test_two_accounts_of_one_name_are_refused() -> None:
    assert "two accounts are named 'main'" in refusal(accounts=[ACCOUNT, ACCOUNT])


def test_no_account_at_all_is_refused() -> None:
    assert "accounts" in refusal(accounts=[])


@pytest.mark.parametrize("name", ["", "Main", "a b", "{a}", "a.b", "-a", "a" * 33])
def test_an_account_name_that_would_not_fit_keys_and_ids_is_refused(name: str) -> None:
    assert "accounts.0.name" in refusal(accounts=[{**ACCOUNT, "name": name}])


@pytest.mark.parametrize(
    "url",
    ["", "ws://127.0.0.1:3001", "ws://napcat:3001/", "wss://[::1]:3001/event", "ws://h/api/events", "ws://h/a/api"],
)
def test_events_come_from_a_websocket_address(url: str) -> None:
    assert settings(accounts=[{**ACCOUNT, "events_url": url}]).accounts[0].events_url == url


@pytest.mark.parametrize(
    "url",
    [
        "127.0.0.1:3001",
        "http://127.0.0.1:3001",
        "ws://",
        "ws:///event",
        "ws://h:port",
        "ws://h/?access_token=secret",
        "ws://h/#x",
        "ws://user:secret@h",
        "ws://h/a b",
        "ws://h:3001/api",
        "ws://h:3001/api/",
    ],
)
def test_an_address_that_has_no_events_or_would_show_a_secret_is_refused(url: str) -> None:
    said = refusal(accounts=[{**ACCOUNT, "events_url": url}])
    assert "accounts.0.events_url" in said
    assert "write ws://host:port" in said


def test_a_route_to_an_unknown_account_is_refused_by_its_name() -> None:
    said = refusal(routes=[{"target": "group:12*", "account": "second"}])
    assert "no account is named 'second'; known: main" in said


def test_a_source_that_is_named_twice_is_refused() -> None:
    assert "'gw:jobs' is named twice" in refusal(intake={"streams": ["gw:jobs"], "lists": ["gw:jobs"]})


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.2", "gateway.example", ""])
def test_a_bind_that_others_can_reach_needs_a_key(host: str) -> None:
    assert "configure a key, or bind to 127.0.0.1" in refusal(http={"host": host})
    assert settings(http={"host": host}, auth={"keys": [KEY]}).http.host == host


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost"])
def test_a_bind_on_loopback_needs_no_key(host: str) -> None:
    assert settings(http={"host": host}).auth.keys == ()


def test_a_hook_without_a_source_is_refused_by_name() -> None:
    assert "hooks" in refusal(hooks=[{"name": "a"}])


@pytest.mark.parametrize(("name", "value"), [("durability", "everywhere"), ("replicas", 0)])
def test_how_far_a_write_has_to_go_is_one_of_what_there_is(name: str, value: object) -> None:
    assert f"redis.{name}" in refusal(redis={name: value})
    assert settings(redis={"url": "redis://a", "durability": "replicated", "replicas": 2}).redis.replicas == 2


def test_the_embedded_server_has_no_replicas_to_wait_for() -> None:
    assert "the embedded server has no replicas; set redis.url" in refusal(redis={"durability": "replicated"})


@pytest.mark.parametrize(
    "endpoint", ["ws://127.0.0.1:3001", "wss://napcat/qq", "http://127.0.0.1:3001", "https://napcat"]
)
def test_a_websocket_is_reached_at_its_own_address_or_at_that_of_its_server(endpoint: str) -> None:
    [account] = settings(accounts=[{"name": "main", "endpoint": endpoint, "transport": "ws"}]).accounts
    assert (account.transport, account.endpoint) == ("ws", endpoint)


@pytest.mark.parametrize("transport", [{}, {"transport": "http"}])
@pytest.mark.parametrize("scheme", ["ws", "wss"])
def test_a_websocket_address_is_none_for_http(scheme: str, transport: dict[str, str]) -> None:
    said = refusal(accounts=[{"name": "main", "endpoint": f"{scheme}://127.0.0.1:3001", **transport}])
    assert "accounts.0.transport" in said
    assert "write transport: ws, or an http:// endpoint" in said


def test_secrets_are_never_shown() -> None:
    secret = "s3cret"
    loaded = settings(
        redis={"url": f"redis://user:{secret}@127.0.0.1:6379/0?password={secret}"},
        accounts=[{**ACCOUNT, "token": secret, "events_secret": secret}],
    )
    for shown in (repr(loaded), str(loaded), loaded.model_dump_json(), str(loaded.model_dump())):
        assert secret not in shown
    assert loaded.accounts[0].token.get_secret_value() == secret
    assert secret in loaded.redis.url


def test_settings_do_not_change() -> None:
    loaded = Settings()
    with pytest.raises(ValidationError, match="frozen"):
        loaded.http.port = 1  # type: ignore[misc]
    with pytest.raises(ValidationError, match="frozen"):
        loaded.http = loaded.http  # type: ignore[misc]


def test_a_rule_without_a_condition_is_refused() -> None:
    assert "a rule needs at least one condition" in refusal(delivery={"rules": [{"verdict": "retry"}]})


@pytest.mark.parametrize("text", ["(", "a{99999999999}", "(" * 5000 + ")" * 5000])
def test_a_rule_with_a_broken_expression_is_refused(text: str) -> None:
    assert "not a regular expression" in refusal(delivery={"rules": [{"verdict": "retry", "text": text}]})


@pytest.mark.parametrize("pattern", ["*", "group:*", "group:123", "private:12?"])
def test_a_key_reaches_targets_by_pattern(pattern: str) -> None:
    loaded = settings(auth={"keys": [{**KEY, "targets": [pattern]}]})
    assert loaded.auth.keys[0].targets == (pattern,)


@pytest.mark.parametrize(
    ("fields", "loc", "words"),
    [
        ({"targets": ["group"]}, "auth.keys.0.targets.0", "write * for all, or group:123"),
        ({"targets": ["*", "groups:1"]}, "auth.keys.0.targets.1", "write * for all, or group:123"),
        ({"targets": ["group:[0-9]"]}, "auth.keys.0.targets.0", "write * for all, or group:123"),
        ({"scopes": ["send", "write"]}, "auth.keys.0.scopes.1", "'send', 'read' or 'admin'"),
        ({"rate": "100"}, "auth.keys.0.rate", 'a rate is written "count/period"'),
        ({"rate": "0/1s"}, "auth.keys.0.rate", "at least 1"),
    ],
)
def test_a_wrong_key_is_refused_with_the_reason(fields: dict[str, Any], loc: str, words: str) -> None:
    said = refusal(auth={"keys": [{**KEY, **fields}]})
    assert loc in said
    assert words in said


def test_a_secret_belongs_to_one_key() -> None:
    said = refusal(auth={"keys": [KEY, {**KEY, "name": "other"}]})
    assert "'bot' and 'other' have the same sha256" in said
    assert "0" * 64 not in said.partition("[type=")[0]


def test_two_secrets_of_one_name_are_one_client_and_agree() -> None:
    old, new = {**KEY, "rate": "5/1s"}, {**KEY, "sha256": "1" * 64, "rate": "5/1s"}
    assert len(settings(auth={"keys": [old, new]}).auth.keys) == 2
    for fields in ({"rate": "6/1s"}, {"scopes": ["send"]}, {"targets": ["group:1"]}):
        assert "two keys are named 'bot'" in refusal(auth={"keys": [old, {**new, **fields}]})


def whsec(size: int) -> str:
    return "whsec_" + base64.b64encode(bytes(range(size))).decode()


@pytest.mark.parametrize("secrets", [[], [whsec(24)], [whsec(64), whsec(32)]])
def test_callbacks_are_signed_with_up_to_two_secrets_of_standard_webhooks(secrets: list[str]) -> None:
    loaded = settings(callbacks={"secrets": secrets}).callbacks
    assert [secret.get_secret_value() for secret in loaded.secrets] == secrets
    assert "whsec_" not in loaded.model_dump_json()


@pytest.mark.parametrize(
    "secret",
    [
        "", "s3cret", whsec(23), whsec(65), whsec(32).removeprefix("whsec_"), whsec(32) + "=", whsec(32).rstrip("="),
        whsec(32).replace("AAEC", "A-_C"), whsec(32).replace("AAEC", "A\nAEC"), "whpk_" + whsec(32)[6:],
    ],
)  # fmt: skip
def test_a_secret_that_is_none_of_standard_webhooks_is_refused_with_how_to_make_one(secret: str) -> None:
    said = refusal(callbacks={"secrets": [whsec(32), secret]})
    assert "callbacks.secrets.1" in said
    assert "make one with: python3 -c" in said


@pytest.mark.parametrize(
    ("secrets", "words"),
    [
        ([whsec(24), whsec(25), whsec(26)], "at most two are live at once"),
        ([whsec(24), whsec(24)], "the same secret is there twice"),
    ],
)
def test_more_than_two_secrets_are_no_rotation(secrets: list[str], words: str) -> None:
    said = refusal(callbacks={"secrets": secrets})
    assert "callbacks.secrets" in said
    assert words in said
