"""Webhooks of other products: who may call, what becomes a message, and where it goes."""

import re
from typing import Annotated, Any, Literal, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, model_validator

from gateway.model.rate import RateField
from gateway.model.spelling import QQ
from gateway.settings.kinds import Secret, Section, TargetText, form


def _several(value: Any) -> Any:
    return value if isinstance(value, list | tuple) else [value] if value else []


def _compiles(value: str) -> str:
    try:
        re.compile(value)
    except re.error as error:
        raise ValueError(f"not a regular expression: {error}") from None
    if _repeats_a_repetition(value):
        raise ValueError("a repetition inside a repetition, such as (a+)+, may take forever on some texts; use glob")
    return value


def _repeats_a_repetition(pattern: str) -> bool:
    """Return whether PATTERN has a group with an unbounded repetition in it that is repeated without bound itself."""
    open_groups, closed = [False], False
    for sign in re.finditer(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|[()*+]|\{[0-9]*,[0-9]*\}|.", pattern, re.DOTALL):
        text = sign[0]
        repeats = text in {"*", "+"} or (text.startswith("{") and text.endswith(",}"))
        if repeats and closed:
            return True
        if repeats:
            open_groups[-1] = True
        closed = False
        if text == "(":
            open_groups.append(False)
        elif text == ")" and len(open_groups) > 1:
            closed = open_groups.pop()
            open_groups[-1] = open_groups[-1] or closed
    return False


def _is_zone(value: str) -> str:
    try:
        ZoneInfo(value or "UTC")
    except (ZoneInfoNotFoundError, ValueError):
        raise ValueError("name a time zone such as Asia/Shanghai") from None
    return value


Targets = Annotated[tuple[TargetText, ...], BeforeValidator(_several)]
Texts = Annotated[tuple[str, ...], BeforeValidator(_several)]


class Verify(Section):
    """How the sender proves who it is, where no preset says it."""

    kind: Literal["github", "hmac", "token", "basic", "standard", "query", "none"] = Field(
        description="github: HMAC-SHA256 as GitHub signs; hmac: the same in your header; token: the secret in a header"
    )
    secret: Secret = Field(SecretStr(""), description="the same as hooks[].secret")
    header: str = Field("", description="of hmac and token; default of token: Authorization, as Bearer too")
    prefix: str = Field("", description="of hmac: what stands before the hex digest")
    user: str = Field("", description="of basic: the user, where the secret is only the password")
    parameter: str = Field("token", description="of query: the parameter that has the secret")


class Match(Section):
    """What a value of the payload has to be."""

    path: str = Field(min_length=1, description="JSONPath of the value, such as $.repository.full_name")
    equals: str | int | bool | None = None
    glob: str | None = None
    regex: Annotated[str, AfterValidator(_compiles)] | None = None

    @model_validator(mode="after")
    def _one_test(self) -> Self:
        if sum(test is not None for test in (self.equals, self.glob, self.regex)) != 1:
            raise ValueError("give one of equals, glob and regex")
        return self


class HookRoute(Section):
    """Where messages go whose payload matches."""

    events: Texts = Field((), description="globs of events; empty: any")
    match: tuple[Match, ...] = Field((), description="all of them have to fit")
    targets: Targets = Field(min_length=1)


class Hook(Section):
    """One path of webhooks: `/hooks/<name>`."""

    name: Annotated[str, form(r"[a-z0-9][a-z0-9_-]{0,31}", "1 to 32 lower-case letters, digits, _ or -")]
    preset: str = Field("", description="github, gitlab, alertmanager, …: see `gateway hooks list`")
    template: str = Field("", description="Jinja2, instead of the preset's; without a preset it is needed")
    segments: bool | None = Field(None, description="the template makes a YAML or JSON list of segments, not text")
    verify: Verify | None = Field(None, description="instead of the preset's way")
    secret: Annotated[tuple[Secret, ...], BeforeValidator(_several)] = Field(
        (), repr=False, description="what both sides know; two of them while it is changed"
    )
    events: Texts = Field((), description="globs of the events that are told; empty: all the preset knows")
    targets: Targets = Field((), description="where it goes that no route takes")
    routes: tuple[HookRoute, ...] = Field((), description="{events, match, targets}: all that fit")
    account: str = Field("", description="which NapCat sends it; default: by routes, else the first")
    at: Annotated[tuple[QQ | Literal["all"], ...], BeforeValidator(_several)] = Field(
        (), description="who is mentioned when it is urgent, such as an alert that fires"
    )
    timezone: Annotated[str, AfterValidator(_is_zone)] = Field("", description="of times in messages; empty: UTC")
    collapse_key: str = Field("", description="Jinja2: a newer message of a key replaces an older one that waits")
    limits: Annotated[tuple[RateField, ...], BeforeValidator(_several)] = Field(
        (), description="calls taken by each replica; one more gets 429 with Retry-After"
    )

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        if not self.preset and not self.template:
            raise ValueError("give preset or template")
        if not self.preset and self.verify is None:
            raise ValueError("without a preset say how the sender proves who it is: verify (kind none: nobody does)")
        if not self.targets and not self.routes:
            raise ValueError("give targets, or routes with targets")
        if len(self.secrets) > 2:
            raise ValueError("give one secret, or two while it is changed")
        return self

    @property
    def secrets(self) -> tuple[str, ...]:
        """Return what both sides know, as a list, wherever it was written."""
        verify = (self.verify.secret,) if self.verify is not None else ()
        texts = [secret.get_secret_value() for secret in (*self.secret, *verify)]
        user = self.verify.user if self.verify is not None else ""
        return tuple(f"{user}:{text}" if user else text for text in texts if text)
