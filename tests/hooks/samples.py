"""Deliveries as products send them, from their own documentation, with the message that is expected."""

import json
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from gateway.intake.hooks.delivery import Delivery
from gateway.intake.hooks.preset import Example

HERE = Path(__file__).parent
NOW = 1_790_000_000.0  # 2026-09-21: when the samples come in


class Sample(BaseModel):
    """One file `<preset>/<name>.json`.

    source     where the payload is documented
    settings   of the hook, beside name, preset, secret and targets
    method, path, query, headers, payload (JSON) or form (text)   what is sent
    event      the name of the event that is expected
    expected   the segments; a text alone may be written as a string; [] when nothing is to be said
    refused    the code of the refusal that is expected instead
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    preset: str
    name: str
    source: str = ""
    settings: dict[str, Any] = {}
    method: str = "POST"
    path: str = ""
    query: dict[str, str] = {}
    headers: dict[str, str] = {}
    payload: dict[str, Any] | None = None
    form: str | None = None
    event: str | None = None
    expected: str | list[dict[str, Any]] = []
    refused: str | None = None

    @property
    def segments(self) -> list[dict[str, Any]]:
        if isinstance(self.expected, str):
            return [{"type": "text", "data": {"text": self.expected}}]
        return self.expected

    @property
    def delivery(self) -> Delivery:
        fields = {name: getattr(self, name) for name in Example.model_fields}
        headers = {name.lower(): text for name, text in self.headers.items()}
        return Example.model_validate({**fields, "headers": headers}).delivery


def samples(preset: str = "*") -> list[Sample]:
    """Return the samples of PRESET, or of all."""
    files = sorted(HERE.glob(f"{preset}/*.json"))
    return [_read(file) for file in files]


def _read(file: Path) -> Sample:
    document = json.loads(file.read_text("utf-8"))
    return Sample.model_validate({"preset": file.parent.name, "name": file.stem, **document})
