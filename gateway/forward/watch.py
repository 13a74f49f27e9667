"""Whether an account works, found out by asking NapCat, so that no message is spent on it."""

import asyncio
import re
from collections.abc import Sequence
from typing import NamedTuple

from gateway.clock import Clock
from gateway.forward.answer import Reply
from gateway.forward.napcat import NapCat
from gateway.forward.verdict import judge
from gateway.model.contact import Contact
from gateway.model.instant import format_instant
from gateway.model.target import Target
from gateway.model.verdict import Answer, Implementation, Rule
from gateway.settings import Account
from gateway.store.scripts.lanes import LaneScripts
from gateway.telemetry import Event, Log

PROBED_AWAY = (
    "not_connected bad_token redirected proxy_error busy no_answer unreadable_answer bot_offline wrong_account"
)
"""Reasons of a pause that asking NapCat can refute; the others rest until their time is over."""

LONGEST_MUTE_S = 60 * 86_400
"""What claims to be a longer mute is none: QQ mutes for 30 days at most."""

_STAYED_AWAY = frozenset({"timeout", "reset"})  # answers to what something took, and may be busy with
_ANSWER_MS = 2_500  # how long NapCat may take to answer a question
_SILENCE_S = 5.0  # a NapCat that was not heard for this long may be another one; it takes longer to start and log in
_NUMBER = re.compile(r"[1-9][0-9]{4,19}", re.ASCII)
_PAUSE_MS = 1_000  # the first pause; the lanes double it up to 30 s
_IMPLEMENTATIONS: dict[str, Implementation] = {
    "napcat": "napcat",
    "llonebot": "llonebot",
    "luckylillia": "llonebot",
    "llbot": "llonebot",
    "go-cqhttp": "go-cqhttp",
    "lagrange": "lagrange",
}
"""What `app_name` of `get_version_info` contains, in lower case."""


class Health(NamedTuple):
    """Why an account does not work ("": it does), and how long it is paused for that at first."""

    reason: str
    pause_ms: int


OFFLINE = Health("bot_offline", _PAUSE_MS)
"""QQ has logged the account out."""

_WELL = Health("", _PAUSE_MS)


