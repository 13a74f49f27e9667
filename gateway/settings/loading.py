"""Where settings come from: one file, overlaid by secret files, the environment and the command line.

Precedence, lowest first: the YAML file, secret files, `GATEWAY_SECTION__KEY` environment variables, the command line.
A secret file is named after its setting (`redis__url`, `accounts__0__token`) in the folder `GATEWAY_SECRETS_DIR`.
All of them name a setting by its path; parts joined by `__`, positions in a list as numbers.
"""

import difflib
import re
import types
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Union, get_args, get_origin

import yaml
from pydantic import BaseModel, SecretStr, ValidationError

from gateway.model.errors import SettingsInvalid
from gateway.settings.settings import VERSION, Settings

PREFIX = "GATEWAY_"
NOT_SETTINGS = frozenset({"GATEWAY_CONFIG", "GATEWAY_SECRETS_DIR", "GATEWAY_STATE_DIR", "GATEWAY_URL", "GATEWAY_KEY"})
"""Variables of the command line, not settings."""
_KUBERNETES = re.compile(r"GATEWAY_(SERVICE_HOST|SERVICE_PORT(_[A-Z0-9_]+)?|PORT(_[0-9]+_(TCP|UDP|SCTP)(_[A-Z]+)?)?)")
"""What Kubernetes puts into every pod beside a service named `gateway`; no setting is spelled like these."""

_ADVICE = {
    "missing": "is required",
    "too_short": "must not be empty: write at least one",
    "tuple_type": "must be a list: write […], or one line `- …` for each item",
    "model_type": "must be a section: write `key: value` lines under it",
}
"""What the words of pydantic mean in a settings file."""


def load_settings(
    file: Path | None, environ: Mapping[str, str], overrides: Mapping[str, str] | None = None
) -> Settings:
    """Return the settings of FILE overlaid by secret files, ENVIRON and OVERRIDES (`{"http.port": "9000"}`).

    Raises SettingsInvalid with one line per fault, each naming the key, the reason and the remedy.
    """
    document = _read(file) if file is not None else {}
    origins: dict[str, str] = {}
    for origin, path, value in _overlays(environ, overrides or {}):
        _overlay(document, path, value)
        origins[".".join(path)] = origin
    _refuse_newer(document.get("version"))
    try:
        return Settings.model_validate(document)
    except ValidationError as error:
        raise SettingsInvalid("\n".join(_faults(error, origins))) from None


def _overlays(environ: Mapping[str, str], overrides: Mapping[str, str]) -> Iterator[tuple[str, list[str], Any]]:
    """Yield what stands above the file, the lowest first: how it is called where it comes from, its path and value."""
    for name, text in _secrets(environ.get("GATEWAY_SECRETS_DIR")):
        yield f"the secret file {name}", name.lower().split("__"), text
    for name in sorted(environ):
        if name.startswith(PREFIX) and name not in NOT_SETTINGS and not _KUBERNETES.fullmatch(name):
            path = name.removeprefix(PREFIX).lower().split("__")
            yield name, path, _value(path, environ[name])
    for name, text in overrides.items():
        yield f"--set {name}", name.split("."), _value(name.split("."), text)


def _refuse_newer(version: object) -> None:
    """Refuse settings of a later VERSION as a whole: that some of them are unknown here says nothing then."""
    if isinstance(version, int) and version > VERSION:
        raise SettingsInvalid(
            f"version: these settings are written for a newer gateway (version {version}; this one knows {VERSION}): "
            f"start that gateway, or write them as version {VERSION}"
        )


