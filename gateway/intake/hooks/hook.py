"""One hook: from a verified delivery to the jobs it becomes; pure but for the deliveries it remembers."""

import json
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, NamedTuple, TypeVar

from gateway.intake.hooks.delivery import Delivery, Payload, payload_of
from gateway.intake.hooks.identity import Identity, digest
from gateway.intake.hooks.places import found, path_of, place_of
from gateway.intake.hooks.preset import Preset, presets
from gateway.intake.hooks.route import Route, named_by
from gateway.intake.hooks.sandbox import TemplateFailed
from gateway.intake.hooks.template import Segments, Template
from gateway.intake.hooks.verify import Proof, refusal, signs
from gateway.intake.preparation import prepare
from gateway.model.errors import Fault, Refused
from gateway.settings import Hook as HookSettings
from gateway.settings import Settings
from gateway.settings.hooks import HookRoute

_LONGEST_COLLAPSE = 128
_LONGEST_EVENT = 128
_SIGNED_IDS = ("header:svix-id", "header:webhook-id")  # of Standard Webhooks, as verify.py reads them

Compiled = TypeVar("Compiled")


class Reading(NamedTuple):
    """What a genuine delivery says: its event, its own id, and the jobs it becomes (none: there is nothing to say)."""

    event: str
    delivery: str
    jobs: list[dict[str, Any]]
    ping: bool = False


class Hook:
    """What one path of webhooks does, compiled: it reads a delivery, or says why it is refused."""

    def __init__(self, settings: HookSettings) -> None:
        """Compile the templates and rules of SETTINGS; raises Refused with the setting that is wrong."""
        self.settings = settings
        self.preset = _preset_of(settings)
        self.proof = _proof_of(settings, self.preset)
        if self.proof.kind != "none" and not settings.secrets:
            raise _wrong("secret", "give the secret that both sides know (verify.kind none: anybody may send)")
        if self.proof.kind == "standard" and not all(map(signs, settings.secrets)):
            raise _wrong("secret", "Standard Webhooks need whsec_ and the key in base64")
        segments = self.preset.segments if settings.segments is None else settings.segments
        template = partial(Template, segments=segments)
        self._template = _compiled("template", template, settings.template or self.preset.template)
        collapse = settings.collapse_key or self.preset.collapse_key
        self._collapse = _compiled("collapse_key", partial(Template, segments=False), collapse) if collapse else None
        self._routes = tuple(_route(number, route) for number, route in enumerate(settings.routes))
        self._event = tuple(map(place_of, self.preset.event))
        ids = _SIGNED_IDS if self.proof.kind == "standard" else self.preset.delivery
        self._identity = Identity(tuple(map(place_of, ids)), self.preset.again_after)

    def refusal(self, delivery: Delivery, payload: Payload, now: float) -> str | None:
        """Return why DELIVERY is not from whom it says, None when it is; NOW in epoch seconds."""
        return refusal(self.proof, self.settings.secrets, delivery, payload, now)

    def payload(self, delivery: Delivery) -> Payload:
        """Return the data in DELIVERY; raises Refused when there is none that can be read."""
        payload = payload_of(delivery, forms=self.preset.forms)
        if not (names := self.preset.path):
            return payload
        texts = delivery.segments[1:]
        if len(texts) > len(names):
            raise Refused("path_unknown", f"behind the key there are at most /{'/'.join(names)}; write a slash as %2F")
        return {**payload, **dict(zip(names[len(names) - len(texts) :], texts, strict=True))}

    def delivery_id(self, delivery: Delivery, payload: Payload, now: float) -> str:
        """Return the id of DELIVERY: its own, else one of what it says; NOW in epoch seconds."""
        return self._identity.of(delivery, payload, now)

    def without_secret(self, payload: Payload) -> Payload:
        """Return PAYLOAD without the fields in which the sender proves itself."""
        return {name: value for name, value in payload.items() if name not in self.proof.fields}

    def read(self, delivery: Delivery, payload: Payload, now: float) -> Reading:
        """Return what a genuine DELIVERY becomes.

        Raises Refused `event_unknown` for an event the preset knows nothing of, `template_failed` when no message can
        be made of this payload.
        """
        event = self._event_of(delivery, payload)
        name = self.delivery_id(delivery, payload, now)
        if event and named_by(self.preset.pings, event):
            return Reading(event, name, [], ping=True)
        targets = self._targets(event, payload) if self._tells(event) else []
        values = self._values(event, delivery, payload)
        message = self._rendered("template", self._template, values) if targets else []
        return Reading(event, name, [self._job(target, name, message, values) for target in targets if message])

    def sample(self, now: float) -> Reading:
        """Return what the preset's own sample becomes for all targets, whatever this hook tells; raises Refused."""
        delivery, settings = self.preset.sample.delivery, self.settings
        targets = dict.fromkeys([*settings.targets, *(target for route in settings.routes for target in route.targets)])
        everywhere = settings.model_copy(update={"events": (), "targets": tuple(targets), "routes": ()})
        return Hook(everywhere).read(delivery, self.payload(delivery), now)

    def fault(self, now: float, settings: Settings) -> str | None:
        """Return what is wrong with the templates, tried with the preset's sample; None when its jobs would be taken.

        A template of one's own is only compiled where the sample is none of what it will be given: without a preset,
        with one whose payload may be anything, or for other events.
        """
        own = self.settings.template or self.settings.collapse_key
        if not self.settings.preset or (own and (self.preset.anything or not self._tells_sample())):
            return None
        try:
            fine = self.sample(now).jobs
            for job in fine:
                prepare(json.dumps(job).encode(), settings, "tried")
        except Refused as refusal:
            return f"hooks: {self.settings.name!r}: {refusal}"
        return None if fine else f"hooks: {self.settings.name!r} says nothing of the sample of {self.preset.title}"

    @classmethod
    def of_preset(cls, name: str) -> "Hook":
        """Return a hook of the preset NAME with nothing set, to try it."""
        unset = {"name": "a-hook", "preset": name, "verify": {"kind": "none"}, "targets": ["group:10000"]}
        return cls(HookSettings.model_validate(unset))

    def _event_of(self, delivery: Delivery, payload: Payload) -> str:
        event = ".".join(text for place in self._event if (text := found(place, delivery, payload)))
        return "".join(filter(str.isprintable, self.preset.names.get(event, event)))[:_LONGEST_EVENT]

    def _tells_sample(self) -> bool:
        """Return whether the event of the preset's sample is one that this hook tells."""
        delivery, wanted = self.preset.sample.delivery, self.settings.events
        return not wanted or named_by(wanted, self._event_of(delivery, self.payload(delivery)))

    def _tells(self, event: str) -> bool:
        """Return whether EVENT is wanted; raises Refused for a wanted one of which nobody knows how it is told."""
        wanted = self.settings.events
        if wanted and not named_by(wanted, event):
            return False
        # Whoever names events and says how they are told needs no preset to know them.
        if not (wanted and self.settings.template) and not named_by(self.preset.events, event):
            raise Refused("event_unknown", f"{self.preset.title} has no message for the event {event[:60]!r}")
        return True

    def _job(self, target: str, name: str, message: Segments, values: Mapping[str, Any]) -> dict[str, Any]:
        kind, _, number = target.partition(":")
        job: dict[str, Any] = {
            "group_id" if kind == "group" else "user_id": number,
            "message": message if kind == "group" else _without_mentions(message),
            "key": f"hook:{self.settings.name}:{name}:{target}",
            "metadata": {"hook": self.settings.name, "event": values["event"], "delivery": name},
        }
        if self.settings.account:
            job["account"] = self.settings.account
        if self._collapse and (key := _words(self._rendered("collapse_key", self._collapse, values))):
            collapse = f"hook:{self.settings.name}:{key}"
            job["collapse_key"] = collapse if len(collapse) <= _LONGEST_COLLAPSE else f"hook:{digest(collapse)}"
        return job

    def _values(self, event: str, delivery: Delivery, payload: Payload) -> dict[str, Any]:
        """Return what a template sees."""
        settings = self.settings
        secret = {"authorization", "cookie", *self.proof.headers}
        return {
            "payload": self.without_secret(payload),
            "event": event,
            "headers": {name: text for name, text in delivery.headers.items() if name not in secret},
            "hook": settings.name,
            "mentions": list(settings.at),
            "timezone": settings.timezone,
        }

    def _rendered(self, which: str, template: Template, values: Mapping[str, Any]) -> Segments:
        try:
            return template.render(values)
        except TemplateFailed as error:
            detail = f"the {which} of the hook {self.settings.name!r} cannot say this: {error}"
            raise Refused("template_failed", detail) from None

    def _targets(self, event: str, payload: Payload) -> list[str]:
        """Return where it goes: the targets of all routes that take it, else those of the hook."""
        taking = [route for route in self._routes if route.takes(event, payload)]
        found = [target for route in taking for target in route.targets] if taking else self.settings.targets
        return list(dict.fromkeys(found))


