"""What moves the lanes: admission, the tick, and what NapCat tells besides its answers."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from gateway.model.attempt import Outcome
from gateway.model.errors import NotReplicated
from gateway.model.target import parse_target
from gateway.store.packing import packed_outcomes, packed_submissions, read_claim
from gateway.store.scripts.runner import ScriptRunner
from gateway.store.values import Admission, Ended, Limits, Look, Noted, Probed, Row, Submission, Tick, TickPolicy


class LaneScripts(ScriptRunner):
    """What moves jobs through the lanes of an account."""

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
        async with self._turn(account):
            reply, _ = await self._ending("admit", account, args, 1, relied=True)
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
        args = [replica, sequence, most_claims, *policy.arguments, packed_outcomes(outcomes)]
        args.append("" if self._replication is None else "replicated")
        known = True
        try:
            reply = await self._ending("tick", account, args, 3, relied=True)
        except NotReplicated as error:
            reply, known = error.reply, False
        next_in, has_work, claims, ended, noted, looks, probe = reply
        tick = Tick(
            next_in=None if next_in < 0 else next_in,
            has_work=bool(has_work),
            claims=[read_claim(fields, start_by) for fields in claims],
            ended=ended,
            noted=[Noted(what.decode(), name.decode(), why.decode(), int(until)) for what, name, why, until in noted],
            looks=[Look(job.decode(), parse_target(target.decode())) for job, target in looks],
            probe=bool(probe),
            replicated=known,
        )
        self._count(account, tick)
        return tick

    def _count(self, account: str, tick: Tick) -> None:
        if any(noted.what == "failed_over" for noted in tick.noted):
            self._metrics.master_changes.labels(account).inc()
        queue_seconds = self._queue_seconds(account)
        for claim in tick.claims:
            if claim.waited_ms is not None:
                queue_seconds.observe(claim.waited_ms / 1000)

    async def reconsider(self, account: str, limits: Limits) -> None:
        """Give every lane of ACCOUNT a turn that waits for a later one, and who steps aside for their requester's rate.

        Nothing happens unless LIMITS are others than when that was last done. Whoever still has to wait, for these or
        for anything else, is put off again by the tick.
        """
        stopped: bytes = b""
        while stopped := await self._account("reconsider", account, [limits.packed, stopped]):
            pass

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
        outcome, ended = await self._ending("evidence", account, args, 1)
        return outcome.decode(), ended

    async def history(
        self, account: str, policy: TickPolicy, job_id: str, rows: Sequence[Row], *, trusted: bool
    ) -> tuple[str, list[Ended]]:
        """Take ROWS, oldest first, as evidence for an unknown job: what lists it forbids a resend, or settles it.

        Return `settled` (nothing was open), `absent`, `listed` or `delivered` (TRUSTED), and what ended.
        """
        args: list[Any] = [policy.keep, policy.stream, job_id, int(trusted), len(rows)]
        for row in rows:
            args += row
        outcome, ended = await self._ending("history", account, args, 1)
        return outcome.decode(), ended

    async def recall(self, account: str, target: str, message_id: int) -> str | None:
        """Note that a message was taken back; return its job's id, None when the message is not known to be ours."""
        job = await self._account("recall", account, [target, message_id])
        return job.decode() if job else None

    async def reject(self, account: str, policy: TickPolicy, target: str, code: str) -> list[Ended]:
        """End what waits in the lane of TARGET as rejected because of CODE; return up to 256 of them."""
        ended: list[Ended]
        (ended,) = await self._ending("reject", account, [policy.keep, policy.stream, target, code, 256], 0)
        return ended

    async def mute(self, account: str, target: str, ends: int) -> int:
        """Take when the account's mute in TARGET ends (epoch ms, 0: there is none); return until when it is parked."""
        return int(await self._account("mute", account, [target, ends]))

    async def probed(self, account: str, reason: str, milliseconds: int, number: str, expected: str) -> Probed:
        """Take what a probe brought: REASON ("": all is well) pauses the account for so long, longer each time.

        NUMBER is who is logged in ("": not known), EXPECTED who has to be ("": whoever was seen first).
        """
        state, known, until = await self._account("probed", account, [reason, milliseconds, number, expected])
        return Probed(state.decode(), known.decode(), int(until))