class Watch:
    """Asks the NapCat of one account how it is.

    implementation  which program answers there; None while that is not known
    number          the QQ number that is, or has to be, logged in; "" while that is not known
    contact         whether it answers, and has QQ, as far as is known
    """

    def __init__(
        self, account: Account, napcat: NapCat, rules: Sequence[Rule], scripts: LaneScripts, clock: Clock
    ) -> None:
        """Read failures by RULES, and let only the number be logged in that ACCOUNT names, or the one seen first."""
        self._asks_who = account.implementation == "auto"
        self.implementation: Implementation | None = (
            None if account.implementation == "auto" else account.implementation
        )
        self.number = account.self_id
        self.contact = Contact()
        self._account = account.name
        self._napcat = napcat
        self._rules = rules
        self._scripts = scripts
        self._clock = clock
        self._heard = float("-inf")
        self._probing: asyncio.Task[bool] | None = None
        self._examining = asyncio.Semaphore(1)
        self._expected = account.self_id
        self._told: tuple[str, str] | None = None
        self._log = Log(account=account.name)

    def hear(self, answer: Answer) -> None:
        """Remember that NapCat answered, or that it may be away."""
        answered = answer.status is not None
        self._heard = self._clock.monotonic() if answered else float("-inf")
        if answer.error != "pool":
            self._meet(answer, self.contact.online if answered else None, asked=False)

    def _meet(self, answer: Answer, online: bool | None, *, asked: bool) -> None:
        """Take what ANSWER shows of NapCat; none says little of it after a message, enough after a question (ASKED)."""
        reachable: bool | None = answer.status is not None or answer.http_status is not None
        if answer.error == "unparsable":
            reachable = True
        elif answer.error in _STAYED_AWAY and not reachable and not asked:
            reachable = None
        self.contact = Contact(reachable, online, self._clock.epoch_ms())

    async def ready(self, until: float) -> bool:
        """Return whether a message may be sent: NapCat was heard just now, or is well when it is asked.

        In the seconds since, it may have been restarted as somebody else, or hang; no message is spent on finding out.
        All who want to know wait for one probe, up to UNTIL (monotonic seconds). Raises StoreUnavailable.
        """
        if self.fresh:
            return True
        if self._probing is None:
            self._probing = asyncio.create_task(self.probe(), name=f"probe {self._account}")
            self._probing.add_done_callback(self._probed)
        probing = self._probing
        await asyncio.wait({probing}, timeout=max(0.0, until - self._clock.monotonic()))
        return probing.result() if probing.done() and not probing.cancelled() else False

    def _probed(self, probing: "asyncio.Task[bool]") -> None:
        self._probing = None
        if not probing.cancelled():
            probing.exception()  # told to those who wait, if there are any

    async def close(self) -> None:
        """Give up a probe that is under way."""
        if self._probing is not None:
            self._probing.cancel()
            await asyncio.wait({self._probing})

    @property
    def fresh(self) -> bool:
        """Whether NapCat was heard just now."""
        return self._napcat.unbroken and self._clock.monotonic() - self._heard < _SILENCE_S

    async def probe(self) -> bool:
        """Find out whether the account works, and pause it or let it go on; raises StoreUnavailable.

        `get_status` has to say that it is online (which NapCat may say of a dead session: #39, #1258, so that calls
        are tried gently after a pause), and `get_login_info` that it is the right one. Return whether it works.
        """
        self._heard = float("-inf")
        health, login = await self._look()
        if health is None:
            return False
        probed = await self._scripts.probed(self._account, *health, login, self._expected)
        if probed.number:
            self.number = probed.number
        if probed.state == "wrong_account":
            health = Health("wrong_account", 0)
        if not health.reason:
            self._heard = self._clock.monotonic()
        if (health.reason, login) == self._told:
            return not health.reason
        self._told = health.reason, login
        tell = {"paused": self._log.warning, "wrong_account": self._log.error}.get(probed.state, self._log.info)
        known = {
            "reason": health.reason,
            "login": login,
            "expected": probed.number,
            "implementation": self.implementation,
            "until": format_instant(probed.until) if probed.until else None,
        }
        tell(Event.ACCOUNT_PROBED, state=probed.state, **{name: value for name, value in known.items() if value})
        return not health.reason

    async def examine(self, target: Target) -> None:
        """Find out until when the account is muted in a group (`get_group_member_info`); raises StoreUnavailable."""
        if target.kind != "group" or not self.number:
            return
        params = {"group_id": target.id, "user_id": self.number, "no_cache": True}
        async with self._examining:
            reply = await self._napcat.ask("get_group_member_info", params, _ANSWER_MS)
        ends = reply.field("shut_up_timestamp")
        if type(ends) is int and 0 <= ends < self._clock.epoch_ms() // 1_000 + LONGEST_MUTE_S:
            await self._scripts.mute(self._account, str(target), ends * 1_000)

    async def _look(self) -> tuple[Health | None, str]:
        """Return what is wrong, and the number that is logged in, as far as both can be told (None: not at all)."""
        status = await self._napcat.ask("get_status", {}, _ANSWER_MS)
        if status.answer.error == "pool":
            return None, ""
        health = self._read(status)
        online = status.field("online")
        self._meet(status.answer, online if isinstance(online, bool) else None, asked=True)
        if health.reason not in {"", "unknown_action"}:  # one that does not know this question may know the next
            return health, ""
        login = await self._napcat.ask("get_login_info", {}, _ANSWER_MS)
        health = self._read(login)
        if self._asks_who and not health.reason and (self.implementation is None or not self._was_well()):
            self.implementation = implementation_of(await self._napcat.ask("get_version_info", {}, _ANSWER_MS))
        number = str(login.field("user_id"))
        return health, number if _NUMBER.fullmatch(number) else ""

    def _was_well(self) -> bool:
        return self._told is not None and not self._told[0]

    def _read(self, reply: Reply) -> Health:
        """Return what an answer to a question says of the account."""
        answer = reply.answer
        if answer.status == "ok":
            return _WELL if reply.field("online", True) is True else OFFLINE
        rule = judge(answer, self._rules, self.implementation).rule
        if rule.effect == "pause":
            return Health(rule.name, rule.hold)
        # An implementation that does not know the question, or fails at it, is there at least.
        return _WELL if answer.status is not None or rule.name == "unknown_action" else Health(rule.name, _PAUSE_MS)


def implementation_of(reply: Reply) -> Implementation | None:
    """Return which program answered `get_version_info`; None for one that is not known."""
    name = str(reply.field("app_name") or "").lower()
    if not name and reply.field("onebot_version") == "12":
        return "onebot12"
    return next((known for word, known in _IMPLEMENTATIONS.items() if word in name), None)
