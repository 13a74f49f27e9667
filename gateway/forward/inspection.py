"""Whether an account's NapCat would do what is meant, asked once from outside: it sends nothing and changes nothing."""

import asyncio
from collections.abc import Sequence
from typing import NamedTuple

import aiohttp

from gateway.forward.answer import Reply
from gateway.forward.endpoint import events_address, session, websocket_address
from gateway.forward.failure import words
from gateway.forward.listener import TOKEN_REFUSED, Frame
from gateway.forward.napcat import NapCat
from gateway.forward.transport import napcat_of
from gateway.forward.verdict import judge
from gateway.forward.watch import implementation_of
from gateway.model.finding import Finding, Level
from gateway.model.veil import Veil
from gateway.model.verdict import Rule
from gateway.settings import LOOPBACK, Account

_ANSWER_MS = 2_500  # how long a question may take to be answered
_EVENTS_S = 3.0  # how long a connection for events may take to come about, and then to say the first thing
_TOKEN = "write the token of NapCat's network settings, there or into its secret file"  # noqa: S105 - advice
_CONFIRMS = "set events_url to NapCat's WebSocket server, or events_secret and an HTTP client in NapCat"

_place = Veil()  # an address may hold a password

_FAULTS: dict[str, tuple[str, str, str]] = {
    "not_connected": (
        "endpoint",
        "nothing takes connections at {place} ({words})",
        "see that NapCat runs, and that its {server} is switched on and listens there",
    ),
    "no_answer": ("endpoint", "{place} takes the connection and does not answer in time", "restart NapCat"),
    "unreadable_answer": ("endpoint", "what answers at {place} is no OneBot", "let it lead to NapCat's {server}"),
    "bad_token": ("token", "NapCat at {place} refuses it", _TOKEN),
    "redirected": ("endpoint", "{place} answers with a redirect", "write the address it leads to, https:// perhaps"),
    "unknown_action": ("endpoint", "{place} knows no OneBot actions", "see the path in the address"),
    "adapter_closed": (
        "endpoint",
        "NapCat at {place} has it switched off",
        "switch it on in NapCat's network settings",
    ),
    "proxy_error": ("endpoint", "a proxy at {place} has no NapCat behind it", "see the proxy, and that NapCat runs"),
    "busy": ("endpoint", "a proxy at {place} is overloaded or has no NapCat behind it", "see the proxy"),
}
"""What the answer to a question means, by the rule it meets: the setting it is about, what it is, what to do."""


class Inspected(NamedTuple):
    """What was found at one account, and the QQ number that is logged in there ("": not known)."""

    findings: list[Finding]
    number: str


async def inspect(position: int, account: Account, rules: Sequence[Rule], slack_ms: int) -> Inspected:
    """Ask the NapCat of ACCOUNT, the one at POSITION of the settings, how it is; takes 10 s at most."""
    inspection = _Inspection(f"accounts.{position}", account, rules)
    async with napcat_of(account, slack_ms) as napcat:
        (found, number), heard = await asyncio.gather(inspection.asked(napcat), inspection.heard())
    return Inspected([*found, *heard], number)


