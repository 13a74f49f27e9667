"""Presets: how a product signs, names its deliveries and events, and what is said of them; data, in `presets/`."""

import json
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
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

    proof       how it proves who it is
    delivery    places of the delivery's id, the first that is there: `header:x-github-delivery`, `$.id`; where it has
                none, the digest of what it says within `again_after` is its id: the product repeats what failed
    event       places of the event's name, joined by `.`: `header:x-github-event`, `$.action`
    names       other names of events, for products that only number them: `"0": down`
    pings       events that only ask whether anybody is there: answered with 200, nothing is sent
    events      globs of the events the template knows; another one is refused with 422
    forms       whether fields may come as a form, or in the query (`GET`)
    template    what is said, in `<name>.j2`; one that speaks as another product names that one: `template: gitea`
    collapse    a template for the collapse key: a newer message replaces an older one of its key that still waits
    sample      a delivery as the product sends it, with which the template is tried
    path        names of the path's segments behind the key; where there are fewer, the last names
    answer      what is answered when the message is taken, for clients that look at it; the texts `{now}` (seconds)
                and `{delivery}` stand for these
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
    methods: tuple[Literal["GET", "POST"], ...] = ("POST",)
    forms: bool = False
    path: tuple[str, ...] = ()
    segments: bool = False
    template: str
    collapse: str = ""
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
    return {preset.name: preset for preset in (_read(file) for file in _data()) if preset}


def _data() -> list[Traversable]:
    return sorted((file for file in _FOLDER.iterdir() if file.name.endswith(".yaml")), key=lambda file: file.name)


def _read(file: Traversable) -> Preset:
    """Return the preset in FILE, whose template (its own, or the one it names) and sample lie beside it."""
    name = file.name.removesuffix(".yaml")
    document = yaml.safe_load(file.read_text("utf-8"))
    template = (_FOLDER / f"{document.get('template', name)}.j2").read_text("utf-8")
    sample = json.loads((_FOLDER / f"{name}.sample.json").read_text("utf-8"))
    return Preset.model_validate({"name": name, "sample": sample, **document, "template": template})
