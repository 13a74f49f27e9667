"""`deploy/compose.yaml` as plain processes: its commands and environments, with hosts and paths of this machine.

A container's network and folders are what is replaced; nothing else is.
"""

import json
import os
import re
import shlex
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from gateway.sandbox.process import free_port
from gateway.store.embedded import find_server

DEPLOY = Path(__file__).parents[2] / "deploy"
_INSTRUCTION = re.compile(r"^([A-Z]+) (.*)$")
_VARIABLE = re.compile(r"(\w+)=(\"[^\"]*\"|\S+)")


def stages() -> list[list[tuple[str, str]]]:
    """Return the instructions of each stage of the image, in order; one on several lines is joined."""
    lines = (DEPLOY / "Dockerfile").read_text("utf-8").replace("\\\n", " ").splitlines()
    found: list[list[tuple[str, str]]] = []
    for match in filter(None, map(_INSTRUCTION.match, lines)):
        name, words = match.groups()
        if name == "FROM":
            found.append([])
        if found:
            found[-1].append((name, words))
    return found


def dockerfile() -> list[tuple[str, str]]:
    """Return the instructions of the last stage."""
    return stages()[-1]


def image_environment() -> dict[str, str]:
    """Return the variables the image sets."""
    words = " ".join(words for name, words in dockerfile() if name == "ENV")
    return {name: value.strip('"') for name, value in _VARIABLE.findall(words)}


def instruction(name: str) -> Any:
    """Return what one instruction of the last stage says: a list where it is one, else text."""
    (words,) = [words for one, words in dockerfile() if one == name]
    return json.loads(words) if words.startswith("[") else words


def services() -> dict[str, Any]:
    """Return the services of compose.yaml, with what they take over from each other."""
    document: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text("utf-8"))
    found: dict[str, Any] = document["services"]
    return found


@dataclass
class Composition:
    """The services in FOLDER: which port each has here, and how it is started."""

    folder: Path
    ports: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Lay out what would be mounted, beside the secrets that are in `compose/secrets` already."""
        self.ports = {name: free_port() for name in services()}
        (self.folder / "data").mkdir()
        for service, told in services().items():
            secrets = self.place(service) / "secrets"
            secrets.mkdir(parents=True)
            for name in told.get("secrets", ()):
                text = (self.folder / "compose" / "secrets" / name).read_text()
                (secrets / name).write_text(self._here(service, text))
            for volume in told.get("volumes", ()):
                if not isinstance(volume, str):
                    source = DEPLOY / volume["source"]
                    (self.place(service) / source.name).write_text(self._here(service, source.read_text("utf-8")))

    def place(self, service: str) -> Path:
        """Return the folder SERVICE works in, with its settings and its secrets."""
        return self.folder / service

    def url(self, service: str) -> str:
        """Where a service is reached."""
        return f"http://127.0.0.1:{self.ports[service]}"

    def words(self, service: str) -> list[str]:
        """Return the command of SERVICE."""
        told = services()[service]["command"]
        words = shlex.split(told.replace("$$", "$")) if isinstance(told, str) else list(told)
        words = [self._here(service, word) for word in words]
        match service:
            case "valkey":
                return [find_server(), *words[1:], "--bind", "127.0.0.1", "--port", str(self.ports[service])]
            case "balancer":
                return words
            case "sandbox":
                words[words.index("0.0.0.0")] = "127.0.0.1"
                words[words.index("3000")] = str(self.ports[service])
        assert instruction("ENTRYPOINT") == ["gateway"]
        return [sys.executable, "-m", "gateway", *words]

    def environment(self, service: str) -> dict[str, str]:
        """Return the variables of SERVICE, and those without which no program runs here."""
        told = services()[service]
        image = image_environment() if told["image"].startswith("napcat-gateway:") else {}
        mine = {name: self._here(service, value) for name, value in {**image, **told.get("environment", {})}.items()}
        mine.pop("PATH", None)
        if "GATEWAY_HTTP__HOST" in mine:
            assert mine["GATEWAY_HTTP__HOST"] == "0.0.0.0"
            mine |= {"GATEWAY_HTTP__HOST": "127.0.0.1", "GATEWAY_HTTP__PORT": str(self.ports[service])}
        if service == "balancer":
            mine["LISTEN"] = f"127.0.0.1:{self.ports[service]}"
        given = {name: os.environ[name] for name in ("PATH", "LD_LIBRARY_PATH") if name in os.environ}
        return {**given, "HOME": "/nonexistent", "PYTHONPATH": str(DEPLOY.parent), **mine}

    def _here(self, service: str, text: str) -> str:
        """Return TEXT with the addresses and folders of this machine."""
        hosts = {"napcat:3000": "sandbox", "valkey:6379": "valkey"} | {
            f"{name}:8080": name for name in ("gateway-1", "gateway-2")
        }
        for address, other in hosts.items():
            text = text.replace(address, f"127.0.0.1:{self.ports[other]}")
        for inside, here in (
            ("/run/secrets", self.place(service) / "secrets"),
            ("/usr/local/etc/haproxy", self.place(service)),
            ("/data", self.folder / "data"),
        ):
            text = re.sub(rf"^{inside}(?=/|$)", str(here), text)
        return text
