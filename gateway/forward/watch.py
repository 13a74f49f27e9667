"""Whether an account works, found out by asking NapCat, so that no message is spent on it."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from gateway.forward.answer import Reply
from gateway.forward.napcat import NapCat
from gateway.forward.verdict import judge
from gateway.model.instant import format_instant
from gateway.model.verdict import Implementation, Rule
from gateway.settings import Account
from gateway.store.scripts import Scripts
from gateway.store.values import Noted
from gateway.telemetry import Event, Log

PROBED_AWAY = (
    "not_connected bad_token redirected proxy_error busy no_answer unreadable_answer bot_offline wrong_account"
)
"""Reasons of a pause that asking NapCat can refute; the others rest until their time is over."""

_ANSWER_MS = 4_000  # how long NapCat may take to answer a question
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


class Finding(NamedTuple):
    """Why an account does not work ("": it does), and how long it is paused for that at first."""

    reason: str
    pause_ms: int


_WELL = Finding("", _PAUSE_MS)


class Watch:
    """Asks the NapCat of one account how it is.

    implementation  which program answers there; None while that is not known
    number          the QQ number that is, or has to be, logged in; "" while that is not known
    """

    def __init__(self, account: Account, napcat: NapCat, rules: Sequence[Rule], scripts: Scripts) -> None:
        """Read failures by RULES, and let only the number be logged in that ACCOUNT names, or the one seen first."""
        told = account.implementation
        self.implementation: Implementation | None = None if told == "auto" else told
        self.number = account.self_id
        self._account = account.name
        self._napcat = napcat
        self._rules = rules
        self._scripts = scripts
        self._expected = account.self_id
        self._told: tuple[str, str] | None = None
        self._log = Log(account=account.name)

    async def probe(self) -> None:
        """Find out whether the account works, and pause it or let it go on; raises StoreUnavailable.

        `get_status` has to say that it is online (which NapCat may say of a dead session: #39, #1258, so that calls
        are tried gently after a pause), and `get_login_info` that it is the right one.
        """
        finding, login = await self._look()
        probed = await self._scripts.probed(self._account, *finding, login, self._expected)
        if probed.number:
            self.number = probed.number
        if probed.state == "wrong_account":
            finding = Finding("wrong_account", 0)
        if (finding.reason, login) == self._told:
            return
        self._told = finding.reason, login
        tell = {"paused": self._log.warning, "wrong_account": self._log.error}.get(probed.state, self._log.info)
        known = {
            "reason": finding.reason,
            "login": login,
            "expected": probed.number,
            "implementation": self.implementation,
            "until": format_instant(probed.until) if probed.until else None,
        }
        tell(Event.ACCOUNT_PROBED, state=probed.state, **{name: value for name, value in known.items() if value})

    async def explore(self, noted: Noted) -> None:
        """Find out more of what an answer held: until when a muted group is muted (`get_group_member_info`)."""
        kind, _, group = noted.name.partition(":")
        if (noted.what, noted.reason, kind) != ("held", "muted", "group") or not self.number:
            return
        params = {"group_id": group, "user_id": self.number, "no_cache": True}
        reply = await self._napcat.ask("get_group_member_info", params, _ANSWER_MS)
        ends = _field(reply, "shut_up_timestamp")
        if isinstance(ends, int) and ends > 0:
            await self._scripts.hold(self._account, noted.name, noted.reason, operator=False, until=ends * 1_000)

    async def _look(self) -> tuple[Finding, str]:
        """Return what is wrong, and the number that is logged in, as far as both can be told."""
        status = await self._napcat.ask("get_status", {}, _ANSWER_MS)
        finding = self._read(status)
        if finding.reason:
            return finding, ""
        login = await self._napcat.ask("get_login_info", {}, _ANSWER_MS)
        finding = self._read(login)
        if not finding.reason and self.implementation is None:
            self.implementation = _implementation(await self._napcat.ask("get_version_info", {}, _ANSWER_MS))
        number = _field(login, "user_id")
        return finding, str(number) if isinstance(number, int | str) and str(number).isdecimal() else ""

    def _read(self, reply: Reply) -> Finding:
        """Return what an answer to a question says of the account."""
        answer = reply.answer
        if answer.status == "ok":
            return Finding("bot_offline", _PAUSE_MS) if _field(reply, "online") is False else _WELL
        rule = judge(answer, self._rules, self.implementation).rule
        if rule.effect == "pause":
            return Finding(rule.name, rule.hold)
        # An implementation that does not know the question, or fails at it, is there at least.
        return _WELL if answer.status is not None or rule.name == "unknown_action" else Finding(rule.name, _PAUSE_MS)


def _field(reply: Reply, name: str) -> Any:
    return reply.data.get(name) if isinstance(reply.data, dict) else None


def _implementation(reply: Reply) -> Implementation | None:
    name = str(_field(reply, "app_name") or "").lower()
    if not name and _field(reply, "onebot_version") == "12":
        return "onebot12"
    return next((known for word, known in _IMPLEMENTATIONS.items() if word in name), None)