class _Loader(yaml.SafeLoader):
    """Reads YAML as `safe_load` does, but takes no key twice: the first would be lost in silence."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[str] = set()
        for key in (key for key, _ in node.value if isinstance(key, yaml.ScalarNode)):
            if key.value in seen:
                raise yaml.MarkedYAMLError(problem=f"{key.value!r} is given twice", problem_mark=key.start_mark)
            seen.add(key.value)
        return super().construct_mapping(node, deep)


def _read(file: Path) -> dict[str, Any]:
    try:
        document = yaml.load(file.read_text("utf-8"), _Loader)  # noqa: S506 - a safe loader
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsInvalid(f"{file}: cannot be read: {error}") from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise SettingsInvalid(f"{file}: not YAML: {_place(error)}") from None
    if document is None:
        return {}
    if not isinstance(document, dict):
        raise SettingsInvalid(f"{file}: the settings are a mapping of sections, such as `redis:` and `accounts:`")
    return document


def _place(error: Exception) -> str:
    """Return what is wrong and where, without the line itself: it may hold a secret."""
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark is not None:
        return f"{error.problem} (line {error.problem_mark.line + 1}, column {error.problem_mark.column + 1})"
    return " ".join(str(error).split())


def _secrets(folder: str | None) -> Iterator[tuple[str, str]]:
    if folder is None:
        return
    try:
        files = sorted(entry for entry in Path(folder).iterdir() if entry.is_file() and not entry.name.startswith("."))
        for entry in files:
            yield entry.name, entry.read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsInvalid(f"GATEWAY_SECRETS_DIR={folder}: cannot be read: {error}") from None


def _value(path: list[str], text: str) -> Any:
    """Read TEXT as YAML does, so that numbers, lists and mappings can be given; a text setting takes it as it is."""
    if not text.strip() or _takes_text(path):
        return text
    try:
        return yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError):
        return text


def _takes_text(path: list[str]) -> bool:
    """Return whether the setting at PATH is a text: a token of digits is no number."""
    annotation: Any = Settings
    for step in path:
        if step.isdecimal():
            annotation = next(iter(get_args(annotation)), None)
            continue
        fields = _section(annotation).model_fields.items()
        annotation = next((field.annotation for name, field in fields if step == (field.alias or name)), None)
    return annotation in {str, SecretStr}


def _overlay(document: dict[str, Any], path: list[str], value: Any) -> None:
    """Put VALUE at PATH; parents that are missing are made, positions beyond a list's end extend it."""
    node: Any = document
    for step, following in zip(path, [*path[1:], None], strict=True):
        fresh: Any = value if following is None else [] if following.isdecimal() else {}
        if isinstance(node, list):
            index = int(step) if step.isdecimal() else -1
            if not 0 <= index <= len(node):
                raise SettingsInvalid(f"{'.'.join(path)}: {step!r} is no position in a list of {len(node)}")
            if index == len(node):
                node.append(fresh)
            elif following is None:
                node[index] = value
            node = node[index]
        elif isinstance(node, dict):
            if following is None or not isinstance(node.get(step), dict | list):
                node[step] = fresh
            node = node[step]
        else:
            raise SettingsInvalid(f"{'.'.join(path)}: {step!r} lies under something that is no section")


def _faults(error: ValidationError, origins: Mapping[str, str]) -> Iterator[str]:
    """Yield a line for each fault; of an unknown setting also which of ORIGINS, by path, gave it."""
    parents = {fault["loc"][:depth] for fault in error.errors() for depth in range(1, len(fault["loc"]))}
    for fault in error.errors():
        if fault["type"] == "too_short" and fault["loc"] in parents:
            continue  # pydantic counts only good items; what is wrong with the others is told below
        loc = ".".join(str(step) for step in fault["loc"])
        if fault["type"] == "extra_forbidden":
            given = next((f" ({origin})" for path, origin in origins.items() if f"{path}.".startswith(f"{loc}.")), "")
            yield f"{loc}: unknown setting{given}; {_advice(fault['loc'])}"
        else:
            message = _ADVICE.get(fault["type"]) or fault["msg"].removeprefix("Value error, ")
            yield f"{loc}: {message}" if loc else message


def _advice(path: tuple[int | str, ...]) -> str:
    """Return what may be meant by the unknown setting at PATH; `redis_url` may be `redis.url`."""
    *parents, name = path
    known = _known_keys(tuple(parents))
    sections = [] if parents else [section for section, value in Settings() if isinstance(value, BaseModel)]
    inner = [f"{section}.{key}" for section in sections for key in _known_keys((section,))]
    near = difflib.get_close_matches(str(name), known + inner, n=1)
    return f"did you mean {near[0]!r}?" if near else f"known here: {', '.join(known)}"


def _known_keys(path: tuple[int | str, ...]) -> list[str]:
    model: type[BaseModel] = Settings
    for step in path:
        if isinstance(step, str):
            field = next(field for name, field in model.model_fields.items() if step in {name, field.alias})
            model = _section(field.annotation)
    return sorted(field.alias or name for name, field in model.model_fields.items())


def _section(annotation: Any) -> type[BaseModel]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    if get_origin(annotation) in {tuple, Union, types.UnionType}:
        return _section(get_args(annotation)[0])
    return BaseModel
