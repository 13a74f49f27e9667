"""The calls to one NapCat, by whichever transport: each ends in an `Answer`, never in an exception of the network."""

import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Any, Self

from gateway.forward.answer import Reply
from gateway.model.part import Part
from gateway.model.verdict import Answer


class NapCat(ABC):
    """The calls to one NapCat; an async context manager that closes itself."""

    def __init__(self, slack_ms: int) -> None:
        """Wait SLACK_MS longer than NapCat."""
        self._slack_ms = slack_ms

    async def __aenter__(self) -> Self:
        """Return the client, ready to call."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close the client."""
        await self.close()

    @property
    @abstractmethod
    def unbroken(self) -> bool:
        """Whether the next call goes to the NapCat the last one went to, as far as a connection can tell."""

    @abstractmethod
    async def close(self) -> None:
        """Close every connection and end every call."""

    async def call(self, part: Part, may_start: Callable[[], bool] = lambda: True) -> Answer:
        """Send a part as it is and return what came of it; raises NotSent when MAY_START said no.

        MAY_START is asked right before the body leaves: a process that was suspended since its claim must not send.
        NapCat may take `timeout_ms + fetch_ms + slack_ms` from then on. No error of the network or of the peer is
        raised.
        """
        read_s = (part.timeout_ms + part.fetch_ms + self._slack_ms) / 1000
        answer = (await self._exchange(part.action, part.body, read_s, may_start)).answer
        return answer._replace(nodes=True) if part.nodes else answer

    async def ask(self, action: str, params: Mapping[str, Any], timeout_ms: int) -> Reply:
        """Call an action that sends nothing, such as `get_status`, and return its answer and data.

        It ends as `pool` when it gets no connection, or no turn, in time.
        """
        return await self._exchange(action, json.dumps(params).encode("ascii"), timeout_ms / 1000, lambda: True)

    @abstractmethod
    async def _exchange(self, action: str, params: bytes, read_s: float, may_start: Callable[[], bool]) -> Reply:
        """Call ACTION with PARAMS, a JSON object, and wait READ_S for the answer; raises NotSent as `call` does."""
