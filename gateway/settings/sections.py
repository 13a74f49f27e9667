"""Every setting: frozen, sectioned, spelled with units, refusing what it does not know."""

import base64
import binascii
from typing import Annotated, Literal, Self

from pydantic import (
    AfterValidator,
    Field,
    PlainSerializer,
    SecretStr,
    field_validator,
    model_validator,
)

from gateway.model.action import HARMLESS, why_not_passed
from gateway.model.duration import Milliseconds, lasting
from gateway.model.rate import RateField, parse_rate
from gateway.model.verdict import Rule
from gateway.model.words import LogText
from gateway.settings.account import Account
from gateway.settings.hooks import Hook
from gateway.settings.kinds import Bytes, Rates, Secret, Section, TargetPattern, at_least, form, veiled

OWN_KEYS = frozenset({"accounts", "bell", "format", "invalid", "replicas", "secret"})
"""The keys behind the prefix that are the gateway's own, beside those with a hash tag; see `gateway.store.keys`."""

LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


class Redis(Section):
    """Where everything that matters is kept."""

    url: Annotated[str, PlainSerializer(veiled, return_type=str)] = Field(
        "", repr=False, description="redis://, rediss:// or unix://; empty: the embedded server"
    )
    prefix: Annotated[str, form(r"[A-Za-z0-9_.-]{1,32}", "1 to 32 letters, digits, _ . or -")] = Field(
        "gw", description="every key starts with it"
    )
    durability: Literal["local"] = Field("local", description="how far a write must have gone to count as accepted")
    persistence: Literal["required", "any"] = Field(
        "required",
        description="required: a Redis that keeps nothing on disk is refused; any: a restart of it may lose every job",
    )


class Http(Section):
    """Our own HTTP server."""

    host: str = "127.0.0.1"
    port: int = Field(8080, ge=0, le=65535, description="0 takes a free port")
    max_body: Annotated[Bytes, at_least(1024)] = Field(
        8 * 1024**2, description="larger request bodies are answered with 413"
    )
    timeout: Annotated[Milliseconds, lasting(100)] = Field(
        30_000, description="a body that has not come by then is answered with 408"
    )
    keepalive: Annotated[Milliseconds, lasting(100)] = Field(
        120_000, description="a connection on which no complete request head comes for so long is closed"
    )


class Override(Section):
    """Other rates for targets that match."""

    target: TargetPattern = Field(description="group:123, group:12*, private:*")
    rates: Rates
    observe: bool = Field(False, description="only count what would have been delayed")


class Observe(Section):
    """Scopes whose rates only count what they would have delayed, to try a limit before it bites."""

    account: bool = False
    group: bool = False
    user: bool = False
    requester: bool = False


class Limits(Section):
    """All of them must allow a send; over the limit means later, never lost."""

    account: Rates = Field((parse_rate("30/1m"),), description="all sends of one account")
    group: Rates = Field((parse_rate("1/1100ms"), parse_rate("20/1m")), description="sends to one group")
    user: Rates = Field((parse_rate("1/1100ms"), parse_rate("15/1m")), description="private messages to one person")
    requester: Rates = Field((), description="sends on behalf of one person a job names as requester")
    overrides: tuple[Override, ...] = Field((), description="first match wins: {target, rates, observe}")
    observe: Observe = Field(Observe(), description="scopes whose rates delay nothing and count what they would have")


class Delivery(Section):
    """How long to wait, when to try again, when to give up."""

    timeout: Annotated[Milliseconds, lasting(1_000)] = Field(
        10_000, description="what NapCat is told to wait for a text; media adds its size / 256 KB/s"
    )
    slack: Annotated[Milliseconds, lasting(500)] = Field(5_000, description="the client waits this much longer")
    retry: tuple[Milliseconds, ...] = Field(
        (2_000, 10_000, 30_000, 120_000, 600_000),
        description="waits after an attempt that surely did not send (±20 %); their number is the number of retries",
    )
    split: Literal["auto", "refuse"] = Field(
        "auto", description="a message that QQ takes only in several: send it in parts, or refuse it"
    )
    on_unknown: Literal["hold", "resend"] = Field(
        "hold", description="after settling failed: keep as unconfirmed, or send again"
    )
    settle_for: Milliseconds = Field(60_000, description="how long to look for evidence of an unknown attempt")
    trust_history: bool = Field(
        False,
        description="a message listed in the chat's history counts as delivered, though failed ones are listed too",
    )
    max_age: Milliseconds = Field(86_400_000, description="from the moment the job could first go")
    rules: tuple[Rule, ...] = Field((), description="verdict rules before the built-in ones")


