"""Presets: how a product signs, names its deliveries and events, and what is said of them.

They are data: `presets/<name>.yaml` is the preset, and `presets/<name>.sample.json` a delivery to try it with.
"""

import json
from functools import cache
from importlib.resources import files
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict

from gateway.intake.hooks.delivery import FORM, Delivery
from gateway.intake.hooks.verify import Proof
from gateway.model.duration import Milliseconds

_FOLDER = files("gateway.intake.hooks") / "presets"


class Example(BaseModel):
    """A delivery as a product sends it, without its signature."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    method: Literal["GET", "POST"] = "POST"
    path: str = ""
    query: dict[str, str] = {}
    headers: dict[str, str] = {}
    payload: dict[str, Any] | None = None
    form: str | None = None

    @property
    def delivery(self) -> Delivery:
        """Return it as it would come in."""
        headers = {"content-type": "application/json" if self.form is None else FORM, **self.headers}
        body = json.dumps(self.payload).encode() if self.payload is not None else (self.form or "").encode()
        return Delivery(self.method, self.path, self.query, headers, body)


class Preset(BaseModel):
    """One product's webhooks.

    title         the product's name, for people
    proof         how the product proves who it is
    delivery      places of the delivery's id, the first that is there counts: `header:x-github-delivery`, `$.id`
    again_after   where no id is there: the same payload within this time is one delivery, repeated after a failure
    event         places of the event's name, joined by `.`: `header:x-github-event`, `$.action`
    names         other names of events, for products that only number them: `"0": down`
    pings         events that only ask whether anybody is there: answered with 200, nothing is sent
    events        globs of the events the template knows; another one is refused with 422
    anything      whether the payload is whatever the sender likes, so that the sample is only one of many
    methods       how the product calls
    forms         whether fields may come as a form, or in the query (`GET`)
    path          names of the path's segments behind the key; where there are fewer, the last names
    segments      whether the template makes a YAML list of segments, not text
    template      what is said, as in the settings of a hook; `speaks_as: gitea` takes that of another preset instead
    collapse_key  a template: a newer message replaces an older one of the same key that still waits
    answer        what is answered when the message is taken, for clients that look at it; the texts `{now}` (seconds)
                  and `{delivery}` stand for these
    sample        a delivery as the product sends it, from `<name>.sample.json`
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    title: str
    proof: Proof
    delivery: tuple[str, ...] = ()
    again_after: Milliseconds = 300_000
    event: tuple[str, ...] = ()
    names: dict[str, str] = {}
    pings: tuple[str, ...] = ()
    events: tuple[str, ...] = ("*",)
    anything: bool = False
    methods: tuple[Literal["GET", "POST"], ...] = ("POST",)
    forms: bool = False
    path: tuple[str, ...] = ()
    segments: bool = False
    template: str
    collapse_key: str = ""
    answer: dict[str, Any] | None = None
    sample: Example

    def answered(self, delivery: str, now: int) -> dict[str, Any] | None:
        """Return the answer to DELIVERY at NOW; None where the gateway's own does."""
        known = {"{delivery}": delivery, "{now}": now}

        def filled(fields: dict[str, Any]) -> dict[str, Any]:
            return {
                name: known.get(value, value) if isinstance(value, str) else value for name, value in fields.items()
            }

        return None if self.answer is None else json.loads(json.dumps(self.answer), object_hook=filled)


@cache
def presets() -> dict[str, Preset]:
    """Return every preset by its name."""
    names = sorted(file.name.removesuffix(".yaml") for file in _FOLDER.iterdir() if file.name.endswith(".yaml"))
    return {name: _read(name) for name in names}


def _read(name: str) -> Preset:
    written = _written(name)
    if other := written.pop("speaks_as", None):
        written["template"] = _written(other)["template"]
    sample = json.loads((_FOLDER / f"{name}.sample.json").read_text("utf-8"))
    return Preset.model_validate({**written, "name": name, "sample": sample})


def _written(name: str) -> dict[str, Any]:
    written: dict[str, Any] = yaml.safe_load((_FOLDER / f"{name}.yaml").read_text("utf-8"))
    return written
