"""Taking back at QQ what was delivered."""

import asyncio
from collections.abc import Callable, Mapping
from typing import NamedTuple

from gateway.model.action import Ask
from gateway.model.verdict import Answer
from gateway.store.scripts.lanes import LaneScripts
from gateway.telemetry import Event, Log

_LIMIT_S = 10.0


class Recall(NamedTuple):
    """What came of a recall: `done`, or NapCat's answer to it and its words; None: it gave none in time."""

    done: bool
    answer: Answer | None
    words: str


class Recaller:
    """Asks NapCat to take back messages, one at a time for each account: sending comes first.

    QQ lets an ordinary member take back a message for about two minutes, and NapCat knows the last 5,000 messages it
    has seen since it was started.
    """

    def __init__(self, scripts: LaneScripts, asks: Mapping[str, Ask], clean: Callable[[str], str]) -> None:
        """Reach the accounts' NapCats by ASKS; CLEAN makes their words presentable."""
        self._scripts = scripts
        self._asks = asks
        self._clean = clean
        self._turns = {account: asyncio.Lock() for account in asks}
        self._log = Log()

    async def recall(self, account: str, target: str, job_id: str, message_id: int) -> Recall:
        """Take back the message MESSAGE_ID of a job of ours in TARGET, and note that in the job's record."""
        try:
            async with asyncio.timeout(_LIMIT_S), self._turns[account]:
                answer, _ = await self._asks[account]("delete_msg", {"message_id": message_id}, round(_LIMIT_S * 1000))
        except TimeoutError:
            return Recall(False, None, f"NapCat did not answer within {_LIMIT_S:.0f} s")
        if answer.status != "ok" or answer.retcode != 0:
            words = self._clean(answer.text) or f"HTTP {answer.http_status}"
            return Recall(False, answer, words)
        await self._scripts.recall(account, target, message_id)
        self._log.info(Event.MESSAGE_RECALLED, job=f"{account}.{job_id}", target=target, message_id=message_id)
        return Recall(True, answer, "")
