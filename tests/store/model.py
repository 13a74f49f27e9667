"""What lanes promise, in plain words: one account without Redis, which the scripts are held against.

Times are milliseconds. Nothing here is fast or safe against crashes; everything is a dictionary or a sorted list. What
the machine never does is left out: windows other than a requester's, marks of sources, keys, full accounts, and holds
that grow because they were too short (all of its holds by answers are long).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from gateway.model.attempt import Outcome
from gateway.store.values import TickPolicy

FOREVER = 4_102_444_800_000
CLASSES = {"high": 1, "normal": 2, "low": 3}
BEGUN = (0, 0)  # the place of the job whose turn it is: before every class
STREAK = 20  # turns of higher priority that the lowest may wait behind
LOOK_AGAIN = 1_000  # a lane that waits for a medium looks by itself after this long
REQUESTER_PERIOD = 60_000  # one send in any such window, for each requester
ANSWERED_FOR = 600_000  # how long a delivered message is known, so that an event of it is no news
CALL = 1_000  # what one call may take by itself; its lease is this much longer than the policy's
FINAL = ("delivered", "rejected", "dead", "unconfirmed", "expired", "cancelled")

Place = tuple[int, int]  # class and admission, in the order in which jobs of a lane go
Ended = tuple[str, str, str, str]  # job, target, state, code
Claimed = tuple[str, str, int, int, int, int]  # job, target, token, attempt, part, retries


@dataclass
class Attempt:
    """One try of one part. Its fate is `open`, `lapsed` (nobody answered in time), or its settlement."""

    token: int
    number: int
    part: int
    fate: str = "open"
    seen: int | None = None  # an event reported its message while it was open

    @property
    def doubtful(self) -> bool:
        return self.fate in {"unknown", "lapsed"}


@dataclass(eq=False)
class Job:
    """One message. `lapse` says which of its times `expires` is: `ttl` or `max_age`."""

    id: str
    target: str
    text: str
    expires: int
    lapse: str
    priority: str = "normal"
    parts: int = 1
    media: tuple[str, ...] = ()
    requester: str | None = None
    collapse: str | None = None
    on_unknown: str | None = None
    go_at: int = 0
    seq: int = 0

    state: str = "queued"
    code: str | None = None
    done: int = 0  # parts delivered
    retries: int = 0
    doubted: bool = False  # something of it may have been sent
    again: int = 0
    settle_by: int = 0
    called_back: bool = False
    attempts: list[Attempt] = field(default_factory=list)
    message_ids: list[int] = field(default_factory=list)
    evidence: str | None = None
    corrected: bool = False

    @property
    def own_place(self) -> Place:
        return CLASSES[self.priority], self.seq

    @property
    def unsent(self) -> bool:
        """Whether nothing of it may have been sent: only then may it be cancelled, expire or be collapsed."""
        return self.state == "queued" and self.done == 0 and not self.doubted

    @property
    def last(self) -> Attempt | None:
        return self.attempts[-1] if self.attempts else None


@dataclass
class Lane:
    """The jobs of one target with their places; `due`: when it is looked at, `lapses`: when its call's lease ends."""

    places: dict[str, Place] = field(default_factory=dict)
    due: int | None = None
    lapses: int | None = None
    streak: int = 0
    answered: dict[int, int] = field(default_factory=dict)  # message ids of delivered parts, and when


@dataclass
class Hold:
    until: int
    operator: bool


@dataclass
class Ticked:
    claims: list[Claimed]
    ended: list[Ended]
    next_in: int | None
    has_work: bool


