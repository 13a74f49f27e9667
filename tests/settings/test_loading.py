"""Where settings come from, and what is said of those that cannot be used."""

from pathlib import Path

import pytest

from gateway.model.errors import SettingsInvalid
from gateway.settings import Settings, load_settings

ACCOUNT = "{name: main, endpoint: 'http://127.0.0.1:3000'}"


def from_text(folder: Path, text: str, environ: dict[str, str] | None = None) -> Settings:
    file = folder / "config.yaml"
    file.write_text(text)
    return load_settings(file, environ or {})


def refusal(folder: Path, text: str, environ: dict[str, str] | None = None) -> str:
    with pytest.raises(SettingsInvalid) as caught:
        from_text(folder, text, environ)
    return str(caught.value)


def test_without_any_source_every_setting_has_its_default() -> None:
    assert load_settings(None, {}) == Settings()


def test_an_empty_file_changes_nothing(tmp_path: Path) -> None:
    assert from_text(tmp_path, "") == Settings()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("htpp: {port: 1}", "htpp: unknown setting; did you mean 'http'?"),
        ("http: {prot: 1}", "http.prot: unknown setting; did you mean 'port'?"),
        (f"accounts: [{ACCOUNT[:-1]}, tokn: x}}]", "accounts.0.tokn: unknown setting; did you mean 'token'?"),
        ("onebot: {pas: []}", "onebot.pas: unknown setting; did you mean 'pass'?"),
        ("delivery: {rules: [{retcod: 1, verdict: retry}]}", "delivery.rules.0.retcod: unknown setting; did you mean"),
        ("log: {zzz: 1}", "log.zzz: unknown setting; known here: format, level"),
    ],
)
def test_an_unknown_key_is_refused_by_name_with_the_nearest_known_one(tmp_path: Path, text: str, words: str) -> None:
    assert words in refusal(tmp_path, text)


def test_every_fault_is_named_in_a_line_of_its_own(tmp_path: Path) -> None:
    lines = refusal(tmp_path, "http: {port: x}\nlimits: {group: 20/1m}\naccounts: [{name: a}]").splitlines()
    assert [line.partition(":")[0] for line in lines] == ["http.port", "accounts.0.endpoint", "limits.group"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("delivery: {timeout: 300ms}", "delivery.timeout: write 1s or more, not 300ms"),
        ("delivery: {slack: 100ms}", "delivery.slack: write 500ms or more, not 100ms"),
        ("results: {keep: 1s}", "results.keep: write 1m or more, not 1s"),
        ("callbacks: {timeout: 2m}", "callbacks.timeout: write 100ms to 1m, not 2m"),
        ("http: {max_body: 12B}", "http.max_body: write 1KiB or more, not 12B"),
        ("http: {max_body: -1}", "http.max_body: write 1KiB or more, not -1B"),
    ],
)
def test_a_time_or_a_size_beyond_its_bounds_is_refused_with_them(tmp_path: Path, text: str, words: str) -> None:
    assert words in refusal(tmp_path, text)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("accounts: [", "not YAML"),
        ("- a list", "the settings are a mapping of sections"),
        ("a word", "the settings are a mapping of sections"),
        ("when: 2026-13-45", "not YAML: month must be in 1..12"),
        ("http: {port: 1}\nhttp: {port: 2}", "'http' is given twice (line 2, column 1)"),
        ("? [a, b]\n: 1", "not YAML: found unhashable key"),
    ],
)
def test_a_file_that_is_no_mapping_in_yaml_is_refused(tmp_path: Path, text: str, words: str) -> None:
    said = refusal(tmp_path, text)
    assert words in said
    assert said.startswith(str(tmp_path / "config.yaml"))


def test_a_file_that_is_no_yaml_is_refused_without_showing_its_lines(tmp_path: Path) -> None:
    assert "s3cret" not in refusal(tmp_path, 'accounts:\n  - {name: main, token: "s3cret\n')


def test_a_missing_file_is_refused_by_its_name(tmp_path: Path) -> None:
    with pytest.raises(SettingsInvalid, match=r"nowhere\.yaml: cannot be read"):
        load_settings(tmp_path / "nowhere.yaml", {})


def test_a_file_that_cannot_be_read_is_refused_by_its_name(tmp_path: Path) -> None:
    with pytest.raises(SettingsInvalid, match=rf"{tmp_path}: cannot be read"):
        load_settings(tmp_path, {})


