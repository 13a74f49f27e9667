"""The sections: where, how fast and how long, what may pass, and what is written; the larger ones stand beside it."""

import base64
import binascii
from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    Field,
    PlainSerializer,
    SecretStr,
    ValidationInfo,
    field_validator,
)

from gateway.model.action import HARMLESS, why_not_passed
from gateway.model.duration import Milliseconds, lasting
from gateway.model.rate import parse_rate
from gateway.model.verdict import Rule
from gateway.model.words import LogText
from gateway.settings.kinds import Bytes, Rates, Secret, Section, TargetPattern, at_least, form, veiled
from gateway.settings.redis_url import RedisAddress


class Redis(Section):
    """Where everything that matters is kept."""

    url: Annotated[RedisAddress, PlainSerializer(veiled, return_type=str)] = Field(
        "",
        repr=False,
        description="redis://, rediss:// (TLS) or unix://; redis+sentinel://host:port,host:port/service: the master "
        "that these sentinels name (?sentinel_password= where they want one); redis+cluster://host:port,host:port: "
        "accounts are spread over the masters of a cluster, and a few of its nodes are enough to find the others. When "
        "another server becomes master, the gateway follows within seconds. Empty: the embedded server",
    )
    prefix: Annotated[str, form(r"[A-Za-z0-9_.-]{1,32}", "1 to 32 letters, digits, _ . or -")] = Field(
        "gw", description="every key starts with it"
    )
    durability: Literal["local", "replicated"] = Field(
        "local",
        description="how far a write must have gone before it counts: to Redis, or also to its replicas, so that a "
        "failover neither loses nor doubles a job; needs a replica, and makes one round trip more",
    )
    replicas: int = Field(
        1,
        ge=1,
        le=16,
        description="with durability replicated: how many must have it; the failover promotes one of them",
    )
    persistence: Literal["required", "any"] = Field(
        "required",
        description="required: a Redis that keeps nothing on disk is refused; any: a restart of it may lose every job",
    )

    @field_validator("durability")
    @classmethod
    def _has_replicas(cls, durability: str, info: ValidationInfo) -> str:
        if durability == "replicated" and not info.data.get("url", "x"):
            raise ValueError("the embedded server has no replicas; set redis.url to a Redis that has, or write local")
        return durability


class Http(Section):
    """Our own HTTP server."""

    host: str = Field("127.0.0.1", description="where to listen; elsewhere than on loopback only with auth.keys")
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
    slack: Annotated[Milliseconds, lasting(500)] = Field(
        5_000, description="how much longer than that the gateway waits for the answer"
    )
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
    max_age: Milliseconds = Field(
        86_400_000, description="a job without ttl or expires_at expires so long after it could first go"
    )
    rules: tuple[Rule, ...] = Field((), description="verdict rules before the built-in ones")


Source = Annotated[
    str,
    form(r"[^\s{}]+|[^\s{}]*\{[^\s{}]+\}[^\s{}]*", "a key without blanks, with braces only around one hash tag"),
]
"""A key producers write to; braces only as one hash tag, so that our own keys for it can share its slot."""


class Intake(Section):
    """Where jobs are read from."""

    streams: tuple[Source, ...] = Field(("gw:jobs",), description="Redis streams: XADD gw:jobs * job '{…}'")
    lists: tuple[Source, ...] = Field(("gw:jobs:list",), description="Redis lists: RPUSH gw:jobs:list '{…}'")
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


class Log(Section):
    """What is written to standard error."""

    level: Literal["debug", "info", "warning", "error"] = Field("info", description="debug, info, warning or error")
    format: Literal["auto", "json", "console"] = Field("auto", description="auto: JSON unless a terminal reads")
    text: LogText = Field(
        "never", description="whether attempts and ends carry the words of the message; hash: to compare, full: to read"
    )
