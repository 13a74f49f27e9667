"""What reached the stand-in, and what QQ would show: the evidence tests are decided by."""

from dataclasses import dataclass
from typing import Any, Literal


@dataclass(frozen=True, slots=True)
class Received:
    """One send call, as it arrived.

    at             time.monotonic() seconds when the whole request had been read
    action         as called, e.g. `send_group_msg`
    target         `group:…` or `private:…`; empty when the call named none
    text           all text segments joined
    body           the parsed fields, query included
    raw            the bytes of the HTTP body or WebSocket frame
    authorization  whether an Authorization header came
    accepted       whether the token was right
    transport      `http` or `ws`
    """

    at: float
    action: str
    target: str
    text: str
    body: dict[str, Any]
    raw: bytes
    authorization: bool
    accepted: bool
    transport: Literal["http", "ws"]


@dataclass(frozen=True, slots=True)
class Delivered:
    """One message QQ shows: `at` in time.monotonic() seconds, `message` without what NapCat dropped."""

    message_id: int
    target: str
    text: str
    message: list[dict[str, Any]]
    at: float


class Journal:
    """All that happened, in order; it only grows until `forget`."""

    def __init__(self) -> None:
        """Begin empty."""
        self.received: list[Received] = []
        self.delivered: list[Delivered] = []
        self.recalled: list[int] = []

    def texts(self, target: str) -> list[str]:
        """Return the texts of all received sends for a target, in order of arrival."""
        return [call.text for call in self.received if call.target == target]

    def forget(self) -> None:
        """Begin anew, in the same lists, so that a reference to them stays good."""
        self.received.clear()
        self.delivered.clear()
        self.recalled.clear()
