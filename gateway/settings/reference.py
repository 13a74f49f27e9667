"""The settings explained: `config.example.yaml` and the README's table, both made from the models."""

from collections.abc import Iterator
from textwrap import wrap
from typing import Any

import yaml
from pydantic import BaseModel

from gateway.settings.keys import Key
from gateway.settings.settings import Settings

_COLUMN = 34  # of the explanations in the example
_LONGEST = 116  # characters of a line in a section; a longer explanation stands above its setting
_HEADER = """\
# Every setting with its default. Written by `gateway config`; what you leave out keeps its default.
# A setting can also come from the environment (GATEWAY_REDIS__URL=…, GATEWAY_ACCOUNTS__0__TOKEN=…) or from a secret
# file of that name in the folder GATEWAY_SECRETS_DIR (redis__url, accounts__0__token).
"""


def example_yaml() -> str:
    """Return a configuration file with every setting at its default, explained line by line."""
    return _HEADER + "".join(_section_yaml(name, getattr(Settings(), name)) for name in Settings.model_fields)


def settings_table() -> str:
    """Return a Markdown table of every setting: key, default, meaning."""
    rows = ["| setting | default | meaning |", "|---|---|---|"]
    rows += [
        f"| `{key}` | {'`' + default + '`' if default else ''} | {meaning} |".replace("|  |", "| |")
        for key, default, meaning in _rows()
    ]
    return "\n".join(rows) + "\n"


def key_line(key: Key) -> str:
    """Return KEY as the line to add under `auth.keys`; what is at its default is left out."""
    fields = key.model_dump(mode="json", exclude_defaults=True)
    if "scopes" in fields:
        fields["scopes"] = sorted(fields["scopes"])
    spelled = yaml.safe_dump(fields, default_flow_style=True, width=10_000, sort_keys=False).strip()
    return f"- {spelled}"


def _rows() -> Iterator[tuple[str, str, str]]:
    for name, field in Settings.model_fields.items():
        value = getattr(Settings(), name)
        many = isinstance(value, tuple) and value and isinstance(value[0], BaseModel)
        section = value[0] if many else value
        if not isinstance(section, BaseModel):
            yield name, _inline(_plain(value)), field.description or ""
            continue
        for key, inner in type(section).model_fields.items():
            spelled = inner.alias or key
            yield (
                f"{name}{'[]' if many else ''}.{spelled}",
                _inline(_dumped(section)[spelled]),
                inner.description or "",
            )


def _section_yaml(name: str, value: Any) -> str:
    if isinstance(value, BaseModel):
        lines = [f"\n{name}:  # {_summary(type(value))}\n"]
        return "".join(lines + [f"  {line}\n" for line in _field_lines(value)])
    if isinstance(value, tuple) and value and isinstance(value[0], BaseModel):
        lines = [f"\n{name}:  # {_summary(type(value[0]))}\n"]
        for item in value:
            first, *rest = _field_lines(item)
            lines += [f"  - {first}\n", *[f"    {line}\n" for line in rest]]
        return "".join(lines)
    meaning = Settings.model_fields[name].description or ""
    return f"\n{name}: {_inline(_plain(value))}{'  # ' + meaning if meaning else ''}\n"


def _field_lines(section: BaseModel) -> list[str]:
    dumped = _dumped(section)
    lines = []
    for key, field in type(section).model_fields.items():
        spelled = field.alias or key
        meaning = field.description or ""
        line = f"{spelled}: {_inline(dumped[spelled])}"
        beside = f"{line.ljust(_COLUMN)}  # {meaning}" if meaning else line
        above = len(beside) > _LONGEST
        lines += [*(f"# {part}" for part in wrap(meaning, _LONGEST - 2)), line] if above else [beside]
    return lines


def _summary(model: type[BaseModel]) -> str:
    summary = (model.__doc__ or "").strip().splitlines()[0].rstrip(".")
    return summary[:1].lower() + summary[1:]


def _dumped(section: BaseModel) -> dict[str, Any]:
    return section.model_dump(mode="json", by_alias=True)


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def _inline(value: Any) -> str:
    """Spell a value as YAML flow style on one line."""
    text = yaml.safe_dump(value, default_flow_style=True, width=10_000, allow_unicode=True).strip()
    return text.removesuffix("\n...").removesuffix("...").strip()
