"""What is known of an attempt's fate, whoever tells it, and what that means for its job."""

from collections.abc import Sequence

from gateway.model.attempt import Outcome
from gateway.store.values import TickPolicy
from tests.store.model.ends import Ends
from tests.store.model.values import ASK_AGAIN, FIRST_LOOK, LAST_LOOK, MUTED, SKEW, Attempt, Job, Row


class Fates(Ends):
    """Answers, events and looks at the history."""

    def _settle(self, outcome: Outcome, policy: TickPolicy) -> None:
        job = self.jobs[outcome.claim.job_id]
        attempt, settlement = job.last, outcome.settlement
        if attempt is None or attempt.token != outcome.claim.token:
            return
        if attempt.fate == "open":
            self.lane(job.target).lapses = None
            self._free_media(job, attempt.token)
        elif attempt.fate != "lapsed" or not self._says_more(job, attempt, settlement):
            return
        else:
            job.unsettled = False
        if settlement == "unstarted":
            self._unstamp(job, attempt.token)
            job.attempts.pop()
            job.doubted = job.doubtful()
            job.state = "sending" if job.done else "queued"
            self.turn(job.target, self.now)
            return
        self._stamp(job, attempt.token)
        attempt.fate, attempt.free = settlement, None if outcome.spends else outcome.rule
        before = job.attempts[-2] if len(job.attempts) > 1 else None
        if attempt.free and before and (before.free, before.part) == (attempt.free, attempt.part):
            job.attempts.remove(before)  # of attempts that cost nothing and ended alike the last is enough
        self._apply_effect(job, attempt, outcome, policy)
        if settlement == "delivered":
            self._delivered(job, outcome.message_id, "response")
        elif attempt.seen is not None and settlement != "unknown":
            self._delivered(job, attempt.seen, "event")
        elif settlement == "retry":
            job.state, job.code, job.retries = "queued", outcome.rule, job.retries + outcome.spends
            job.doubted, job.again = job.doubtful(), self.now + outcome.wait_ms
            self.turn(job.target, job.again)
        elif settlement == "unknown":
            self._doubt(job, outcome.rule, policy)
        else:
            self._finish(job, settlement, outcome.rule)
            self.turn(job.target, self.now)

    def _says_more(self, job: Job, attempt: Attempt, settlement: str) -> bool:
        """Tell whether an answer that came after its lease may still tell the fate of an unknown job.

        Of a job that has gone on since, only a delivery says more.
        """
        if settlement != "unstarted":
            self._stamp(job, attempt.token)
        delivery = settlement == "delivered" and job.state in {"unconfirmed", "queued"}
        told = attempt.part < job.done  # an event was here first
        if told or settlement == "unknown" or not (job.state == "unknown" or delivery):
            return False
        # What the history lists may be an earlier attempt.
        return job.row is None or settlement == "delivered" or not job.doubtful(besides=attempt)

    def _apply_effect(self, job: Job, attempt: Attempt, outcome: Outcome, policy: TickPolicy) -> None:
        if outcome.effect == "park":
            self._hold_by_answer(job.target, outcome.hold_ms, outcome.rule)
            if outcome.rule == "muted":
                self.looks[MUTED + job.target] = self.now
        if outcome.effect == "pause":
            self._hold_by_answer("account", outcome.hold_ms, outcome.rule)
        elif outcome.http_status is not None:
            self._trial_goes_on(policy)
        if outcome.settlement == "delivered" and outcome.effect != "park":
            self._lift(job.target, attempt.began)

    def _delivered(self, job: Job, message_id: int | None, evidence: str) -> None:
        """Count the current part of JOB as delivered; a job that ended unconfirmed is corrected when all of it is."""
        assert job.last is not None
        assert job.last.part == job.done, "each part is delivered once"
        ended = job.state == "unconfirmed"
        self.looks.pop(job.id, None)
        job.unsettled, job.row, job.looked, job.granted = False, None, False, False
        if message_id is not None:
            self.lane(job.target).answered.append(message_id)
            job.message_ids.append(message_id)
        job.done, job.evidence, job.retries = job.done + 1, evidence, 0
        if job.done == job.parts:
            if ended:
                job.corrected = True
                self.counts["unconfirmed"] -= 1
                self.counts["queued"] += 1
            self._finish(job, "delivered", None)
        elif not ended:
            job.state, job.code = "sending", None
        if not ended:
            self.turn(job.target, self.now)

    def _doubt(self, job: Job, code: str, policy: TickPolicy) -> None:
        """Nobody knows whether JOB was sent: its lane waits for evidence, which may be here already."""
        assert job.last is not None
        if job.last.seen is not None:
            self._delivered(job, job.last.seen, "event")
            return
        job.state, job.code, job.doubted = "unknown", code, True
        job.settle_by, job.unsettled, job.looked, job.granted = self.now + policy.settle_for, True, False, False
        self.looks[job.id] = self.now + min(FIRST_LOOK, policy.settle_for // 4)
        self.turn(job.target, job.settle_by)

    def _give_up_settling(self, job: Job, policy: TickPolicy) -> None:
        """End a job as unconfirmed, or send it again; but once there is more time when no look was answered."""
        self.looks.pop(job.id, None)
        if job.row is None and not job.looked and not job.granted and policy.settle_for:
            job.granted, job.settle_by = True, self.now + self._last_look(policy)
            self.looks[job.id] = self.now
            return
        if job.row is not None:
            job.evidence = "history"
        resend = (job.on_unknown or policy.on_unknown) == "resend" and job.row is None
        if resend and job.retries < policy.retries:
            job.state, job.retries = "queued", job.retries + 1
        else:
            self._finish(job, "unconfirmed", job.code)

    def _last_look(self, policy: TickPolicy) -> int:
        return min(LAST_LOOK, policy.settle_for // 4)

    def _due_looks(self, policy: TickPolicy) -> list[tuple[str, str]]:
        """Return the jobs about which the history is asked now, which is once more late; end what is over."""
        due = sorted((at, job_id) for job_id, at in self.looks.items() if at <= self.now)
        looks = []
        for _, job_id in due[:16]:
            target = job_id.removeprefix(MUTED)
            if target != job_id:
                hold = self.holds.get(target)
                hold = hold.under if hold and hold.operator else hold
                if hold and hold.reason == "muted" and hold.until > self.now:
                    self.looks[job_id] = self.now + ASK_AGAIN
                    looks.append(("", target))
                else:
                    del self.looks[job_id]
                continue
            job = self.jobs[job_id]
            if job.state != "unknown":
                del self.looks[job_id]
            elif job.settle_by <= self.now:
                self._give_up_settling(job, policy)
                self.turn(job.target, self.now)
            else:
                last = job.settle_by - self._last_look(policy)
                self.looks[job_id] = last if self.now < last else job.settle_by
                looks.append((job_id, job.target))
        return looks

    def history(self, job_id: str, rows: Sequence[Row], *, trusted: bool) -> str:
        """Take what NapCat lists of a chat, oldest first, as evidence for an unknown job."""
        self.ended = []
        job = self.jobs[job_id]
        if job.state != "unknown":
            return "settled"
        others = [other for other in self.jobs.values() if other.target == job.target and other is not job]
        taken = {*self.lane(job.target).answered, *(other.row for other in others if other.unsettled)}
        assert job.tried_since is not None
        fits = [
            message
            for message, second, text in rows
            if text == job.text and second * 1_000 + 999 + SKEW >= job.tried_since and message not in taken
        ]
        job.looked = True
        if job.row is None and fits:
            job.row = fits[0]
        if job.row is None:
            return "absent"
        if trusted:
            self._delivered(job, job.row, "history")
            return "delivered"
        self.looks[job_id] = job.settle_by
        return "listed"

    def _reap(self, target: str, policy: TickPolicy) -> None:
        """Give up waiting for the answer of the call in this lane: its lease has lapsed."""
        self.lane(target).lapses = None
        job = self.order(target)[0]
        assert job.last is not None
        self._stamp(job, job.last.token)
        self._free_media(job, job.last.token)
        job.last.fate = "lapsed"
        self._doubt(job, "lease_lapsed", policy)

    def evidence(self, target: str, text: str, message_id: int) -> str:
        """Credit a message that NapCat reports as sent just now to the one attempt it can be."""
        self.ended = []
        if message_id in self.lane(target).answered:
            return "known"
        jobs = [job for job in self.jobs.values() if job.target == target and job.text == text]
        matches = [
            job for job in jobs if job.state in {"unknown", "unconfirmed"} and job.last and job.last.part == job.done
        ]
        listed = [job for job in matches if job.row == message_id]
        if listed:
            self._delivered(listed[0], message_id, "event")
            return "credited"
        current = next(iter(self.order(target)), None)
        if current in jobs and current is not None and current.last:
            if current.last.fate == "open":
                if matches:
                    return "ambiguous"
                current.last.seen = message_id
                return "remembered"
            if current.state == "queued":
                matches.append(current)
        if len(matches) != 1:
            return "ambiguous" if matches else "unmatched"
        self._delivered(matches[0], message_id, "event")
        return "credited"
