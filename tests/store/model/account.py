"""One account: what may be claimed, and the tick that does all in its order."""

from collections.abc import Iterable, Sequence

from gateway.model.attempt import Outcome
from gateway.store.values import TickPolicy
from tests.store.model.fates import Fates
from tests.store.model.values import BEGUN, CALL, PROBE, TRIAL, Attempt, Claimed, Job, Room, Ticked


class Account(Fates):
    """One account: its jobs, its lanes, and what holds them up."""

    def _ready(self, target: str, policy: TickPolicy) -> tuple[Job | None, bool | None, int]:
        """Return the job of this lane that may go, whether it passes over others, and else when to look again.

        Ends what may not go any more, and puts aside whose requester has to wait.
        """
        while True:
            job, passes = self.head(target)
            if job is None:
                return None, None, self.now
            if job.state == "unknown":
                if job.settle_by > self.now:
                    return None, None, job.settle_by
                self._give_up_settling(job, policy)
            elif job.expires <= self.now and not job.doubted and job.done == 0:
                self._finish(job, "expired", job.lapse)
            elif job.again > self.now:
                return None, None, job.again
            else:
                at = self._requester_opens(job)
                if at is not None and at <= self.now:
                    return job, passes, 0
                if job.attempts:
                    assert at is not None
                    return None, None, at  # what has begun keeps its place, and so waits in it
                self._step_aside(job, at)

    def _claim(self, job: Job, passes: bool | None, policy: TickPolicy) -> Claimed:
        self._check_promises(job, policy)
        lane = self.lane(job.target)
        self.tokens += 1
        attempt = Attempt(self.tokens, job.last.number + 1 if job.last else 1, job.done, self.now)
        job.attempts.append(attempt)
        job.state, job.called_back, job.again = "sending", False, 0
        lane.places[job.id] = BEGUN
        lane.due, lane.lapses = None, self.now + CALL + policy.lease
        self.lapse = min(self.lapse or lane.lapses, lane.lapses)
        if passes is not None:
            lane.streak = lane.streak + 1 if passes else 0
        for digest in job.media:
            self.media[digest] = attempt.token
            self.blocked.get(digest, {}).pop(job.target, None)
        if job.requester:
            self.windows[job.requester] = attempt.token, None
            self._call_back(job, self._window_opens(job.requester))
        return self._claimed(job)

    def _claimed(self, job: Job) -> Claimed:
        assert job.last is not None
        return job.id, job.target, job.last.token, job.last.number, job.last.part, job.retries

    def _check_promises(self, job: Job, policy: TickPolicy) -> None:
        flying = [target for target, lane in self.lanes.items() if lane.lapses is not None]
        assert job.target not in flying, "one send at a time in a lane"
        assert len(flying) < policy.most_in_flight, "no more calls in flight than that"
        assert not self.held(job.target), "nothing is sent to a parked target"
        assert not self.paused(), "a paused account sends nothing, and none before it was found to work"
        trial = self.holds["account"].trial if "account" in self.holds else 0
        assert not trial or len(flying) < trial, "a trial tries no more calls at once than that"
        assert not set(job.media) & set(self.media), "equal media is not sent twice at once"
        fates = {attempt.fate for attempt in job.attempts if attempt.part == job.done}
        assert "delivered" not in fates, "what was delivered is not sent again"
        resend = "resend" in {job.on_unknown, policy.on_unknown}
        assert resend or not fates & {"unknown", "lapsed"}, "what may have been sent is not sent again unless asked to"
        assert job.row is None or not fates & {"unknown", "lapsed"}, "nor when the history lists it"

    def _room(self, most_claims: int, policy: TickPolicy) -> Room:
        self._outlast("account")
        paused, most = self.holds.get("account"), policy.most_in_flight
        if paused and paused.until > self.now:
            return Room(0, paused.until, None if paused.operator else paused.until)
        flying = sum(lane.lapses is not None for lane in self.lanes.values())
        tried = paused and paused.trial and paused.tried + TRIAL <= self.now
        if paused and tried and (paused.trial > 1 or not paused.used):
            self._resume()
        elif paused and paused.trial:
            most = min(most, paused.trial)
        elif paused and paused.probing > self.now:
            return Room(0, paused.probing, paused.probing)
        elif paused and most_claims == 0:
            return Room(0)  # who has no time to ask looks again when a call ends
        elif paused:
            paused.probing = self.now + PROBE
            return Room(0, paused.probing, paused.probing, probe=True)
        return Room(min(most_claims, most - flying))

    def _claim_due(self, room: int, policy: TickPolicy) -> list[Claimed]:
        """Claim the lanes that are due, the one that has waited longest first."""
        claims: list[Claimed] = []
        for due, target in sorted((due, target) for target, due in self._due() if due <= self.now):
            if len(claims) >= room:
                break
            self._outlast(target)
            if self.held(target):
                self.lane(target).due = self.holds[target].until
                continue
            job, passes, at = self._ready(target, policy)
            if job is None:
                self.turn(target, at)
            elif not self._blocked(job, due):
                claims.append(self._claim(job, passes, policy))
        return claims

    def _due(self) -> Iterable[tuple[str, int]]:
        return [(target, lane.due) for target, lane in self.lanes.items() if lane.due is not None]

    # The tick ------------------------------------------------------------------------------------------------------

    def tick(
        self, replica: str, sequence: int, outcomes: Sequence[Outcome], most_claims: int, policy: TickPolicy
    ) -> Ticked:
        """Settle, reap, let the scheduled join, claim.

        A repeated tick only tells again what it claimed and ended, and one that comes after its successor does nothing.
        """
        self.ended, self.noted = [], []
        known, tokens, gone = self.ticks.get(replica, (0, [], []))
        if known == sequence:
            open_ones = {job.last.token: job for job in self.jobs.values() if job.last and job.last.fate == "open"}
            repeated = [self._claimed(open_ones[token]) for token in tokens if token in open_ones]
            self.ended = [self.jobs[job_id].end for job_id in gone]
            return Ticked(repeated, self.ended, 0, has_work=True)
        if known > sequence:
            return Ticked([], [], None, has_work=False)
        for outcome in outcomes:
            self._settle(outcome, policy)
        if self.lapse is not None and self.lapse <= self.now:
            for lapses, target in sorted(self._flights()):
                if lapses <= self.now:
                    self._reap(target, policy)
            self.lapse = min((lapses for lapses, _ in self._flights()), default=None)
        self._rejoin()
        looks = self._due_looks(policy)
        room = self._room(most_claims, policy)
        claims = self._claim_due(room.claims, policy)
        if claims and "account" in self.holds:
            self.holds["account"].used = True
        self.ticks[replica] = sequence, [token for _, _, token, *_ in claims], [job_id for job_id, *_ in self.ended]
        full = room.claims <= len(claims) and room.again is None
        self.lapse = self.lapse if self._flights() else None
        asked = [room.asked, min(self.looks.values(), default=None)]
        next_in, has_work = self._next(full, room.again, [at for at in asked if at is not None])
        return Ticked(claims, self.ended, next_in, has_work, self.noted, looks, room.probe)

    def _flights(self) -> list[tuple[int, str]]:
        return [(lane.lapses, target) for target, lane in self.lanes.items() if lane.lapses is not None]

    def _rejoin(self) -> None:
        for job_id in [job_id for job_id, at in self.scheduled.items() if at <= self.now]:
            del self.scheduled[job_id]
            self.join(self.jobs[job_id])
        for name in [name for name, at in self.recalls.items() if at <= self.now]:
            del self.recalls[name]
            if self.aside.get(name):
                job = self.aside[name].pop(0)
                job.called_back = True
                self.join(job)

    def _next(self, full: bool, again: int | None, asked: list[int]) -> tuple[int | None, bool]:
        """Return the milliseconds until there is something to do or ASKED, and whether there is any work at all."""
        dues = [due for _, due in self._due()]
        others = [self.lapse] if self.lapse is not None else []
        others += [*self.scheduled.values(), *self.recalls.values()]
        turns = [max(min(dues), again or 0)] if dues and not full else []
        ats = turns + others + asked
        return max(0, min(ats) - self.now) if ats else None, bool(dues or others)

    def idle_lanes(self) -> list[str]:
        """Return the lanes that are looked at later although nothing holds up their first job."""
        return [target for target, due in self._due() if due > self.now and not self._waits(target)]

    def _waits(self, target: str) -> bool:
        job, _ = self.head(target)
        return (
            job is not None
            and (self.held(target) or job.again > self.now or job.state == "unknown" or bool(job.requester))
        ) or any(target in waiting for waiting in self.blocked.values())

    # What a reader is told -----------------------------------------------------------------------------------------

    def shown(self, job: Job) -> tuple[str, str | None]:  # noqa: PLR0911 - a table
        """Return the state and the reason that a receipt of JOB tells."""
        if job.state != "queued":
            return job.state, "collapsed" if job.code == "collapsed" else None
        if job.id in self.scheduled:
            return "waiting", "scheduled"
        if job in self._aside(job):
            return "waiting", "rate_limited"
        if self.paused():
            return "waiting", "paused"
        if self.held(job.target):
            return "waiting", "parked"
        if self.order(job.target)[0] is not job:
            return "waiting", "behind"
        due = self.lane(job.target).due
        if due is not None and due > self.now:
            return "waiting", "retry" if job.attempts else "rate_limited"
        return "queued", None