class Account:
    """One account: its jobs, its lanes, and what holds them up."""

    def __init__(self, now: int) -> None:
        self.now = now
        self.jobs: dict[str, Job] = {}
        self.lanes: dict[str, Lane] = {}
        self.holds: dict[str, Hold] = {}  # by target, or "account"
        self.scheduled: dict[str, int] = {}  # job → when it joins its lane
        self.aside: dict[tuple[str, str], list[Job]] = {}  # target and requester → jobs that wait for its window
        self.recalls: dict[tuple[str, str], int] = {}  # target and requester → when the first of them comes back
        self.windows: dict[str, tuple[int, int | None]] = {}  # requester → token of its last send, and when it ended
        self.media: dict[str, int] = {}  # digest → token of the attempt that sends it
        self.blocked: dict[str, dict[str, int]] = {}  # digest → lanes that wait for it, and since when
        self.collapsible: dict[tuple[str, str], str] = {}  # target and collapse key → the newest job
        self.ticks: dict[str, tuple[int, list[int]]] = {}  # replica → its last tick and the tokens it claimed
        self.counts = dict.fromkeys(("queued", *FINAL), 0)
        self.tokens = 0
        self.seq = 0
        self.ended: list[Ended] = []  # by the script that runs

    # Lanes ---------------------------------------------------------------------------------------------------------

    def lane(self, target: str) -> Lane:
        return self.lanes.setdefault(target, Lane())

    def held(self, name: str) -> bool:
        return name in self.holds and self.holds[name].until > self.now

    def turn(self, target: str, at: int) -> None:
        """Let the lane be looked at AT, or when its hold ends; a lane without work has no turn."""
        lane = self.lane(target)
        if not lane.places:
            lane.due, lane.streak = None, 0
            return
        hold = self.holds.get(target)
        lane.due = max(at, hold.until) if hold else at

    def join(self, job: Job, inherited: Place | None = None) -> None:
        lane = self.lane(job.target)
        lane.places[job.id] = inherited or job.own_place
        if lane.lapses is None and lane.due is None:
            self.turn(job.target, self.now)

    def order(self, target: str) -> list[Job]:
        """Return the jobs of a lane: the one begun, then by priority, then by admission."""
        places = self.lane(target).places
        return [self.jobs[job] for job in sorted(places, key=lambda job: places[job])]

    def head(self, target: str) -> tuple[Job | None, bool | None]:
        """Return whose turn it is, and whether it passes over a lower priority (None: it has begun).

        After 20 turns that passed over lower ones, the oldest of these has its turn.
        """
        lane, jobs = self.lane(target), self.order(target)
        if not jobs:
            return None, None
        first = jobs[0]
        if lane.places[first.id] == BEGUN:
            return first, None
        lower = [job for job in jobs if lane.places[job.id][0] > lane.places[first.id][0]]
        if lower and lane.streak >= STREAK:
            return min(lower, key=lambda job: job.seq), False
        return first, bool(lower)

    # Admit ---------------------------------------------------------------------------------------------------------

    def admit(self, job: Job) -> None:
        self.ended = []
        if job.id in self.jobs:
            return
        self.jobs[job.id] = job
        self.counts["queued"] += 1
        replaced, place = self._collapse(job)
        if replaced is None:
            self.seq += 1
        job.seq = replaced.seq if replaced else self.seq
        job.again = replaced.again if replaced else 0
        if job.go_at > self.now:
            self.scheduled[job.id] = job.go_at
        else:
            self.join(job, place)

    def _collapse(self, job: Job) -> tuple[Job | None, Place | None]:
        """End the job that JOB replaces; return it, and the place that JOB takes over."""
        if job.collapse is None:
            return None, None
        old = self.jobs.get(self.collapsible.get((job.target, job.collapse), ""))
        self.collapsible[job.target, job.collapse] = job.id
        return (old, self._withdraw(old, "collapsed")) if old and old.unsent else (None, None)

    # Endings -------------------------------------------------------------------------------------------------------

    def _finish(self, job: Job, state: str, code: str | None) -> None:
        assert job.state not in FINAL or (job.state, state) == ("unconfirmed", "delivered"), "an end is an end"
        job.state, job.code = state, code
        self.lane(job.target).places.pop(job.id, None)
        self._call_back(job, self.now)
        if job.collapse and self.collapsible.get((job.target, job.collapse)) == job.id:
            del self.collapsible[job.target, job.collapse]
        self.counts["queued"] -= 1
        self.counts[state] += 1
        self.ended.append((job.id, job.target, state, code or ""))

    def _withdraw(self, job: Job, code: str) -> Place | None:
        lane = self.lane(job.target)
        place = lane.places.get(job.id)
        self.scheduled.pop(job.id, None)
        if job in self._aside(job):
            self._aside(job).remove(job)
        self._finish(job, "cancelled", code)
        if place is not None and lane.lapses is None:
            self.turn(job.target, self.now)
        return place

    def cancel(self, job_id: str) -> bool:
        self.ended = []
        job = self.jobs[job_id]
        if job.unsent:
            self._withdraw(job, "cancelled")
        return job.state == "cancelled"

    # Requesters: who has used up the window stands aside, so that one person never blocks a group ---------------------

    def _aside(self, job: Job) -> list[Job]:
        return self.aside.setdefault((job.target, job.requester), []) if job.requester else []

    def _call_back(self, job: Job, at: int) -> None:
        """Let the next of those who stand aside with JOB come back AT."""
        if job.requester and self._aside(job):
            self.recalls.setdefault((job.target, job.requester), at)

    def _window_opens(self, requester: str) -> int:
        if requester not in self.windows:
            return 0
        _, ended = self.windows[requester]
        return (self.now if ended is None else ended) + REQUESTER_PERIOD

    def _requester_opens(self, job: Job) -> int | None:
        """Return when JOB fits its requester's window; None when others of this requester go before it."""
        if job.requester is None:
            return 0
        if not job.attempts and not job.called_back and self._aside(job):
            return None
        return self._window_opens(job.requester)

    def _step_aside(self, job: Job, at: int | None) -> None:
        assert job.requester is not None
        del self.lane(job.target).places[job.id]
        self._aside(job).append(job)
        self._aside(job).sort(key=lambda one: one.own_place)
        if at is not None:
            self.recalls[job.target, job.requester] = at
        job.called_back = False

    def _stamp(self, job: Job, token: int) -> None:
        """Count a send in its window from now on (one ms more, since now is cut)."""
        if job.requester and self.windows.get(job.requester, (0, 0))[0] == token:
            self.windows[job.requester] = token, self.now + 1

    def _unstamp(self, job: Job, token: int) -> None:
        if job.requester and self.windows.get(job.requester, (0, 0))[0] == token:
            del self.windows[job.requester]

    # Media: equal media is not sent twice at once ---------------------------------------------------------------------

    def _free_media(self, job: Job, token: int) -> None:
        for digest in job.media:
            if self.media.get(digest) == token:
                del self.media[digest]
                for target, since in self.blocked.pop(digest, {}).items():
                    if self.lane(target).due is not None:
                        self.lane(target).due = since

    def _blocked(self, job: Job, since: int) -> bool:
        for digest in job.media:
            if digest in self.media:
                self.blocked.setdefault(digest, {}).setdefault(job.target, since)
                self.lane(job.target).due = self.now + LOOK_AGAIN
                return True
        return False

    # Holds ---------------------------------------------------------------------------------------------------------

    def hold(self, name: str, milliseconds: int | None, *, operator: bool) -> bool:
        """Hold a target or the account; return whether that changed anything."""
        self.ended = []
        until = FOREVER if milliseconds is None else self.now + milliseconds
        if self._is_the_operators(name, operator) or until <= self.now:
            return False
        self.holds[name] = Hold(until, operator)
        self._look_again(name)
        return True

    def release(self, name: str, *, operator: bool) -> bool:
        self.ended = []
        if name not in self.holds or self._is_the_operators(name, operator):
            return False
        if name == "account" and not operator:
            if not self.held(name):
                return False
            self.holds[name].until = self.now  # half open: one call finds out whether the account works
        else:
            del self.holds[name]
        self._look_again(name)
        return True

    def _is_the_operators(self, name: str, operator: bool) -> bool:
        return self.held(name) and self.holds[name].operator and not operator

    def _look_again(self, name: str) -> None:
        if name != "account" and self.lane(name).lapses is None:
            self.turn(name, self.now)

    def _hold_by_answer(self, name: str, milliseconds: int) -> None:
        old = self.holds.get(name)
        if old and old.operator and old.until > self.now:
            return
        until = max(self.now + milliseconds, old.until if old and not old.operator else 0)
        self.holds[name] = Hold(until, operator=False)

    def _lift(self, name: str) -> None:
        if name in self.holds and not self.holds[name].operator:
            del self.holds[name]
            self._look_again(name)

    # Settle --------------------------------------------------------------------------------------------------------

    def _settle(self, outcome: Outcome, policy: TickPolicy) -> None:
        job = self.jobs[outcome.claim.job_id]
        attempt, settlement = job.last, outcome.settlement
        if attempt is None or attempt.token != outcome.claim.token:
            return
        if attempt.fate == "open":
            self.lane(job.target).lapses = None
            self._free_media(job, attempt.token)
        elif attempt.fate != "lapsed":
            return
        else:
            # The answer came after its lease: it may tell the fate of an unknown job; only a delivery says more.
            if settlement != "unstarted":
                self._stamp(job, attempt.token)
            delivery = settlement == "delivered" and job.state in {"unconfirmed", "queued"}
            told = attempt.part < job.done  # an event was here first
            if told or settlement == "unknown" or not (job.state == "unknown" or delivery):
                return
        if settlement == "unstarted":
            self._unstamp(job, attempt.token)
            job.attempts.pop()
            job.doubted = any(one.doubtful for one in job.attempts)
            job.state = "sending" if job.done else "queued"
            self.turn(job.target, self.now)
            return
        self._stamp(job, attempt.token)
        attempt.fate = settlement
        self._apply_effect(job, outcome)
        if settlement == "delivered":
            self._delivered(job, outcome.message_id, "response")
        elif attempt.seen is not None and settlement != "unknown":
            self._delivered(job, attempt.seen, "event")
        elif settlement == "retry":
            job.state, job.code, job.retries = "queued", outcome.rule, job.retries + outcome.spends
            job.doubted, job.again = any(one.doubtful for one in job.attempts), self.now + outcome.wait_ms
            self.turn(job.target, job.again)
        elif settlement == "unknown":
            self._doubt(job, outcome.rule, policy)
        else:
            self._finish(job, settlement, outcome.rule)
            self.turn(job.target, self.now)

    def _apply_effect(self, job: Job, outcome: Outcome) -> None:
        if outcome.effect == "park":
            self._hold_by_answer(job.target, outcome.hold_ms)
        if outcome.effect == "pause":
            self._hold_by_answer("account", outcome.hold_ms)
        elif outcome.http_status is not None and not self.held("account"):
            self.holds.pop("account", None)  # NapCat answered: a pause that ran out is over
        if outcome.settlement == "delivered":
            self._lift(job.target)

    def _delivered(self, job: Job, message_id: int | None, evidence: str) -> None:
        """Count the current part of JOB as delivered; a job that ended unconfirmed is corrected when all of it is."""
        assert job.last is not None
        assert job.last.part == job.done, "each part is delivered once"
        ended = job.state == "unconfirmed"
        if message_id is not None:
            self.lane(job.target).answered[message_id] = self.now
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
        job.settle_by = self.now + policy.settle_for
        self.turn(job.target, job.settle_by)

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
        if message_id in self.known_messages(target):
            return "known"
        jobs = [job for job in self.jobs.values() if job.target == target and job.text == text]
        matches = [
            job for job in jobs if job.state in {"unknown", "unconfirmed"} and job.last and job.last.part == job.done
        ]
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

    def known_messages(self, target: str) -> list[int]:
        """Return the messages that are accounted for; after some minutes they need not be remembered."""
        return [message for message, at in self.lane(target).answered.items() if at + ANSWERED_FOR > self.now]

    # Claim ---------------------------------------------------------------------------------------------------------

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
                if (job.on_unknown or policy.on_unknown) == "resend" and job.retries < policy.retries:
                    job.state, job.retries = "queued", job.retries + 1
                else:
                    self._finish(job, "unconfirmed", job.code)
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
        attempt = Attempt(self.tokens, job.last.number + 1 if job.last else 1, job.done)
        job.attempts.append(attempt)
        job.state, job.called_back, job.again = "sending", False, 0
        lane.places[job.id] = BEGUN
        lane.due, lane.lapses = None, self.now + CALL + policy.lease
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
        assert not self.held("account"), "a paused account sends nothing"
        assert not set(job.media) & set(self.media), "equal media is not sent twice at once"
        fates = {attempt.fate for attempt in job.attempts if attempt.part == job.done}
        assert "delivered" not in fates, "what was delivered is not sent again"
        resend = "resend" in {job.on_unknown, policy.on_unknown}
        assert resend or not fates & {"unknown", "lapsed"}, "what may have been sent is not sent again unless asked to"

    def _room(self, most_claims: int, policy: TickPolicy) -> tuple[int, int | None]:
        """Return how many may be claimed, and when to look again if the account is paused."""
        if self.held("account"):
            return 0, self.holds["account"].until
        paused = self.holds.get("account")
        if paused and paused.operator:
            del self.holds["account"]
            paused = None
        # A pause that has run out is half open: one call at a time, until NapCat answers.
        flying = sum(lane.lapses is not None for lane in self.lanes.values())
        return min(most_claims, (1 if paused else policy.most_in_flight) - flying), None

    def _claim_due(self, room: int, policy: TickPolicy) -> list[Claimed]:
        """Claim the lanes that are due, the one that has waited longest first."""
        claims: list[Claimed] = []
        for due, target in sorted((due, target) for target, due in self._due() if due <= self.now):
            if len(claims) >= room:
                break
            hold = self.holds.get(target)
            if self.held(target) and hold:
                self.lane(target).due = hold.until
                continue
            if hold and hold.operator:
                del self.holds[target]
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

        A repeated tick only tells again what it claimed, and one that comes after its successor does nothing.
        """
        self.ended = []
        known, tokens = self.ticks.get(replica, (0, []))
        if known == sequence:
            open_ones = {job.last.token: job for job in self.jobs.values() if job.last and job.last.fate == "open"}
            repeated = [self._claimed(open_ones[token]) for token in tokens if token in open_ones]
            return Ticked(repeated, [], 0, has_work=True)
        if known > sequence:
            return Ticked([], [], None, has_work=False)
        for outcome in outcomes:
            self._settle(outcome, policy)
        flights = [(lane.lapses, target) for target, lane in self.lanes.items() if lane.lapses is not None]
        for lapses, target in sorted(flights):
            if lapses <= self.now:
                self._reap(target, policy)
        self._rejoin()
        room, again = self._room(most_claims, policy)
        claims = self._claim_due(room, policy)
        self.ticks[replica] = sequence, [token for _, _, token, *_ in claims]
        full = room <= len(claims) and again is None
        return Ticked(claims, self.ended, *self._next(full, again))

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

    def _next(self, full: bool, again: int | None) -> tuple[int | None, bool]:
        """Return the milliseconds until there is something to do, and whether there will be anything at all."""
        dues = [due for _, due in self._due()]
        others = [lane.lapses for lane in self.lanes.values() if lane.lapses is not None]
        others += [*self.scheduled.values(), *self.recalls.values()]
        turns = [max(min(dues), again or 0)] if dues and not full else []
        ats = turns + others
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
        if self.held("account"):
            return "waiting", "paused"
        if self.held(job.target):
            return "waiting", "parked"
        if self.order(job.target)[0] is not job:
            return "waiting", "behind"
        due = self.lane(job.target).due
        if due is not None and due > self.now:
            return "waiting", "retry" if job.attempts else "rate_limited"
        return "queued", None
