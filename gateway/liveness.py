"""Asking a running gateway whether it lives: by a container every few seconds, so with next to nothing imported."""

import http.client
import json
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from urllib.parse import urlsplit

import yaml

_PATIENCE_S = 3.0  # less than a container's health check is given
_ANY = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}  # noqa: S104 - where it is reached that listens everywhere
_EXPECTED = {"/healthz/live": "lives", "/healthz/ready": "is ready"}


def quick(words: Sequence[str]) -> int | None:
    """Run the command of WORDS if it is one that containers run, and return its exit code; None for any other.

    What is said in other words, with more options, takes the way of all commands, and comes to the same.
    """
    match words:
        case ["check", "--live" | "--ready" as what]:
            url = os.environ.get("GATEWAY_URL")
        case ["check", "--live" | "--ready" as what, "--url", url]:
            pass
        case _:
            return None
    file = Path(os.environ.get("GATEWAY_CONFIG") or "config.yaml")
    named = "GATEWAY_CONFIG" in os.environ or file.exists()
    return answer(url, file if named else None, {}, f"/healthz/{what[2:]}")


def answer(
    url: str | None, config: Path | None, overrides: Mapping[str, str], path: str, *, as_json: bool = False
) -> int:
    """Ask the gateway at URL, or where the settings say, for PATH, say what it answers, and return the exit code."""
    try:
        fine, told = ask(url or address(config, os.environ, overrides), path)
    except ValueError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    line = json.dumps({"ok": fine, "detail": told}) if as_json else told
    (sys.stdout if fine or as_json else sys.stderr).write(f"{line}\n")
    return 0 if fine else 1


def address(config: Path | None, environ: Mapping[str, str], overrides: Mapping[str, str]) -> str:
    """Return where the settings let the gateway listen; of all settings only these two are looked at.

    Raises ValueError, which says why, when they do not tell.
    """
    http: dict[str, object] = {"host": "127.0.0.1", "port": 8080}
    if config is not None:
        try:
            document = yaml.load(config.read_bytes(), getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506 - safe
        except (OSError, ValueError, yaml.YAMLError) as error:
            raise ValueError(f"{config}: cannot be read ({type(error).__name__}); `gateway check` says why") from None
        section = document.get("http") if isinstance(document, dict) else None
        http |= section if isinstance(section, dict) else {}
    for name in ("host", "port"):
        http[name] = overrides.get(f"http.{name}") or environ.get(f"GATEWAY_HTTP__{name.upper()}") or http[name]
    port = str(http["port"])
    if not port.isascii() or not port.isdigit() or not 0 < int(port) <= 65535:
        raise ValueError(f"http.port: {port!r:.20} says not where the gateway listens; give --url")
    host = _ANY.get(str(http["host"]), str(http["host"]))
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def ask(url: str, path: str) -> tuple[bool, str]:
    """Ask the gateway at URL for PATH; return whether all is well there, and a line about it.

    Raises ValueError, which says why, when that is no address.
    """
    if not _is_address(url):
        raise ValueError("--url: write http://host:port")
    parts = urlsplit(url)
    name = parts.hostname or ""
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = kind(name, parts.port, timeout=_PATIENCE_S)
    place = f"{parts.scheme}://{f'[{name}]' if ':' in name else name}:{connection.port}"
    try:
        connection.request("GET", parts.path.rstrip("/") + path, headers={"Connection": "close"})
        reply = connection.getresponse()
        body = reply.read(64 * 1024)
    except (OSError, http.client.HTTPException) as error:
        why = getattr(error, "strerror", None) or str(error) or type(error).__name__
        return False, f"no gateway answers at {place} ({why}); is it running there? else give --url"
    finally:
        connection.close()
    if reply.status == 200:
        return True, f"the gateway at {place} {_EXPECTED[path]}"
    return False, f"{place}{path} answered {reply.status}: {_reasons(body)}"


def _is_address(url: str) -> bool:
    """Return whether a gateway can be asked at URL."""
    try:
        parts = urlsplit(url)
        return parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


def _reasons(body: bytes) -> str:
    try:
        return "; ".join(f"{reason['code']}: {reason['detail']}" for reason in json.loads(body)["reasons"])
    except (ValueError, KeyError, TypeError, RecursionError):
        return "no answer of a gateway"