Source = Annotated[
    str,
    form(r"[^\s{}]+|[^\s{}]*\{[^\s{}]+\}[^\s{}]*", "a key without blanks, with braces only around one hash tag"),
]
"""A key producers write to; braces only as one hash tag, so that our own keys for it can share its slot."""


class Intake(Section):
    """Where jobs are read from."""

    streams: tuple[Source, ...] = ("gw:jobs",)
    lists: tuple[Source, ...] = ("gw:jobs:list",)
    max_queued: int = Field(1_000_000, ge=1, description="intake waits while this many jobs of an account are queued")


class Results(Section):
    """How long records are kept."""

    keep: Annotated[Milliseconds, lasting(60_000)] = Field(
        604_800_000, description="how long a record outlives its job"
    )
    stream: int = Field(10_000, ge=100, description="entries kept in each receipts stream")


Folder = Annotated[str, form(r"/.*|[A-Za-z]:[\\/].*|\\\\.+", "write an absolute path, such as /media or D:/media")]


class Media(Section):
    """What a producer may name as media (paths are those of the NapCat host)."""

    file_roots: tuple[Folder, ...] = Field((), description="folders of the NapCat host that file:// may name")
    hosts: tuple[str, ...] = Field(("*",), description="hosts that http(s):// may name")
    allow_private: bool = Field(False, description="allow private, loopback and link-local addresses")
    max_inline: Bytes = Field(1024**2, description="largest inline media, decoded")


class Route(Section):
    """Which account serves which targets."""

    target: TargetPattern
    account: str


def _passable(action: str) -> str:
    if why := why_not_passed(action):
        raise ValueError(f"{action!r:.60} is not passed through: {why}")
    return action


class Onebot(Section):
    """The drop-in OneBot endpoints."""

    wait: Milliseconds = Field(
        60_000, le=600_000, description="how long an answer waits for its job to end; then it says async, with the job"
    )
    pass_: tuple[Annotated[str, AfterValidator(_passable)], ...] = Field(
        HARMLESS, alias="pass", description="other actions, passed through to the account's NapCat"
    )


_ONE_LINER = (
    "python3 -c \"import base64, secrets; print('whsec_' + base64.b64encode(secrets.token_bytes(32)).decode())\""
)


def _signs(secret: SecretStr) -> SecretStr:
    """Refuse what is no secret of Standard Webhooks, without quoting it; the library would read it somehow."""
    prefix, _, spelled = secret.get_secret_value().partition("_")
    try:
        size = len(base64.b64decode(spelled, validate=True)) if prefix == "whsec" else 0
    except (binascii.Error, ValueError):
        size = 0
    if not 24 <= size <= 64:
        raise ValueError(f"write whsec_ and the base64 of 24 to 64 random bytes; make one with: {_ONE_LINER}")
    return secret


class Callbacks(Section):
    """Signed receipts to callback URLs."""

    secrets: tuple[Annotated[Secret, AfterValidator(_signs)], ...] = Field(
        (),
        description="whsec_…, of Standard Webhooks; two while one replaces the other: each receipt is signed with both",
    )
    hosts: tuple[str, ...] = Field(("*",), description="hosts that callback_url may name")
    allow_private: bool = Field(False, description="post to private, loopback and link-local addresses too")
    timeout: Annotated[Milliseconds, lasting(100, 60_000)] = Field(
        10_000, description="how long a receiver may take to answer"
    )
    retry: tuple[Milliseconds, ...] = Field(
        (5_000, 300_000, 1_800_000, 7_200_000, 18_000_000, 36_000_000, 50_400_000),
        description="waits after a receiver did not answer with 2xx (±20 %); their number is the number of retries",
    )

    @field_validator("secrets")
    @classmethod
    def _rotate(cls, secrets: tuple[SecretStr, ...]) -> tuple[SecretStr, ...]:
        if len(secrets) > 2:
            raise ValueError("at most two are live at once: the new one and the one it replaces; drop the oldest")
        if len(set(secrets)) < len(secrets):
            raise ValueError("the same secret is there twice; one is enough")
        return secrets


KeyPattern = Annotated[
    str,
    form(r"\*|(group|private):[0-9*?]+", "write * for all, or group:123, group:12* or private:*, with * and ?"),
]


