"""The Lua scripts: one typed method for each file in `lua/`, whose header states keys, arguments, steps and replies."""

import json
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Any, Literal

from redis.asyncio import Redis

from gateway.metrics import Metrics
from gateway.model.attempt import Outcome
from gateway.model.errors import DataNewer, NotReplicated, StoreUnavailable
from gateway.model.target import parse_target
from gateway.model.words import Words
from gateway.store.client import translated
from gateway.store.cluster import ClusterClient
from gateway.store.ends import Ends
from gateway.store.format import FORMAT, newer_data
from gateway.store.keys import RING, Keys
from gateway.store.overview import AccountNumbers, account_numbers, hold_of, slowed_of, windows_of
from gateway.store.packing import or_empty, packed_outcomes, packed_submissions, read_claim
from gateway.store.replication import VOUCHED_FOR, Call, Replication, replicated
from gateway.store.values import (
    Admission,
    Callback,
    Cancelled,
    Claimed,
    Ended,
    Found,
    LaneNumbers,
    Limits,
    Look,
    Noted,
    Probed,
    Replayed,
    Row,
    Said,
    Sent,
    Settlement,
    Submission,
    Tick,
    TickPolicy,
    Wanted,
    lua_pattern,
)

Role = Literal["reader", "listener"]
"""What one replica at a time does, by a lease: read a source, listen to the events of an account."""

SCRIPTS = (
    "admit", "tick", "evidence", "history", "recall", "whose", "cancel", "reject", "replay", "hold", "mute", "probed",
    "read", "message", "search", "overview", "lane", "forget", "lease", "move", "callback_claim", "callback_settle",
    "presence", "raise", "vouch", "reconsider",
)  # fmt: skip


_AT_ONCE = 16  # accounts that are looked at in one round trip: between two, the lanes have their turn


