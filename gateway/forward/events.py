"""NapCat's own events: what it says was sent settles what an answer left open, and what it notices holds or frees."""

import hashlib
import hmac
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from aiohttp import web
from pydantic import ValidationError

from gateway.clock import Clock
from gateway.convert import fingerprint
from gateway.forward.notices import Notices
from gateway.forward.reports import (
    BotOffline,
    FriendRecall,
    GroupBan,
    GroupRecall,
    Heartbeat,
    Kicked,
    Lifecycle,
    Report,
    SentMessage,
)
from gateway.forward.watch import LONGEST_MUTE_S, OFFLINE, PROBED_AWAY, Watch
from gateway.lanes.runner import LaneRunner
from gateway.model.instant import format_instant
from gateway.settings import Account
from gateway.store.bell import Bell
from gateway.store.scripts import Scripts
from gateway.store.values import TickPolicy
from gateway.telemetry import Event, Log
from gateway.web import problem

_UNTIL_LIFTED_S = 600  # how long a group whose mute has no end is parked; its lifting is an event of its own
_TELL_S = 60.0  # between two lines of the log about events refused for the same reason


class Events:
    """Takes the events of the accounts, posted and signed with the account's secret, or heard by a listener.

    `tallies` counts per account what came and what was refused, by reason.
    """

    def __init__(
        self,
        accounts: Mapping[str, Account],
        policies: Mapping[str, TickPolicy],
        scripts: Scripts,
        bell: Bell,
        clock: Clock,
        watches: Mapping[str, Watch],
        lanes: Mapping[str, LaneRunner],
    ) -> None:
        """Act through SCRIPTS; ring the BELL when something may go on; WATCHES know who is logged in.

        What is given by account may change meanwhile: a reload adds accounts and takes them away.
        """
        self._accounts = accounts
        self._policies = policies
        self._scripts = scripts
        self._bell = bell
        self._clock = clock
        self._watches = watches
        self._lanes = lanes
        # One for each account: what one says first must not silence another.
        self._notices: Mapping[str, Notices] = defaultdict(lambda: Notices(clock))
        self._refused: dict[tuple[str, str], float] = {}
        self._log = Log()
        self.tallies: Mapping[str, Counter[str]] = defaultdict(Counter)
        # Anybody can put these words into an event, as their nickname or as all they say; the models look closer.
        self._kinds: tuple[tuple[bytes, type[Report], Callable[..., Awaitable[None]]], ...] = (
            (b'"message_sent"', SentMessage, self._settle),
            (b'"group_ban"', GroupBan, self._muted),
            (b'"kick_me"', Kicked, self._kicked),
            (b'"group_recall"', GroupRecall, self._recalled_in_group),
            (b'"friend_recall"', FriendRecall, self._recalled_by_friend),
            (b'"bot_offline"', BotOffline, self._offline),
            (b'"heartbeat"', Heartbeat, self._beat),
            (b'"lifecycle"', Lifecycle, self._connected),
        )

    async def post(self, request: web.Request) -> web.Response:
        """Answer `POST /napcat/{account}/events`: 401 without a valid signature, else 204."""
        account = self._accounts.get(request.match_info["account"])
        if account is None:
            return problem(404, "account_unknown", "no account has this name")
        body = await request.read()
        if not genuine(body, account.events_secret.get_secret_value(), request.headers.get("X-Signature", "")):
            self._refuse(account.name, "signature")
            return problem(
                401, "signature_invalid", "X-Signature must be sha1=<HMAC-SHA1 of the body with events_secret>"
            )
        await self.take(account.name, body)
        # NapCat reads any other answer as an instruction (a quick operation).
        return web.Response(status=204)

    async def take(self, account: str, body: bytes) -> None:
        """Act on the event in BODY, from a source that is trusted: settle by a report, hold or let go by a notice.

        What is no event, or one that says nothing to the gateway, is passed over. Raises StoreUnavailable.
        """
        if account not in self._accounts:  # it was removed while this event was on its way
            return
        self.tallies[account]["taken"] += 1
        for word, model, act in self._kinds:
            if word in body and await self._read(account, body, model, act):
                return

    async def _read(self, account: str, body: bytes, model: type[Report], act: Callable[..., Awaitable[None]]) -> bool:
        """Act on the event if it is one of MODEL; return whether it was."""
        try:
            event = model.model_validate_json(body)
        except ValidationError as error:
            if any(fault["type"] == "literal_error" for fault in error.errors()):
                return False  # another event that only has the word in it
            self._refuse(account, "shape", fields=[fault["loc"] for fault in error.errors()])
            return True
        number = self._watches[account].number
        if event.self_id is not None and number and event.self_id != number:
            self._somebody_else(account, event.self_id, number)
        elif (stale := self._notices[account].stale(event, body)) is not None:
            self._refuse(account, stale)
        else:
            await act(account, event)
            self._notices[account].take(event, body)
        return True

    def _somebody_else(self, account: str, number: str, expected: str) -> None:
        """Refuse an event of another number, and find out who is logged in."""
        self._refuse(account, "self_id", self_id=number, expected=expected)
        self._lanes[account].recheck()

    def _refuse(self, account: str, reason: str, **fields: Any) -> None:
        """Count an event that does nothing; tell so once a minute, since anybody may send any number of them."""
        self.tallies[account][reason] += 1
        now = self._clock.monotonic()
        if reason == "repeated" or now - self._refused.get((account, reason), -_TELL_S) < _TELL_S:
            return  # the former is ordinary where events come on two ways
        self._refused[account, reason] = now
        self._log.warning(
            Event.EVENT_REFUSED, account=account, reason=reason, times=self.tallies[account][reason], **fields
        )

    async def _settle(self, account: str, sent: SentMessage) -> None:
        if sent.target is None:
            return
        outcome, _ = await self._scripts.evidence(
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
        if outcome == "credited":
            await self._bell.ring([account])

    async def _muted(self, account: str, ban: GroupBan) -> None:
        """Park a group for as long as it mutes this account or everybody; let it go when that is lifted."""
        if ban.user_id not in {"0", ban.self_id}:
            return
        group = f"group:{ban.group_id}"
        if ban.sub_type == "lift_ban":
            await self._release(account, group, "muted")
        else:
            seconds = min(ban.duration, LONGEST_MUTE_S) if ban.duration > 0 else _UNTIL_LIFTED_S
            await self._hold(account, group, "muted", 1_000 * seconds)

    async def _kicked(self, account: str, kicked: Kicked) -> None:
        """End what waits for a group the account is no longer in: none of it can ever be sent."""
        group = f"group:{kicked.group_id}"
        while await self._scripts.reject(account, self._policies[account], group, "kicked"):
            pass

    async def _recalled_in_group(self, account: str, recall: GroupRecall) -> None:
        await self._recalled(account, f"group:{recall.group_id}", recall.message_id)

    async def _recalled_by_friend(self, account: str, recall: FriendRecall) -> None:
        await self._recalled(account, f"private:{recall.user_id}", recall.message_id)

    async def _recalled(self, account: str, target: str, message_id: str) -> None:
        """Note in its receipt that a message of ours was taken back."""
        job = await self._scripts.recall(account, target, int(message_id))
        if job is not None:
            self._log.info(Event.MESSAGE_RECALLED, job=f"{account}.{job}", target=target, message_id=int(message_id))

    async def _offline(self, account: str, _: BotOffline) -> None:
        """Pause an account that QQ has logged out; NapCat is asked now and then whether it is back."""
        await self._hold(account, "account", *OFFLINE)

    async def _beat(self, account: str, beat: Heartbeat) -> None:
        """Look at once whether an account is back that says it is online, and pause one that says it is not."""
        if beat.status.online:
            await self._release(account, "account", OFFLINE.reason)
        else:
            await self._hold(account, "account", *OFFLINE)

    async def _connected(self, account: str, _: Lifecycle) -> None:
        """Look at once whether the account works: NapCat may have been away, and be back as somebody else."""
        await self._release(account, "account", PROBED_AWAY)
        self._lanes[account].recheck()

    async def _hold(self, account: str, name: str, reason: str, milliseconds: int) -> None:
        until = await self._scripts.hold(account, name, reason, operator=False, milliseconds=milliseconds)
        if until is not None:
            self._log.info(Event.LANE_HELD, account=account, name=name, reason=reason, until=format_instant(until))
            await self._bell.ring([account])

    async def _release(self, account: str, name: str, reason: str) -> None:
        if await self._scripts.release(account, name, reason, operator=False):
            self._log.info(Event.LANE_RELEASED, account=account, name=name)
            await self._bell.ring([account])


def genuine(body: bytes, secret: str, signature: str) -> bool:
    """Return whether SIGNATURE is NapCat's for BODY: `sha1=<hex HMAC-SHA1>`; without a secret nothing is genuine."""
    expected = "sha1=" + hmac.new(secret.encode(), body, hashlib.sha1).hexdigest()
    return bool(secret) and hmac.compare_digest(expected.encode(), signature.encode("utf-8", "replace"))