def test_a_file_that_is_not_utf8_is_refused(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_bytes(b"\xff\xfe")
    with pytest.raises(SettingsInvalid, match="cannot be read"):
        load_settings(tmp_path / "config.yaml", {})


def test_a_file_stands_below_secrets_these_below_the_environment_and_all_below_the_command_line(tmp_path: Path) -> None:
    secrets = tmp_path / "secrets"
    secrets.mkdir()
    for name in ("http__port", "redis__prefix", "log__level"):
        (secrets / name).write_text({"http__port": "2", "redis__prefix": "two", "log__level": "warning"}[name])
    file = tmp_path / "config.yaml"
    file.write_text("http: {port: 1}\nredis: {prefix: one}\nlog: {level: debug}\nresults: {stream: 100}")
    environ = {
        "GATEWAY_SECRETS_DIR": str(secrets),
        "GATEWAY_HTTP__PORT": "3",
        "GATEWAY_REDIS__PREFIX": "three",
    }
    settings = load_settings(file, environ, {"http.port": "4"})
    assert settings.results.stream == 100
    assert settings.log.level == "warning"
    assert settings.redis.prefix == "three"
    assert settings.http.port == 4


def test_the_environment_fills_a_place_in_a_list(tmp_path: Path) -> None:
    settings = from_text(tmp_path, f"accounts: [{ACCOUNT}]", {"GATEWAY_ACCOUNTS__0__TOKEN": "s3cret"})
    assert settings.accounts[0].token.get_secret_value() == "s3cret"
    assert settings.accounts[0].name == "main"


def test_the_environment_adds_the_next_place_to_a_list(tmp_path: Path) -> None:
    environ = {"GATEWAY_ACCOUNTS__1__NAME": "second", "GATEWAY_ACCOUNTS__1__ENDPOINT": "http://127.0.0.1:3001"}
    settings = from_text(tmp_path, f"accounts: [{ACCOUNT}]", environ)
    assert [account.name for account in settings.accounts] == ["main", "second"]


def test_a_place_beyond_the_end_of_a_list_is_refused(tmp_path: Path) -> None:
    said = refusal(tmp_path, f"accounts: [{ACCOUNT}]", {"GATEWAY_ACCOUNTS__7__TOKEN": "x"})
    assert said == "accounts.7.token: '7' is no position in a list of 1"


def test_a_secret_file_fills_a_place_in_a_list(tmp_path: Path) -> None:
    secrets = tmp_path / "secrets"
    secrets.mkdir()
    (secrets / "accounts__0__token").write_text("s3cret\n")
    settings = from_text(tmp_path, f"accounts: [{ACCOUNT}]", {"GATEWAY_SECRETS_DIR": str(secrets)})
    assert settings.accounts[0].token.get_secret_value() == "s3cret"


def test_a_folder_of_secrets_that_is_not_there_is_refused_by_its_name(tmp_path: Path) -> None:
    assert "GATEWAY_SECRETS_DIR=/nowhere: cannot be read" in refusal(tmp_path, "", {"GATEWAY_SECRETS_DIR": "/nowhere"})


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("GATEWAY_HTTP__PROT", "http.prot: unknown setting (GATEWAY_HTTP__PROT); did you mean 'port'?"),
        ("GATEWAY_HTPP__PORT", "htpp: unknown setting (GATEWAY_HTPP__PORT); did you mean 'http'?"),
        ("GATEWAY_REDIS_URL", "redis_url: unknown setting (GATEWAY_REDIS_URL); did you mean 'redis.url'?"),
        ("GATEWAY_TOKEN", "token: unknown setting (GATEWAY_TOKEN); known here: accounts, auth, "),
    ],
)
def test_an_unknown_name_in_the_environment_is_refused_by_that_name(tmp_path: Path, name: str, words: str) -> None:
    assert refusal(tmp_path, "", {name: "1"}).startswith(words)


def test_what_kubernetes_says_of_a_service_named_gateway_is_no_setting(tmp_path: Path) -> None:
    environ = {
        "GATEWAY_PORT": "tcp://10.0.0.1:8080",
        "GATEWAY_PORT_8080_TCP_ADDR": "10.0.0.1",
        "GATEWAY_SERVICE_HOST": "10.0.0.1",
        "GATEWAY_SERVICE_PORT_HTTP": "8080",
    }
    assert from_text(tmp_path, "", environ) == Settings()


def test_lists_and_mappings_are_given_by_the_environment_as_yaml(tmp_path: Path) -> None:
    environ = {
        "GATEWAY_LIMITS__GROUP": "[1/2s, 5/1m]",
        "GATEWAY_DELIVERY__TIMEOUT": "20",
        "GATEWAY_ACCOUNTS": f"[{ACCOUNT}]",
    }
    settings = from_text(tmp_path, "", environ)
    assert [str(rate) for rate in settings.limits.group] == ["1/2s", "5/1m"]
    assert settings.delivery.timeout == 20_000


@pytest.mark.parametrize("token", ["0123", "1e5", "yes", "null", "[a", "2026-13-45", " x "])
def test_a_token_from_the_environment_is_taken_as_it_is(tmp_path: Path, token: str) -> None:
    settings = from_text(tmp_path, f"accounts: [{ACCOUNT}]", {"GATEWAY_ACCOUNTS__0__TOKEN": token})
    assert settings.accounts[0].token.get_secret_value() == token