class Scripts:
    """Every script of the gateway on one Redis; each is safe to repeat when its reply was lost."""

    def __init__(
        self,
        redis: Redis,
        keys: Keys,
        announce: Callable[[str], None] = lambda account: None,
        metrics: Metrics | None = None,
        words: Words | None = None,
        replication: Replication | None = None,
    ) -> None:
        """Read the scripts; Redis learns each when it first runs. ANNOUNCE is told which account has a callback due.

        WORDS know what the log may say of the messages of jobs that end. With REPLICATION those that somebody relies on
        raise NotReplicated when too few replicas have what they did.
        """
        self._redis = redis
        self._replication = replication
        self._metrics = metrics or Metrics()
        self._words = words or Words()
        self._ends = Ends(announce, self._metrics, self._words)
        self._scripts = {name: redis.register_script(source_of(name)) for name in SCRIPTS}
        self._keys = keys
        self._rings: dict[str, list[bytes]] = {}
        self.newer: dict[str, DataNewer] = {}
        """By account: that its data are of a newer format, as a script found last."""
        # Looking a child up by its labels takes longer than counting with it.
        self._queue_seconds = cache(self._metrics.queue_seconds.labels)
        self._redis_seconds = cache(self._metrics.redis_seconds.labels)

    @property
    def apart(self) -> bool:
        """Whether accounts may lie on several servers, so that what fails for one says nothing about the others."""
        return isinstance(self._redis, ClusterClient)

    async def admit(
        self,
        account: str,
        source: str,
        submissions: Sequence[Submission],
        most: int,
        keep: int,
        max_age: int,
        stream: int,
    ) -> list[tuple[Admission, str]]:
        """Put SUBMISSIONS of one account into their lanes, in order; return outcome and job id of each."""
        args: list[Any] = [source, most, keep, max_age, stream, *packed_submissions(submissions)]
        try:
            async with self._turn(account):
                reply, ended = await self._ending("admit", account, args, relied=True)
        except NotReplicated as error:
            if error.reply is not None:
                self._ends.take(account, error.reply[1])
            raise
        self._ends.take(account, ended)
        admitted: list[tuple[Admission, str]] = [(outcome.decode(), job_id.decode()) for outcome, job_id in reply]
        for outcome, number in Counter(outcome for outcome, _ in admitted).items():
            self._metrics.admissions.labels(account, outcome).inc(number)
        return admitted

    async def tick(
        self,
        account: str,
        policy: TickPolicy,
        replica: str,
        sequence: int,
        outcomes: Sequence[Outcome],
        most_claims: int,
        start_by: float,
    ) -> Tick:
        """Settle OUTCOMES, then reap and claim. A repeat with the same SEQUENCE returns the same claims.

        What is not `replicated` must not be sent, and its outcomes have to be told again: another master may not know.

        `start_by` is the local monotonic second after which no claimed request may start; the caller takes its clock
        before the call, so that a late reply can never outlive its lease.
        """
        args: list[Any] = [
            replica,
            sequence,
            most_claims,
            policy.most_in_flight,
            policy.lease,
            policy.settle_for,
        ]
        args += [
            policy.keep,
            policy.stream,
            policy.on_unknown,
            policy.retries,
            policy.limits.packed,
            packed_outcomes(outcomes),
            "" if self._replication is None else "replicated",
        ]
        known = True
        try:
            reply = await self._ending("tick", account, args, relied=True)
        except NotReplicated as error:
            reply, known = error.reply, False
        next_in, has_work, claims, ended, noted, looks, probe = reply
        claimed = [read_claim(fields, start_by) for fields in claims]
        if any(what == b"failed_over" for what, *_ in noted):
            self._metrics.master_changes.labels(account).inc()
        queue_seconds = self._queue_seconds(account)
        for claim in claimed:
            if claim.waited_ms is not None:
                queue_seconds.observe(claim.waited_ms / 1000)
        return Tick(
            next_in=None if next_in < 0 else next_in,
            has_work=bool(has_work),
            claims=claimed,
            ended=self._ends.take(account, ended),
            noted=[Noted(what.decode(), name.decode(), why.decode(), int(until)) for what, name, why, until in noted],
            looks=[Look(job.decode(), parse_target(target.decode())) for job, target in looks],
            probe=bool(probe),
            replicated=known,
        )

    async def evidence(
        self,
        account: str,
        policy: TickPolicy,
        target: str,
        fingerprint: str,
        message_id: int,
        sent_at: int,
    ) -> tuple[str, list[Ended]]:
        """Credit a message NapCat reports as sent at SENT_AT (epoch seconds); return what was made of it."""
        args = [policy.keep, policy.stream, target, fingerprint, message_id, sent_at]
        outcome, ended = await self._ending("evidence", account, args)
        return outcome.decode(), self._ends.take(account, ended)

    async def history(
        self, account: str, policy: TickPolicy, job_id: str, rows: Sequence[Row], *, trusted: bool
    ) -> tuple[str, list[Ended]]:
        """Take ROWS, oldest first, as evidence for an unknown job: what lists it forbids a resend, or settles it.

        Return `settled` (nothing was open), `absent`, `listed` or `delivered` (TRUSTED), and what ended.
        """
        args: list[Any] = [policy.keep, policy.stream, job_id, int(trusted), len(rows)]
        for row in rows:
            args += row
        outcome, ended = await self._ending("history", account, args)
        return outcome.decode(), self._ends.take(account, ended)

    async def recall(self, account: str, target: str, message_id: int) -> str | None:
        """Note that a message was taken back; return its job's id, None when the message is not known to be ours."""
        job = await self._account("recall", account, [target, message_id])
        return job.decode() if job else None

    async def whose(self, account: str, message_id: int) -> Sent | None:
        """Return whose a message is that ACCOUNT sent today or yesterday; None when it is not known to be ours."""
        reply = await self._account("whose", account, [message_id])
        return Sent(reply[0].decode(), reply[1].decode(), bool(reply[2])) if reply else None

    async def reject(self, account: str, policy: TickPolicy, target: str, code: str) -> list[Ended]:
        """End what waits in the lane of TARGET as rejected because of CODE; return up to 256 of them."""
        (ended,) = await self._ending("reject", account, [policy.keep, policy.stream, target, code, 256])
        return self._ends.take(account, ended)

    async def mute(self, account: str, target: str, ends: int) -> int:
        """Take when the account's mute in TARGET ends (epoch ms, 0: there is none); return until when it is parked."""
        return int(await self._account("mute", account, [target, ends]))

    async def probed(self, account: str, reason: str, milliseconds: int, number: str, expected: str) -> Probed:
        """Take what a probe brought: REASON ("": all is well) pauses the account for so long, longer each time.

        NUMBER is who is logged in ("": not known), EXPECTED who has to be ("": whoever was seen first).
        """
        state, known, until = await self._account("probed", account, [reason, milliseconds, number, expected])
        return Probed(state.decode(), known.decode(), int(until))

    async def cancel(self, account: str, policy: TickPolicy, job_id: str) -> Cancelled | None:
        """Cancel a job of which nothing may have been sent; None when there is no such job."""
        try:
            reply = await self._ending("cancel", account, [job_id, policy.keep, policy.stream], relied=True)
        except NotReplicated as error:
            if error.reply is not None:
                self._ends.take(account, error.reply[3])
            raise
        if reply is None:
            return None
        outcome, state, target, ended = reply
        return Cancelled(outcome == b"cancelled", state.decode(), target.decode(), self._ends.take(account, ended))

    async def replay(self, account: str, jobs: Sequence[tuple[str, str]], most: int, max_age: int) -> list[Replayed]:
        """Send JOBS again that ended undelivered, each (its id, the id of the new one); return what came of each.

        At most MOST jobs may then be queued; the new ones expire after MAX_AGE ms.
        """
        args: list[Any] = [most, max_age, len(jobs)]
        for pair in jobs:
            args += pair
        reply = await self._account("replay", account, args, relied=True)
        return [Replayed(outcome.decode(), job_id.decode()) for outcome, job_id in reply]

    async def hold(
        self,
        account: str,
        name: str,
        reason: str,
        *,
        operator: bool,
        milliseconds: int | None = None,
        until: int | None = None,
    ) -> int | None:
        """Hold a target, or the whole account (NAME `account`), for a while, until an instant, or until released.

        Return the epoch milliseconds it is held until; None when nothing changed: the end would be over already, or
        an operator holds it and this is an event (OPERATOR false).
        """
        args = [name, "hold", or_empty(milliseconds), or_empty(until), reason, int(operator)]
        changed, ends = await self._account("hold", account, args, relied=operator)
        return int(ends) if changed else None

    async def release(self, account: str, name: str, reason: str = "", *, operator: bool) -> bool:
        """Let a target, or the account, go on; return whether it was held and now is not.

        REASON lets go only what is held for one of these reasons, parted by blanks.
        """
        args = [name, "release", "", "", reason, int(operator)]
        changed, _ = await self._account("hold", account, args, relied=operator)
        return bool(changed)

    async def read(self, account: str, job_id: str = "", key: str = "") -> bytes | None:
        """Return the receipt of the job with this id, or with this idempotency key, as JSON."""
        reply: bytes | None = await self._account("read", account, [job_id, key])
        return reply

    async def message(self, account: str, job_id: str = "", key: str = "") -> Said | None:
        """Return what the job with this id, or with this idempotency key, says; None when there is no such job."""
        reply = await self._account("message", account, [job_id, key])
        if reply is None:
            return None
        found, target, delivered, *parts = reply
        actions = [action.decode() for action in parts[::2]]
        return Said(found.decode(), target.decode(), delivered, list(zip(actions, parts[1::2], strict=True)))

    async def search(
        self, account: str, wanted: Wanted, begin: str, most: int, *, letters: bool, oldest_first: bool = False
    ) -> tuple[str, list[Found]]:
        """Look for up to MOST jobs, newest first, from the entry BEGIN of the index of all (or of the dead LETTERS).

        BEGIN is `+` (`-` for the OLDEST_FIRST), an entry's id, or `(` and an id: behind it. Return the id of the last
        entry that was looked at, "" at the end of the index, and what was found up to there: one call looks at some
        records only.
        """
        args: list[Any] = ["letters" if letters else "index", begin, most, " ".join(sorted(wanted.states))]
        args += [wanted.target, or_empty(wanted.since), or_empty(wanted.until)]
        args += [json.dumps([lua_pattern(glob) for glob in wanted.patterns]) if wanted.patterns else ""]
        args += [int(wanted.unreplayed), int(oldest_first)]
        stopped, found = await self._account("search", account, args)
        return stopped.decode(), [Found(entry.decode(), job.decode(), receipt) for entry, job, receipt in found]

    async def lane(self, account: str, target: str, limits: Limits) -> LaneNumbers:
        """Return what TARGET holds in ACCOUNT right now, and how full its LIMITS are; TARGET may be `account`."""
        (
            queued, in_flight, due, hold, slowed, windows, observed, of_account, account_observed,
        ) = await self._account("lane", account, [target, limits.packed])  # fmt: skip
        return LaneNumbers(
            queued=queued,
            in_flight=bool(in_flight),
            due=int(due) if due else None,
            hold=hold_of(target, hold) if hold else None,
            slowed=slowed_of(target, slowed) if slowed else None,
            windows=windows_of(windows),
            observed=bool(observed),
            account_windows=windows_of(of_account),
            account_observed=bool(account_observed),
        )

    async def overview(self, account: str, limits: Limits | None = None) -> AccountNumbers:
        """Return what ACCOUNT holds right now, and how full its LIMITS are, where these are told."""
        return account_numbers(await self._account("overview", account, [limits.packed if limits else ""]))

    async def overviews(self, limits: Mapping[str, Limits]) -> dict[str, AccountNumbers]:
        """Return the same of many accounts, a few in one round trip; LIMITS by account.

        Those of which the data are of a newer format are left out: `newer` says so.
        """
        found: dict[str, AccountNumbers] = {}
        with translated(), self._metrics.redis_seconds.labels("overview").time():
            for begin in range(0, len(limits), _AT_ONCE):
                some = list(limits)[begin : begin + _AT_ONCE]
                async with self._redis.pipeline(transaction=False) as pipe:
                    for account in some:
                        await self._scripts["overview"](self._ring(account), [limits[account].packed], client=pipe)
                    replies = await pipe.execute(raise_on_error=False)
                for account, reply in zip(some, replies, strict=True):
                    if (numbers := self._numbers(account, reply)) is not None:
                        found[account] = numbers
        return found

    async def reconsider(self, account: str, limits: Limits) -> None:
        """Give every lane of ACCOUNT a turn that waits for a later one, and who steps aside for their requester's rate.

        Nothing happens unless LIMITS are others than when that was last done. Whoever still has to wait, for these or
        for anything else, is put off again by the tick.
        """
        stopped: bytes = b""
        while stopped := await self._account("reconsider", account, [limits.packed, stopped]):
            pass

    async def callbacks_due(self, accounts: Sequence[str]) -> dict[str, int]:
        """Return in how many milliseconds the first callback is due of each account that has one.

        That of an account whose master is away, while others answer, may be due at once: nobody knows.
        """
        receivers = RING.index("receivers")
        with translated():
            async with self._redis.pipeline(transaction=False) as pipe:
                for account in accounts:
                    pipe.zrange(self._ring(account)[receivers], 0, 0, withscores=True)
                    pipe.time()  # of the server that has it
                replies = await pipe.execute(raise_on_error=False)
            failed = [reply for reply in replies if isinstance(reply, Exception)]
            if failed and len(failed) == len(replies):
                raise failed[0]
        due: dict[str, int] = {}
        for account, first, time in zip(accounts, replies[::2], replies[1::2], strict=True):
            if isinstance(first, Exception) or isinstance(time, Exception):
                due[account] = 0
            elif first:
                due[account] = int(first[0][1]) - (time[0] * 1000 + time[1] // 1000)
        return due

    async def claim_callbacks(
        self, account: str, most: int, lease: int, most_of_one: int, under_way: Mapping[str, int]
    ) -> Claimed:
        """Take up to MOST callbacks of ACCOUNT that are due for LEASE ms, to be posted by this replica.

        UNDER_WAY says to which hosts it is posting already, and how many; it gets no more than MOST_OF_ONE to a host.
        """
        args: list[Any] = [most, lease, most_of_one, len(under_way)]
        for host, number in under_way.items():
            args += [host, number]
        next_in, crowded, callbacks, dropped = await self._account("callback_claim", account, args)
        if dropped:
            self._metrics.callbacks.labels(account, "given_up").inc(len(dropped))
        return Claimed(
            None if next_in < 0 else next_in,
            bool(crowded),
            [
                Callback(job.decode(), host.decode(), url.decode(), state.decode(), failed, int(until), document)
                for job, host, url, state, failed, until, document in callbacks
            ],
            [(job.decode(), host.decode()) for job, host in dropped],
        )

    async def settle_callback(self, account: str, callback: Callback, settlement: Settlement, wait: int = 0) -> bool:
        """End CALLBACK or put it off by WAIT ms; return False when it is no longer this replica's to settle."""
        args = [callback.job_id, callback.host, callback.state, callback.lease, settlement, wait]
        settled = bool(await self._account("callback_settle", account, args))
        if settled:
            self._metrics.callbacks.labels(account, settlement).inc()
        return settled

    async def forget(self, account: str, source: str, mark: str) -> bool:
        """Reset the MARK of SOURCE in ACCOUNT; return whether it was still this one."""
        return bool(await self._account("forget", account, [source, mark]))

    async def raise_format(self, account: str) -> None:
        """Raise the data of ACCOUNT to the newest format: every replica that lives has to know it."""
        await self._account("raise", account, [])

    async def lease(self, role: Role, of: str, holder: str, milliseconds: int) -> bool:
        """Take or renew the lease of the one reader OF a source, or listener OF an account; 0 ms give it back.

        Return whether HOLDER has it; nobody listens here for an account of which the data are of a newer format.
        """
        if role == "listener" and of in self.newer:
            milliseconds = 0
        key = self._keys.reader(of) if role == "reader" else self._keys.listener(of)
        return bool(await self._run("lease", [key], [holder, milliseconds]))

    async def secured(self, source: str, holder: str, milliseconds: int) -> bool:
        """Return whether HOLDER is still to admit what it has read of SOURCE; the lease is renewed.

        What was read may lie in another slot than the jobs it becomes: were it, or that something was taken out before,
        forgotten by a failover there, the mark of what was admitted would look as if it were of another stream.
        """
        if self._replication is None:
            return True
        async with self._turn(source):
            return bool(await self._run("lease", [self._keys.reader(source)], [holder, milliseconds], relied_by=source))

    def _turn(self, of: str) -> AbstractAsyncContextManager[None]:
        return nullcontext() if self._replication is None else self._replication.turn(of)

    async def present(self, replica: str, told: str, seconds: int) -> None:
        """Say that REPLICA lives and what it TELLS of itself (JSON); it is forgotten SECONDS after it last did."""
        await self._run("presence", [self._keys.replicas], [replica, told, seconds * 1000])

    async def move(self, source: str, most: int) -> int:
        """Move up to MOST entries of a list into its stream; return how many."""
        moved: int = await self._run("move", [source, self._keys.list_stream(source)], [most])
        return moved

    async def _ending(self, name: str, account: str, args: Sequence[Any], *, relied: bool = False) -> Any:
        """Run a script that can end jobs."""
        return await self._account(name, account, [*args, "bodies" if self._words.wished else ""], relied=relied)

    async def _account(self, name: str, account: str, args: Sequence[Any], *, relied: bool = False) -> Any:
        """Run a script of ACCOUNT; raises DataNewer when its data are of a newer format."""
        try:
            reply = await self._run(name, self._ring(account), args, relied_by=account if relied else "")
        except StoreUnavailable as error:
            if (newer := self._found_newer(account, error)) is not None:
                raise newer from None
            raise
        if self.newer:
            self.newer.pop(account, None)
        return reply

    def _numbers(self, account: str, reply: Any) -> AccountNumbers | None:
        """Return what a REPLY says that is one of many; None when the data are of a newer format."""
        if not isinstance(reply, Exception):
            self.newer.pop(account, None)
            return account_numbers(reply)
        if self._found_newer(account, reply) is None:
            raise reply
        return None

    def _found_newer(self, account: str, error: Exception) -> DataNewer | None:
        if (newer := newer_data(error, account)) is not None:
            self.newer[account] = newer
        return newer

    def _ring(self, account: str) -> list[bytes]:
        ring = self._rings.get(account)
        if ring is None:
            ring = self._rings[account] = [key.encode() for key in self._keys.account(account)]
        return ring

    async def _run(self, name: str, keys: Sequence[str | bytes], args: Sequence[Any], relied_by: str = "") -> Any:
        """Run a script; where somebody relies on it, RELIED_BY is the account or source whose slot it wrote in."""
        with translated(), self._redis_seconds(name).time():
            if not relied_by or self._replication is None:
                return await self._scripts[name](keys=keys, args=args)
            calls: list[Call] = [(self._scripts[name], keys, args)]
            if name in VOUCHED_FOR:
                calls.append((self._scripts["vouch"], [keys[RING.index("limits")]], []))
            reply, reached = await replicated(self._redis, calls, self._replication.replicas)
        if reached < self._replication.replicas:
            self._metrics.unreplicated.labels(name).inc()
        self._replication.require(relied_by, reached, reply)
        return reply


@cache
def source_of(name: str) -> str:
    """Return the text of a script, with the files it includes before it, each once."""
    included: list[str] = []

    def gather(script: str, folder: Traversable) -> None:
        if script not in included:
            text = (folder / f"{script}.lua").read_text("utf-8")
            names = re.search(r"^-- include: (.+)$", text, re.MULTILINE)
            for inner in names[1].split(", ") if names else []:
                gather(inner, lua / "included")
            included.append(script)
            if script == "format":
                texts.append(f"local FORMAT = {FORMAT}")
            texts.append(text)

    texts: list[str] = []
    lua = files("gateway.store") / "lua"
    gather(name, lua)
    return "\n".join(texts)