class _Inspection:
    """The questions to one account, and how their answers are read."""

    def __init__(self, key: str, account: Account, rules: Sequence[Rule]) -> None:
        self._key = key
        self._account = account
        self._rules = rules
        self._over_ws = account.transport == "ws"
        self._place = _place(websocket_address(account.endpoint) if self._over_ws else account.endpoint)

    async def asked(self, napcat: NapCat) -> tuple[list[Finding], str]:
        """Return what NapCat answers, and who is logged in."""
        status = await napcat.ask("get_status", {}, _ANSWER_MS)
        # One that does not know this question may know the next; one that is not there need not be asked again.
        if (fault := self._fault(status)) is not None and status.answer.status is None:
            return [fault], ""
        login, version = await asyncio.gather(
            napcat.ask("get_login_info", {}, _ANSWER_MS), napcat.ask("get_version_info", {}, _ANSWER_MS)
        )
        number = str(login.field("user_id") or "")
        found = [self._fine("endpoint", f"{_program(version)} answers at {self._place}")]
        found += self._login(status, login, number)
        seen = implementation_of(version)
        if seen is not None and self._account.implementation not in {"auto", seen}:
            found.append(
                self._advice(
                    "implementation", f"is {self._account.implementation}, and {seen} answers", "write auto, or that"
                )
            )
        if not self._account.token.get_secret_value() and not self._is_near():
            found.append(
                self._advice("token", "NapCat takes calls of everybody who reaches it", "set one in NapCat and here")
            )
        return found, number

    def _login(self, status: Reply, login: Reply, number: str) -> list[Finding]:
        expected = self._account.self_id
        if status.field("online") is False:
            return [self._report("fault", "", "QQ has it logged out", "log it in again in NapCat")]
        if not number:
            found = self._fault(login)
            return [found or self._report("fault", "", "NapCat does not say who is logged in", "see NapCat's log")]
        if expected and number != expected:
            return [
                self._report(
                    "fault",
                    "self_id",
                    f"is {expected}, and {number} is logged in",
                    "log the right one in, or change it",
                )
            ]
        return [self._fine("", f"{number} is logged in and online")]

    async def heard(self) -> list[Finding]:
        """Return whether events come."""
        address = events_address(self._account)
        if address:
            return [await self._first_event(address)]
        if self._account.events_secret.get_secret_value():
            return [self._fine("events_secret", f"NapCat is to post its events to /napcat/{self._account.name}/events")]
        return [self._advice("events_url", "no events: unclear answers and mutes go unnoticed", _CONFIRMS)]

    async def _first_event(self, address: str) -> Finding:
        place, head, why = _place(address), Frame(), "sends something that is no event"
        try:
            async with asyncio.timeout(_EVENTS_S):
                head = await self._first_frame(address)
        except aiohttp.WSServerHandshakeError as error:
            head = Frame(retcode=TOKEN_REFUSED if error.status in {401, 403} else None)
            why = f"answers {error.status}, and no WebSocket"
        except TimeoutError:
            why = "says nothing, and NapCat would begin with an event"
        except (aiohttp.ClientError, OSError, ValueError) as error:
            why = f"cannot be heard ({words(error)})"
        if head.post_type:
            return self._fine("events_url", f"events are heard at {place}")
        if head.retcode == TOKEN_REFUSED:
            return self._report("fault", "token", f"NapCat at {place} refuses it", _TOKEN)
        key = "events_url" if self._account.events_url else "endpoint"
        return self._report("fault", key, f"{place} {why}", "let it lead to NapCat's WebSocket server, and not to /api")

    async def _first_frame(self, address: str) -> Frame:
        """Return what a connection for events begins with."""
        async with (
            session(self._account.token.get_secret_value()) as client,
            client.ws_connect(address, timeout=aiohttp.ClientWSTimeout(ws_close=0.2)) as socket,
        ):
            message = await socket.receive()
            return Frame.read(message.data.encode()) if message.type is aiohttp.WSMsgType.TEXT else Frame()

    def _fault(self, reply: Reply) -> Finding | None:
        """Return what an answer that is none says; None for an answer."""
        if reply.answer.status == "ok":
            return None
        ruling = judge(reply.answer, self._rules, None)
        server = "WebSocket server" if self._over_ws else "HTTP server"
        if ruling.rule.name not in _FAULTS:
            return self._report(
                "fault", "endpoint", f"{self._place} answers: {ruling.text or ruling.rule.name}", "see NapCat's log"
            )
        key, detail, remedy = _FAULTS[ruling.rule.name]
        return self._report(
            "fault", key, detail.format(place=self._place, words=reply.answer.text), remedy.format(server=server)
        )

    def _is_near(self) -> bool:
        return any(f"//{host}" in self._account.endpoint.replace("[", "").replace("]", "") for host in LOOPBACK)

    def _fine(self, key: str, detail: str) -> Finding:
        return self._report("fine", key, detail)

    def _advice(self, key: str, detail: str, remedy: str) -> Finding:
        return self._report("advice", key, detail, remedy)

    def _report(self, level: Level, key: str, detail: str, remedy: str = "") -> Finding:
        return Finding(level, f"{self._key}.{key}" if key else self._key, detail, remedy, self._account.name)


def _program(version: Reply) -> str:
    name, number = version.field("app_name"), version.field("app_version")
    return " ".join(str(part)[:40] for part in (name or "a OneBot", number) if part)
