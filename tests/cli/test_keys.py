"""`gateway keys new`: a key that is shown once, and the line that lets it in."""

import hashlib
import json
from pathlib import Path

import yaml

from gateway.settings import load_settings
from tests.cli.commands import said


def test_a_new_key_is_printed_with_the_line_that_lets_it_in(tmp_path: Path) -> None:
    words = ("--scope", "send", "--scope", "admin", "--target", "group:1*", "--target", "private:2", "--rate", "100/1s")
    short, long, again = (
        said(tmp_path, "keys", "new", "--name", "bot", "--json"),
        said(tmp_path, "keys", "new", "--name", "bot", *words, "--json"),
        said(tmp_path, "keys", "new", "--name", "bot"),
    )
    keys = [json.loads(ended.out) for ended in (short, long)]
    told = again.out.splitlines()
    secrets = [*(key["key"] for key in keys), told[0].rpartition(" ")[2]]
    assert len(set(secrets)) == 3
    for secret, line in zip(secrets, [*(key["line"] for key in keys), told[1].partition("- ")[2]], strict=True):
        assert secret.startswith("gw_")
        assert len(secret) == 46
        assert hashlib.sha256(secret.encode()).hexdigest() in line
        assert secret not in line
    written = "auth:\n  keys:\n" + "".join(f"    {key['line']}\n" for key in keys).replace("name: bot", "name: a", 1)
    (tmp_path / "config.yaml").write_text(written)
    first, second = load_settings(tmp_path / "config.yaml", {}).auth.keys
    assert (set(first.scopes), first.targets, first.rate) == ({"send", "read"}, ("*",), None)
    assert (set(second.scopes), second.targets) == ({"send", "admin"}, ("group:1*", "private:2"))
    assert str(second.rate) == keys[1]["rate"] == "100/1s"
    assert "rate" not in yaml.safe_load(keys[0]["line"])[0]


def test_a_key_that_could_not_be_configured_is_not_made(tmp_path: Path) -> None:
    words = ("--scope", "sen", "--target", "grp:1", "--rate", "often")
    bad, nameless = (said(tmp_path, "keys", "new", "--name", "a b", *words), said(tmp_path, "keys", "new"))
    assert (bad.code, bad.out, nameless.code, nameless.out) == (2, "", 2, "")
    assert [line.partition(":")[0] for line in bad.err.splitlines()] == ["--name", "--scope", "--target", "--rate"]
