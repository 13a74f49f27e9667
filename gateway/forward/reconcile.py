"""Settling what nobody knows by what NapCat lists: the account's own latest messages of a chat."""

import asyncio
import re
from typing import Any

from pydantic import ValidationError

from gateway.convert import fingerprint
from gateway.forward.napcat import NapCat
from gateway.forward.reports import HistoryRow
from gateway.forward.watch import Watch
from gateway.model.target import Target
from gateway.store.scripts.lanes import LaneScripts
from gateway.store.values import Look, Row, TickPolicy
from gateway.telemetry import Event, Log

_ANSWER_MS = 5_000  # how long NapCat may take to list a chat
_AT_ONCE = 2  # lists asked for at a time: sends are more urgent
_EMPTY = re.compile(r"消息\S{0,40}不存在")  # how NapCat answers for a chat without messages


class Reconciler:
    """Looks into the chats of one account for messages whose fate nobody knows.

    What it finds was at least tried: failed sends are listed too (#182). What it does not find proves nothing.
    """

    def __init__(
        self, account: str, napcat: NapCat, watch: Watch, policy: TickPolicy, scripts: LaneScripts, *, trust: bool
    ) -> None:
        """Settle through SCRIPTS by messages of WATCH's number; TRUST says that a listed one counts as delivered."""
        self._account = account
        self._napcat = napcat
        self._watch = watch
        self._policy = policy
        self._scripts = scripts
        self._trust = trust
        self._turns = asyncio.Semaphore(_AT_ONCE)
        self._log = Log(account=account)

    async def look(self, look: Look) -> None:
        """Take what the history of a chat shows as evidence for a job; raises StoreUnavailable.

        A list that cannot be had changes nothing: the lanes ask once more, late.
        """
        async with self._turns:
            rows = await self._own_rows(look.target)
        if rows is None:
            return
        outcome, _ = await self._scripts.history(self._account, self._policy, look.job_id, rows, trusted=self._trust)
        if outcome in {"listed", "delivered"}:
            job = f"{self._account}.{look.job_id}"
            self._log.info(Event.HISTORY_MATCHED, job=job, target=str(look.target), outcome=outcome)

    def _ours(self, row: HistoryRow) -> bool:
        return row.own and self._watch.number in {"", row.self_id}

    async def _own_rows(self, target: Target) -> list[Row] | None:
        """Return the account's own messages of the chat, oldest first; None when the list cannot be had."""
        action, params = _listing(target)
        answer, data = await self._napcat.ask(action, params, _ANSWER_MS)
        if answer.status == "ok" and isinstance(data, dict) and isinstance(data.get("messages"), list):
            rows = [row for found in data["messages"] if (row := _row(found)) is not None and self._ours(row)]
            rows.sort(key=lambda row: (row.time, row.place))
            return [Row(row.message_id, row.time, fingerprint(row.message)) for row in rows]
        if answer.status == "failed" and _EMPTY.match(answer.text):
            return []
        self._log.warning(Event.HISTORY_UNREAD, target=str(target), error=answer.error, retcode=answer.retcode)
        return None


def _listing(target: Target) -> tuple[str, dict[str, Any]]:
    """Return the action that lists the latest messages of a chat, and its parameters."""
    kind, chat = ("group", "group_id") if target.kind == "group" else ("friend", "user_id")
    params = {chat: target.id, "count": 20, "disable_get_url": True, "parse_mult_msg": False}
    return f"get_{kind}_msg_history", params


def _row(found: Any) -> HistoryRow | None:
    """Return a row as NapCat lists it; None when it is no message, which others wrote about us anyway."""
    try:
        return HistoryRow.model_validate(found)
    except ValidationError:
        return None
