"""NapCat's own event posts: what it says was sent settles what an answer left open."""

import hashlib
import hmac
from typing import Any

from aiohttp import web
from pydantic import BaseModel, ConfigDict, ValidationError

from gateway.convert import fingerprint
from gateway.model.target import Target
from gateway.settings import Account
from gateway.store.bell import Bell
from gateway.store.scripts import Scripts
from gateway.store.values import TickPolicy
from gateway.telemetry import Event, Log
from gateway.web import problem


class SentMessage(BaseModel):
    """NapCat's report of a message this account has sent (NapCat 4.18, `message_sent`, array format)."""

    model_config = ConfigDict(frozen=True, extra="ignore", coerce_numbers_to_str=True)

    post_type: str
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
        """Settle by the event in BODY; one that is no report of a sent message changes nothing."""
        if b'"message_sent"' not in body:
            return
        try:
            sent = SentMessage.model_validate_json(body)
        except ValidationError as error:
            self._log.warning(
                Event.EVENT_REFUSED, account=account, reason="shape", fields=[e["loc"] for e in error.errors()]
            )
            return
        # Anybody can put the word into an event: as their nickname, or as all they say.
        if sent.post_type != "message_sent" or sent.target is None:
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


def genuine(body: bytes, secret: str, signature: str) -> bool:
    """Return whether SIGNATURE is NapCat's for BODY: `sha1=<hex HMAC-SHA1>`; without a secret nothing is genuine."""
    expected = "sha1=" + hmac.new(secret.encode(), body, hashlib.sha1).hexdigest()
    return bool(secret) and hmac.compare_digest(expected.encode(), signature.encode("utf-8", "replace"))