def _without_mentions(message: Segments) -> Segments:
    """Return MESSAGE for a private chat, where there is nobody to mention: without `at`, and the blank behind each."""
    told: Segments = []
    behind = False
    for segment in message:
        data = segment.get("data")
        text = data.get("text") if behind and segment.get("type") == "text" and isinstance(data, dict) else None
        behind = segment.get("type") == "at"
        if isinstance(text, str):
            told.append({"type": "text", "data": {"text": text.removeprefix(" ")}})
        elif not behind:
            told.append(segment)
    return told


def _preset_of(settings: HookSettings) -> Preset:
    name = settings.preset or "generic"
    known = presets()
    if name not in known:
        raise _wrong("preset", f"there is no preset {name!r}; known: {', '.join(known)}")
    return known[name]


def _proof_of(settings: HookSettings, preset: Preset) -> Proof:
    """Return how the sender proves who it is: as the settings say, else as the product does."""
    verify = settings.verify
    if verify is None:
        return preset.proof
    header = (verify.header.lower(),) if verify.header else ()
    if verify.kind == "github":
        return Proof(kind="hmac", headers=("x-hub-signature-256",), prefix="sha256=")
    if verify.kind == "hmac":
        if not header:
            raise _wrong("verify.header", "name the header that has the signature")
        return Proof(kind="hmac", headers=header, prefix=verify.prefix)
    if verify.kind == "token":
        return Proof(kind="token", headers=header or ("authorization",))
    if verify.kind == "query":
        return Proof(kind="query", fields=(verify.parameter,))
    return Proof(kind=verify.kind)


def _compiled(setting: str, compile_: Callable[[str], Compiled], text: str) -> Compiled:
    try:
        return compile_(text)
    except Refused as refusal:
        raise _wrong(setting, refusal.detail) from None


def _route(number: int, route: HookRoute) -> Route:
    tests = [
        (_compiled(f"routes.{number}.match.{place}.path", path_of, match.path), match)
        for place, match in enumerate(route.match)
    ]
    return Route(route.events, tuple(tests), route.targets)


def _words(message: Segments) -> str:
    """Return the text of a message on one line."""
    texts = (segment["data"]["text"] for segment in message if segment["type"] == "text")
    return " ".join("".join(texts).split())


def _wrong(setting: str, reason: str) -> Refused:
    return Refused("hook_invalid", reason, [Fault(setting, reason, "hook_invalid")])
