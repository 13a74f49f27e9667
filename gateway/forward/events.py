"""NapCat's own event posts: what it says was sent settles what an answer left open."""

import hashlib
import hmac
from collections.abc import Awaitable, Callable
from typing import Any, Literal

from aiohttp import web
from pydantic import BaseModel, ConfigDict, ValidationError

from gateway.convert import fingerprint
from gateway.model.instant import format_instant
from gateway.model.spelling import QQ
from gateway.model.target import Target
from gateway.settings import Account
from gateway.store.bell import Bell
from gateway.store.scripts import Scripts
from gateway.store.values import TickPolicy
from gateway.telemetry import Event, Log
from gateway.web import problem

_OFFLINE = "bot_offline"
_OFFLINE_S = 600  # how long a logged-out account rests before one call tries it again
_UNTIL_LIFTED_S = 600  # the same for a group whose mute has no end; its lifting is an event of its own


class _Event(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", coerce_numbers_to_str=True)


class SentMessage(_Event):
    """NapCat's report of a message this account has sent (NapCat 4.18, `message_sent`, array format)."""

    post_type: Literal["message_sent"]
    message_type: str
    message_id: int
    time: int
    message: list[dict[str, Any]]
    group_id: str | None = None
    target_id: str | None = None

    @property
    def target(self) -> Target | None:
        """The lane this message went through, or None when the event does not say."""
        if self.message_type == "group" and self.group_id is not None:
            return Target("group", self.group_id)
        return Target("private", self.target_id) if self.target_id is not None else None


class GroupBan(_Event):
    """A mute or its end (OneBot 11): of one person for `duration` seconds, or of everybody (user 0, -1: no end)."""

    post_type: Literal["notice"]
    notice_type: Literal["group_ban"]
    sub_type: Literal["ban", "lift_ban"]
    self_id: QQ
    group_id: QQ
    user_id: str
    duration: int = 0


class BotOffline(_Event):
    """QQ has logged the account out (NapCat 4.18, index.ts)."""

    post_type: Literal["notice"]
    notice_type: Literal["bot_offline"]


class _Status(_Event):
    online: bool


class Heartbeat(_Event):
    """The regular sign of life, which says whether the account is online."""

    post_type: Literal["meta_event"]
    meta_event_type: Literal["heartbeat"]
    status: _Status


class Events:
    """Takes the events of the accounts, each signed with its own secret."""

    def __init__(
        self, accounts: dict[str, Account], policies: dict[str, TickPolicy], scripts: Scripts, bell: Bell
    ) -> None:
        """Settle through SCRIPTS; ring the BELL when a lane can go on."""
        self._accounts = accounts
        self._policies = policies
        self._scripts = scripts
        self._bell = bell
        self._log = Log()

    async def post(self, request: web.Request) -> web.Response:
        """Answer `POST /napcat/{account}/events`: 401 without a valid signature, else 204."""
        account = self._accounts.get(request.match_info["account"])
        if account is None:
            return problem(404, "account_unknown", "no account has this name")
        body = await request.read()
        if not genuine(body, account.events_secret.get_secret_value(), request.headers.get("X-Signature", "")):
            self._log.warning(Event.EVENT_REFUSED, account=account.name, reason="signature")
            return problem(
                401, "signature_invalid", "X-Signature must be sha1=<HMAC-SHA1 of the body with events_secret>"
            )
        await self.take(account.name, body)
        # NapCat reads any other answer as an instruction (a quick operation).
        return web.Response(status=204)

    async def take(self, account: str, body: bytes) -> None:
        """Act on the event in BODY: settle by a report of a sent message, hold or let go by a notice."""
        # Anybody can put these words into an event, as their nickname or as all they say; the models look closer.
        for word, model, act in (
            (b'"message_sent"', SentMessage, self._settle),
            (b'"group_ban"', GroupBan, self._muted),
            (b'"bot_offline"', BotOffline, self._offline),
            (b'"heartbeat"', Heartbeat, self._beat),
        ):
            if word in body and await self._read(account, body, model, act):
                return

    async def _read(self, account: str, body: bytes, model: type[_Event], act: Callable[..., Awaitable[None]]) -> bool:
        """Act on the event if it is one of MODEL; return whether it was."""
        try:
            event = model.model_validate_json(body)
        except ValidationError as error:
            if any(fault["type"] == "literal_error" for fault in error.errors()):
                return False  # another event that only has the word in it
            fields = [fault["loc"] for fault in error.errors()]
            self._log.warning(Event.EVENT_REFUSED, account=account, reason="shape", fields=fields)
            return True
        await act(account, event)
        return True

    async def _settle(self, account: str, sent: SentMessage) -> None:
        if sent.target is None:
            return
        outcome, ended = await self._scripts.evidence(
            account, self._policies[account], str(sent.target), fingerprint(sent.message), sent.message_id, sent.time
        )
        if outcome in {"credited", "ambiguous"}:
            self._log.info(
                Event.EVENT_MATCHED,
                account=account,
                target=str(sent.target),
                outcome=outcome,
                message_id=sent.message_id,
            )
        for job in ended:
            self._log.info(
                Event.JOB_ENDED, job=f"{account}.{job.job_id}", target=job.target, state=job.state, evidence="event"
            )
        if outcome == "credited":
            await self._bell.ring([account])

    async def _muted(self, account: str, ban: GroupBan) -> None:
        """Park a group for as long as it mutes this account or everybody; let it go when that is lifted."""
        if ban.user_id not in {"0", ban.self_id}:
            return
        group = f"group:{ban.group_id}"
        if ban.sub_type == "lift_ban":
            await self._release(account, group, "")
        else:
            await self._hold(account, group, "muted", ban.duration if ban.duration > 0 else _UNTIL_LIFTED_S)

    async def _offline(self, account: str, _: BotOffline) -> None:
        """Pause an account that QQ has logged out; when the time is over, one call finds out whether it is back."""
        await self._hold(account, "account", _OFFLINE, _OFFLINE_S)

    async def _beat(self, account: str, beat: Heartbeat) -> None:
        """Try an account again that is online again, and pause one that is not."""
        if beat.status.online:
            await self._release(account, "account", _OFFLINE)
        else:
            await self._hold(account, "account", _OFFLINE, _OFFLINE_S)

    async def _hold(self, account: str, name: str, reason: str, seconds: int) -> None:
        until = await self._scripts.hold(account, name, reason, operator=False, milliseconds=seconds * 1000)
        if until is not None:
            self._log.info(Event.LANE_HELD, account=account, name=name, reason=reason, until=format_instant(until))

    async def _release(self, account: str, name: str, reason: str) -> None:
        if await self._scripts.release(account, name, reason, operator=False):
            self._log.info(Event.LANE_RELEASED, account=account, name=name)
            await self._bell.ring([account])


def genuine(body: bytes, secret: str, signature: str) -> bool:
    """Return whether SIGNATURE is NapCat's for BODY: `sha1=<hex HMAC-SHA1>`; without a secret nothing is genuine."""
    expected = "sha1=" + hmac.new(secret.encode(), body, hashlib.sha1).hexdigest()
    return bool(secret) and hmac.compare_digest(expected.encode(), signature.encode("utf-8", "replace"))