class Key(Section):
    """One API key, stored as its SHA-256."""

    name: Annotated[str, form(r"[A-Za-z0-9_.-]{1,64}", "1 to 64 letters, digits, _ . or -")]
    sha256: Annotated[
        str, form(r"(?!e3b0c44298fc1c14)[0-9a-f]{64}", "the 64 lower-case hex digits of the key's SHA-256")
    ] = Field(description="hex SHA-256 of the key")
    scopes: frozenset[Literal["send", "read", "admin"]] = frozenset({"send", "read"})
    targets: tuple[KeyPattern, ...] = Field(("*",), description="target patterns this key may use")
    rate: RateField | None = Field(None, description="requests with scope send, counted by each replica for itself")


class Auth(Section):
    """Who may call; without keys only on a loopback bind."""

    keys: tuple[Key, ...] = Field(
        (),
        description="{name, sha256 of the key, scopes: [send, read, admin], targets, rate}: see `gateway keys new`",
    )

    @field_validator("keys")
    @classmethod
    def _are_told_apart(cls, keys: tuple[Key, ...]) -> tuple[Key, ...]:
        """Refuse a secret that is there twice; two of one name are one client's old and new, and have to agree."""
        by_secret: dict[str, Key] = {}
        by_name: dict[str, Key] = {}
        for key in keys:
            if (same := by_secret.setdefault(key.sha256, key)) is not key:
                raise ValueError(f"{same.name!r} and {key.name!r} have the same sha256; make a key for each")
            first = by_name.setdefault(key.name, key)
            if (first.scopes, first.targets, first.rate) != (key.scopes, key.targets, key.rate):
                raise ValueError(
                    f"two keys are named {key.name!r}, which is one client with two secrets: "
                    "give both the same scopes, targets and rate, or one another name"
                )
        return keys


class Log(Section):
    """What is written to standard error."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["auto", "json", "console"] = Field("auto", description="auto: JSON unless a terminal reads")
    text: LogText = Field(
        "never", description="whether attempts and ends carry the words of the message; hash: to compare, full: to read"
    )


def _private(prefix: str, source: str) -> bool:
    """Return whether SOURCE is, or may become, a key of our own."""
    beginning, _, name = source.partition(":")
    return beginning == prefix and (name.startswith("{") or name in OWN_KEYS)


class Settings(Section):
    """The whole configuration of one gateway."""

    redis: Redis = Redis()
    http: Http = Http()
    accounts: Annotated[tuple[Account, ...], Field(min_length=1)] = (
        Account(name="main", endpoint="http://127.0.0.1:3000"),
    )
    limits: Limits = Limits()
    delivery: Delivery = Delivery()
    intake: Intake = Intake()
    results: Results = Results()
    media: Media = Media()
    routes: tuple[Route, ...] = Field((), description="{target, account}: first match, else the first account")
    onebot: Onebot = Onebot()
    callbacks: Callbacks = Callbacks()
    hooks: tuple[Hook, ...] = Field((), description="{name, preset, secret, targets, …}: see Webhooks")
    auth: Auth = Auth()
    log: Log = Log()

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        names = [account.name for account in self.accounts]
        for name in sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"accounts: two accounts are named {name!r}; give each its own name")
        for route in self.routes:
            if route.account not in names:
                raise ValueError(f"routes: no account is named {route.account!r}; known: {', '.join(names)}")
        hooks = [hook.name for hook in self.hooks]
        for name in sorted({name for name in hooks if hooks.count(name) > 1}):
            raise ValueError(f"hooks: two hooks are named {name!r}; give each its own name")
        for hook in self.hooks:
            if hook.account and hook.account not in names:
                raise ValueError(f"hooks: no account is named {hook.account!r}; known: {', '.join(names)}")
        sources = [*self.intake.streams, *self.intake.lists]
        for source in sorted({source for source in sources if sources.count(source) > 1}):
            raise ValueError(f"intake: {source!r} is named twice; a source is one stream or one list")
        for source in (source for source in sources if _private(self.redis.prefix, source)):
            raise ValueError(
                f"intake: {source!r} is a key of the gateway's own; name the source otherwise, "
                f"such as {self.redis.prefix}:jobs, or change redis.prefix"
            )
        if self.http.host not in LOOPBACK and not self.auth.keys:
            raise ValueError(
                f"http.host: {self.http.host!r} is reachable from other machines and auth.keys is empty; "
                "configure a key, or bind to 127.0.0.1"
            )
        return self
