"""Callbacks: the signed receipt of a job that ended, posted to the URL the job named, at least once."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime

from standardwebhooks import Webhook

from gateway.clock import Clock
from gateway.convert.callback import receiver_of
from gateway.model.errors import DataNewer, StoreUnavailable
from gateway.results.outbound import Answered, Outbound
from gateway.settings import Callbacks as CallbackSettings
from gateway.store.due import Due
from gateway.store.scripts.callbacks import Callback, CallbackScripts, Fate
from gateway.telemetry import Event, Log, told

AT_ONCE = 8
"""Posts of one process at a time."""
TO_ONE = 2
"""Of them to one host: a receiver that is slow holds up nobody else."""
_SURVEY = 30.0  # seconds between looks at all accounts, for what other replicas left behind
_ANSWER = 1.0  # seconds in which one master of a cluster has to say what is due: others have callbacks, too
_AWAY = 10.0  # seconds until an account is asked again that could not say
_LEASE_SLACK = 3_000  # ms by which a lease outlives its post
_LONGEST_REST = 60.0  # seconds that a receiver rests which takes its places and does not answer
_LONGEST_WAIT = 86_400_000  # ms; what a receiver asks for beyond that is not heeded
_GONE, _LATER = 410, {429, 503}


class Callbacks:
    """Posts what is due of all accounts, beside the lanes: what happens here changes no delivery.

    Nothing that matters lives here: what this process does not settle, its leases give to another replica, which posts
    it again under the same `webhook-id`.
    """

    def __init__(
        self,
        settings: CallbackSettings,
        accounts: Sequence[str],
        scripts: CallbackScripts,
        due: Due,
        outbound: Outbound,
        clock: Clock,
        stopping: asyncio.Event,
    ) -> None:
        """Post through OUTBOUND what is DUE, until STOPPING is set or `halt`; sign with all secrets of SETTINGS."""
        self._settings = settings
        self._signers = [Webhook(secret.get_secret_value()) for secret in settings.secrets]
        self._accounts = accounts
        self._scripts = scripts
        self._due = due
        self._outbound = outbound
        self._clock = clock
        self._stopping = stopping
        self._halted = False
        self._log = Log()
        self._turns: dict[str, float] = {}  # account → when its next callback is due (monotonic)
        self._crowded: set[str] = set()  # accounts with more for a host that has all its places taken
        self._posting: dict[asyncio.Task[None], str] = {}  # → host
        self._silent: dict[str, tuple[int, float]] = {}  # host → how often in a row it did not answer, rests until

    async def run(self) -> None:
        """Post until the gateway stops; raises StoreUnavailable when Redis is lost, and can be run again."""
        survey_at = self._clock.monotonic()
        while not self._ends:
            now = self._clock.monotonic()
            if survey_at <= now:
                waits = await self._scripts.callbacks_due(self._accounts)
                self._turns = {account: now + wait / 1000 for account, wait in waits.items()}
                survey_at = now + _SURVEY
            self._turns |= dict.fromkeys(self._due.take(), now)
            await self._claim()
            free = len(self._posting) < AT_ONCE
            wake_at = min([survey_at, *(self._turns.values() if free else ())])
            await self._due.wait(wake_at - self._clock.monotonic())

    @property
    def _ends(self) -> bool:
        return self._halted or self._stopping.is_set()

    def halt(self) -> None:
        """Take nothing more: another takes over, and what is due stays due."""
        self._halted = True
        self._due.wake()

    async def drain(self) -> None:
        """Let the posts under way end, each within its own time; what does not is given back."""
        if self._posting:
            await asyncio.wait(self._posting, timeout=self._settings.timeout / 1000 + 1)
        left = list(self._posting)
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)

    async def _claim(self) -> None:
        """Take what is due while there are places; the account that waited longest comes first."""
        lease = self._settings.timeout + _LEASE_SLACK
        while self._turns and (free := AT_ONCE - len(self._posting)) > 0 and not self._ends:
            account = min(self._turns, key=self._turns.__getitem__)
            now = self._clock.monotonic()
            if self._turns[account] > now:
                return
            try:
                async with asyncio.timeout(_ANSWER if self._scripts.apart else None):
                    claimed = await self._scripts.claim_callbacks(account, free, lease, TO_ONE, self._taken(now))
            except (StoreUnavailable, TimeoutError) as error:
                if not (self._scripts.apart or isinstance(error, DataNewer)):
                    raise
                self._turns[account] = now + _AWAY  # what was taken and not heard of comes back with its lease
                continue
            if claimed.next_in is None:
                del self._turns[account]
            else:
                self._turns[account] = now + claimed.next_in / 1000
            (self._crowded.add if claimed.crowded else self._crowded.discard)(account)
            for job, host in claimed.dropped:
                self._log.warning(Event.CALLBACK_GIVEN_UP, job=f"{account}.{job}", host=host, error="record_dropped")
            for callback in claimed.callbacks:
                task = asyncio.create_task(self._post(account, callback), name=f"callback {account} {callback.host}")
                self._posting[task] = callback.host
                task.add_done_callback(self._posted)

    def _taken(self, now: float) -> dict[str, int]:
        """Return how many places of each host are taken; one that rests has none to give."""
        resting = {host: TO_ONE for host, (_, until) in self._silent.items() if until > now}
        return {**Counter(self._posting.values()), **resting}

    def _heed(self, host: str, answered: Answered) -> None:
        """Let a host rest that did not answer in time, longer each time: hosts that hang must not have all places."""
        if answered.error != "timeout":
            self._silent.pop(host, None)
            return
        now = self._clock.monotonic()
        times, until = self._silent.get(host, (0, now))
        if until > now:  # posts that end together are one silence
            return
        rest = min(2.0 ** min(times, 10), _LONGEST_REST)
        self._silent[host] = times + 1, now + rest
        asyncio.get_running_loop().call_later(rest + 0.01, self._look_again)
        for old in [old for old, (_, until) in self._silent.items() if until + 10 * _LONGEST_REST < now]:
            del self._silent[old]

    def _look_again(self) -> None:
        for account in self._crowded:
            self._due.note(account)

    async def _post(self, account: str, callback: Callback) -> None:
        try:
            began = self._clock.monotonic()
            answered = await self._ask(account, callback)
            self._heed(callback.host, answered)
            settlement, wait = self._settle(callback.failed, answered)
            self._tell(account, callback, answered, settlement, wait, began)
            # Without Redis the lease lapses, and it is posted again.
            with suppress(StoreUnavailable):
                await self._scripts.settle_callback(account, callback, settlement, wait)
        except asyncio.CancelledError:
            with suppress(StoreUnavailable):
                await self._scripts.settle_callback(account, callback, "back")
            raise
        finally:
            self._due.note(account)

    def _posted(self, task: asyncio.Task[None]) -> None:
        del self._posting[task]
        if not task.cancelled() and (error := task.exception()) is not None:
            self._log.error(Event.TASK_FAILED, task=task.get_name(), error=told(error))
        self._look_again()

    async def _ask(self, account: str, callback: Callback) -> Answered:
        try:
            receiver_of(callback.url, self._settings)  # the settings may have changed since it was admitted
        except ValueError:
            return Answered(None, error="not_allowed")
        name = f"{account}.{callback.job_id}:{callback.state}"
        headers = signed(self._signers, name, self._clock.epoch_ms() // 1000, callback.receipt)
        return await self._outbound.post(callback.url, callback.receipt, headers)

    def _settle(self, failed: int, answered: Answered) -> tuple[Fate, int]:
        """Return what follows from an answer after FAILED posts in vain, and in how many milliseconds."""
        if answered.status is not None and 200 <= answered.status < 300:
            return "posted", 0
        if answered.status == _GONE or failed >= len(self._settings.retry):
            return "given_up", 0
        wait = round(self._settings.retry[failed] * (0.8 + 0.4 * self._clock.chance()))
        if answered.status in _LATER and answered.retry_after is not None:
            wait = max(wait, min(answered.retry_after, _LONGEST_WAIT))
        return "again", wait

    def _tell(
        self, account: str, callback: Callback, answered: Answered, settlement: Fate, wait: int, began: float
    ) -> None:
        """Log what came of a post; of the URL only the host, since the rest of it may be a secret."""
        facts = {
            "job": f"{account}.{callback.job_id}",
            "host": callback.host,
            "status": answered.status,
            "error": answered.error or None,
            "tries": callback.failed + 1,
            "took_ms": round((self._clock.monotonic() - began) * 1000),
        }
        known = {name: value for name, value in facts.items() if value is not None}
        if settlement == "posted":
            self._log.info(Event.CALLBACK_POSTED, **known)
        elif settlement == "again":
            self._log.info(Event.CALLBACK_FAILED, **known, next_in_s=wait / 1000)
        else:
            self._log.warning(Event.CALLBACK_GIVEN_UP, **known)


def signed(signers: Sequence[Webhook], name: str, at: int, body: bytes) -> dict[str, str]:
    """Return the headers of Standard Webhooks for BODY, posted AT (epoch seconds) and signed by each of SIGNERS."""
    instant, text = datetime.fromtimestamp(at, UTC), body.decode()
    return {
        "webhook-id": name,
        "webhook-timestamp": str(at),
        "webhook-signature": " ".join(signer.sign(name, instant, text) for signer in signers),
    }
