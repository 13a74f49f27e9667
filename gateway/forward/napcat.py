"""What an account's NapCat is to the rest: calls that end in answers, by whichever transport."""

from collections.abc import Callable, Mapping
from typing import Any, Protocol, Self

from gateway.forward.answer import Reply
from gateway.forward.napcat_http import NapCatHttp
from gateway.forward.napcat_ws import NapCatWs
from gateway.model.part import Part
from gateway.model.verdict import Answer
from gateway.settings import Account


class NapCat(Protocol):
    """The calls to one NapCat; an async context manager that closes itself."""

    @property
    def unbroken(self) -> bool:
        """Whether the next call goes to the NapCat the last one went to, as far as a connection can tell."""

    async def __aenter__(self) -> Self:
        """Return the client, ready to call."""

    async def __aexit__(self, *_: object) -> None:
        """Close the client."""

    async def close(self) -> None:
        """Close every connection and end every call."""

    async def call(self, part: Part, may_start: Callable[[], bool] = ...) -> Answer:
        """Send a part and return what came of it; raises NotSent when MAY_START, asked last, said no."""

    async def ask(self, action: str, params: Mapping[str, Any], timeout_ms: int) -> Reply:
        """Call an action that sends nothing and return its answer and data."""


def napcat_of(account: Account, slack_ms: int) -> NapCat:
    """Return the client of an account by the transport it asks for; it waits SLACK_MS longer than NapCat.

    To be called inside a running event loop. Raises `SettingsInvalid` when endpoint or token cannot be used.
    """
    client = NapCatWs if account.transport == "ws" else NapCatHttp
    return client(account.endpoint, account.token.get_secret_value(), slack_ms, account.max_in_flight)
