"""Which settings a command goes by: those of a file, of the environment and of its own line."""

from pathlib import Path

from gateway.settings import Settings, load_settings
from tests.cli.commands import said


def test_a_check_of_good_settings_ends_well_and_names_the_accounts(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text("accounts: [{name: second, endpoint: 'http://127.0.0.1:3000'}]")
    ended = said(tmp_path, "check")
    assert (ended.code, ended.err) == (0, "")
    assert "second" in ended.out


def test_a_check_of_bad_settings_prints_each_fault_on_a_line_that_names_its_key(tmp_path: Path) -> None:
    (tmp_path / "bad.yaml").write_text("http: {port: x, prot: 1}\naccounts: [{name: a}]\nlimits: {group: [often]}")
    ended = said(tmp_path, "check", "--config", "bad.yaml")
    assert (ended.code, ended.out) == (2, "")
    lines = ended.err.splitlines()
    keys = ["accounts.0.endpoint", "http.port", "http.prot", "limits.group.0"]
    assert sorted(line.partition(":")[0] for line in lines) == keys


def test_the_config_file_is_found_in_the_environment_too(tmp_path: Path) -> None:
    ended = said(tmp_path, "check", GATEWAY_CONFIG=str(tmp_path / "none.yaml"))
    assert ended.code == 2
    assert "none.yaml: cannot be read" in ended.err


def test_a_setting_on_the_command_line_stands_above_all_others(tmp_path: Path) -> None:
    fine, bad, form = (
        said(tmp_path, "check", "--set", "http.port=9000", GATEWAY_HTTP__PORT="x"),
        said(tmp_path, "check", "--set", "http.port=["),
        said(tmp_path, "check", "--set", "http.port"),
    )
    assert fine.code == 0
    assert (bad.code, bad.err.partition(":")[0]) == (2, "http.port")
    assert (form.code, form.err.strip()) == (2, "--set http.port: write section.key=value")


def test_the_printed_config_is_a_config(tmp_path: Path) -> None:
    ended = said(tmp_path, "config")
    (tmp_path / "printed.yaml").write_text(ended.out)
    assert load_settings(tmp_path / "printed.yaml", {}) == Settings()
