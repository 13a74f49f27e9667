"""The account section: one NapCat login, where it is and what opens its door."""

from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, SecretStr, ValidationInfo, field_validator

from gateway.model.verdict import Implementation
from gateway.settings.kinds import Secret, Section, form


def _is_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


def _has_a_place(url: str) -> str:
    """Refuse an address that no connection can be made to; it may hold a password, and is not repeated."""
    if url and not _is_address(url):
        raise ValueError("no usable address: see its host and its port, which is a number from 1 to 65535")
    return url


def _fits_a_header(token: SecretStr) -> SecretStr:
    if not token.get_secret_value().isprintable():
        raise ValueError("has a line break or another character no HTTP header can carry; remove it")
    return token


_EVENTS_URL = r"(wss?://(\[[0-9A-Fa-f:.]+\]|[^\s/?#@:\[\]]+)(:[0-9]{1,5})?(/(?!api/?$)[^\s?#]*)?)?"
_EVENTS_ADVICE = "write ws://host:port or wss://…, without query or user name, and not /api, which has no events"


class Account(Section):
    """One NapCat login."""

    name: Annotated[str, form(r"[a-z0-9][a-z0-9_-]{0,31}", "1 to 32 lower-case letters, digits, _ or -")] = Field(
        "main", description="in keys, ids and logs; of several each has its own"
    )
    endpoint: Annotated[
        str,
        form(r"(https?|wss?)://[^\s/]+(/[^\s?#]*)?", "write http://host:port or ws://host:port, and no query"),
        AfterValidator(_has_a_place),
    ] = Field(description="NapCat's HTTP server; with transport ws its WebSocket server")
    token: Annotated[Secret, AfterValidator(_fits_a_header)] = Field(SecretStr(""), description="NapCat's access token")
    self_id: Annotated[str, form(r"([1-9][0-9]{4,19})?", "write the QQ number in quotes, or leave it out")] = Field(
        "", description="the QQ number that has to be logged in there; empty: the one seen first"
    )
    transport: Literal["http", "ws"] = Field(
        "http", validate_default=True, description="how sends reach it: a request each, or one WebSocket for all"
    )
    implementation: Implementation | Literal["auto"] = Field(
        "auto", description="the program that answers there, whose failures are read its way; auto: it is asked"
    )
    events_url: Annotated[str, form(_EVENTS_URL, _EVENTS_ADVICE), AfterValidator(_has_a_place)] = Field(
        "", description="NapCat's WebSocket server, for events; one replica listens; with transport ws not needed"
    )
    events_secret: Secret = Field(SecretStr(""), description="token of NapCat's HTTP client that posts events here")
    max_in_flight: int = Field(5, ge=1, le=1024, description="calls at once to this NapCat")
    markdown: Literal["markdown", "record"] = Field(
        "markdown", description="the type under which it takes markdown; NapCat 4.18: markdown, published pages: record"
    )

    @field_validator("token")
    @classmethod
    def _is_the_only_one(cls, token: SecretStr, info: ValidationInfo) -> SecretStr:
        if token.get_secret_value() and "@" in info.data.get("endpoint", ""):
            raise ValueError("the endpoint has a user name, and only one of both can be sent; drop one")
        return token

    @field_validator("transport")
    @classmethod
    def _fits_the_endpoint(cls, transport: str, info: ValidationInfo) -> str:
        if transport == "http" and info.data.get("endpoint", "").startswith("ws"):
            raise ValueError("the endpoint is a WebSocket address; write transport: ws, or an http:// endpoint")
        return transport
