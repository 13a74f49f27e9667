"""QQ behind the stand-in: it takes messages, refuses them, confirms them late or never, and remembers."""

import asyncio
import hashlib
import json
import math
import random
import time
from collections import OrderedDict, defaultdict, deque
from typing import Any

from gateway.sandbox.behaviour import BEHAVIOURS, Behaviour
from gateway.sandbox.events import Publisher, Sent, own_message
from gateway.sandbox.journal import Delivered, Journal
from gateway.sandbox.message import Segment, text_of
from gateway.sandbox.tasks import Tasks
from gateway.sandbox.wire import ActionError

_KNOWN = 5_000
_HISTORY = 1_000
_SEND = (
    "NTEvent serviceAndMethod:NodeIKernelMsgService/sendMsg "
    "ListenerName:NodeIKernelMsgListener/onMsgInfoListUpdate EventRet:"
)


def _event_ret(result: int | None, words: str) -> str:
    answer = {} if result is None else {"result": result, "errMsg": words}
    return json.dumps(answer, ensure_ascii=False, indent=4)


def rejected(result: int | None, words: str) -> ActionError:
    """Return what NapCat says when QQ refused a message (NAPCAT.md §2.2 A)."""
    return ActionError(f"EventChecker Failed: {_SEND}\n{_event_ret(result, words)}\n")


def timed_out(result: int | None) -> ActionError:
    """Return what NapCat says when QQ did not confirm in time; None: the call never returned."""
    return ActionError(f"Timeout: {_SEND}\n{_event_ret(result, '')}\n")


async def pause(milliseconds: float) -> None:
    """Wait, and cost nothing when there is nothing to wait for."""
    if milliseconds > 0:
        await asyncio.sleep(milliseconds / 1000)


class Kernel:
    """One QQ account: no order, no rate limit; concurrent sends run concurrently."""

    def __init__(
        self, *, self_id: str, answer_ms: int, seed: int, report_self_message: bool,
        journal: Journal, tasks: Tasks, publisher: Publisher,
    ) -> None:  # fmt: skip
        """Take the account's number, how long a normal send takes, and where its doings are told."""
        self.answer_ms = answer_ms
        self.history: defaultdict[str, deque[Sent]] = defaultdict(lambda: deque(maxlen=_HISTORY))
        self._bans: dict[tuple[str, str], float] = {}
        self._known: OrderedDict[int, Sent] = OrderedDict()
        self._self_id = self_id
        self._sequence = 0
        self._first_id = random.Random(f"{seed}/{self_id}").randrange(10**18)  # noqa: S311 - repeatable, not secret
        self._journal = journal
        self._tasks = tasks
        self._publisher = publisher
        self._report = report_self_message

    async def send(self, target: str, message: list[Segment], wait_ms: float, met: Behaviour) -> Sent:
        """Deliver a message after its time, or raise `ActionError` as NapCat does.

        Whatever comes this far is listed in the history, delivered or not. A send that takes longer than
        `wait_ms` is answered with a timeout and delivered all the same, as QQ does.
        """
        sent = self._enter(target, message)
        if self._is_muted(target):
            met = BEHAVIOURS["mute"]
        takes = self.answer_ms + met.ms
        if met.step == "reject":
            await pause(takes)
            raise rejected(met.result, met.text)
        if met.step == "timeout":
            await pause(met.ms + (wait_ms if met.wait_ms is None else met.wait_ms))
            if met.late_ms is not None:
                self._tasks.own(self._deliver_after(met.late_ms, sent), "late delivery")
            raise timed_out(met.result)
        if takes > wait_ms:
            self._tasks.own(self._deliver_after(takes, sent), "late delivery")
            await pause(wait_ms)
            raise timed_out(0)
        await pause(takes)
        self._deliver(sent)
        return sent

    def find(self, message_id: Any) -> Sent | None:
        """Return an own message by NapCat's id while it is among the last 5000 since the start."""
        try:
            return self._known.get(int(message_id))
        except (TypeError, ValueError):
            return None

    def recall(self, sent: Sent) -> None:
        """Take a message back: it is gone from the history and cannot be found any more."""
        del self._known[sent.message_id]
        if sent in self.history[sent.target]:
            self.history[sent.target].remove(sent)
        self._journal.recalled.append(sent.message_id)

    def ban(self, group: str, user: str, seconds: int) -> None:
        """Mute the account (user 0: the whole group) for so long; 0 ends it, less than 0 lasts."""
        until = math.inf if seconds < 0 else time.time() + seconds
        self._bans[group, user] = until if seconds else 0

    def shut_up_until(self, group: str) -> int:
        """Return the epoch second until which the account itself is muted in a group, or 0."""
        until = self._bans.get((group, self._self_id), 0)
        return int(min(until, 2**31 - 1)) if until > time.time() else 0

    def forget_ids(self) -> None:
        """Lose the table of message ids, as a restart of NapCat does."""
        self._known.clear()

    def forget(self) -> None:
        """Lose ids, history and mutes; the numbering goes on, so no id comes twice."""
        self.forget_ids()
        self.history.clear()
        self._bans.clear()

    def _is_muted(self, target: str) -> bool:
        kind, _, group = target.partition(":")
        if kind != "group" or not self._bans:
            return False
        now = time.time()
        return any(self._bans.get((group, user), 0) > now for user in (self._self_id, "0"))

    def _enter(self, target: str, message: list[Segment]) -> Sent:
        self._sequence += 1
        kind, _, peer = target.partition(":")
        name = f"{self._first_id + self._sequence}|{2 if kind == 'group' else 1}|{peer}"
        digest = hashlib.md5(name.encode(), usedforsecurity=False).digest()
        message_id = int.from_bytes(digest[:4]) & 0x7FFF_FFFF
        sent = Sent(message_id, self._sequence, target, message, int(time.time()))
        self.history[target].append(sent)
        self._known[message_id] = sent
        if len(self._known) > _KNOWN:
            self._known.popitem(last=False)
        return sent

    def _deliver(self, sent: Sent) -> None:
        self._journal.delivered.append(
            Delivered(sent.message_id, sent.target, text_of(sent.message), sent.message, time.monotonic())
        )
        if self._report and self._publisher.is_heard:
            self._tasks.own(self._publisher.publish(own_message(sent, self._self_id)), "message_sent")

    async def _deliver_after(self, milliseconds: float, sent: Sent) -> None:
        await pause(milliseconds)
        self._deliver(sent)
