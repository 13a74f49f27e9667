"""What lanes promise, in plain words: one account without Redis, which the scripts are held against.

Times are milliseconds. Nothing here is fast or safe against crashes; everything is a dictionary or a sorted list. What
the machine never does is left out: windows other than a requester's, marks of sources, keys, full accounts, what slows
a target or the account, effects that set in after some answers, numbers logged in, and recalls.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from gateway.model.attempt import Outcome
from gateway.store.values import TickPolicy

FOREVER = 4_102_444_800_000
CLASSES = {"high": 1, "normal": 2, "low": 3}
BEGUN = (0, 0)  # the place of the job whose turn it is: before every class
STREAK = 20  # turns of higher priority that the lowest may wait behind
MUTED = "muted:"  # a target about whose mute NapCat is asked, among the jobs about which the history is
ASK_AGAIN = 600_000  # how often
LOOK_AGAIN = 1_000  # a lane that waits for a medium looks by itself after this long
REQUESTER_PERIOD = 60_000  # one send in any such window, for each requester
FIRST_LOOK, LAST_LOOK = 1_000, 3_000  # when the history is asked: after a doubt, and before settling is given up
SKEW = 5_000  # QQ's clock may be behind ours by this much
PROBE = 15_000  # a replica has this long to find out whether the account works
TRIAL = 10_000  # a trial that went well as far as it went is over after this long
LONGEST_PAUSE = 30_000  # pauses that double grow no longer than this
CALL = 1_000  # what one call may take by itself; its lease is this much longer than the policy's
FINAL = ("delivered", "rejected", "dead", "unconfirmed", "expired", "cancelled")

Place = tuple[int, int]  # class and admission, in the order in which jobs of a lane go
Ended = tuple[str, str, str, str, int, int, list[int], str, bool]
"""Job, target, state, code, attempts, parts delivered, message ids, evidence, and whether that is a correction."""
Claimed = tuple[str, str, int, int, int, int]  # job, target, token, attempt, part, retries
Noted = tuple[str, str, str, int]  # what, target or "account", reason, until
Row = tuple[int, int, str]  # message id, second, text


@dataclass
class Attempt:
    """One try of one part. Its fate is `open`, `lapsed` (nobody answered in time), or its settlement."""

    token: int
    number: int
    part: int
    began: int
    fate: str = "open"
    free: str | None = None  # the rule that says that it cost no retry
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
    unsettled: bool = False  # evidence of it is awaited
    row: int | None = None  # the message that the history lists for it
    looked: bool = False  # a look at the history was answered since the doubt
    granted: bool = False  # it had more time because none was
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

    @property
    def end(self) -> Ended:
        number, code = self.last.number if self.last else 0, self.code or ""
        place = self.id, self.target, self.state, code
        return *place, number, self.done, list(self.message_ids), self.evidence or "", self.corrected

    @property
    def tried_since(self) -> int | None:
        """Return when its current part was first tried, None while it was not."""
        return next((attempt.began for attempt in self.attempts if attempt.part == self.done), None)

    def doubtful(self, besides: Attempt | None = None) -> bool:
        """Whether its current part may have been sent, as far as its attempts tell, BESIDES this one."""
        return any(one.doubtful and one.part == self.done and one is not besides for one in self.attempts)


@dataclass
class Lane:
    """The jobs of one target with their places; `due`: when it is looked at, `lapses`: when its call's lease ends."""

    places: dict[str, Place] = field(default_factory=dict)
    due: int | None = None
    lapses: int | None = None
    streak: int = 0
    answered: list[int] = field(default_factory=list)  # message ids of delivered parts


@dataclass
class Hold:
    """Why a target, or the account, waits since then.

    times    how often it was too short
    probing  until when a replica has time to find out whether the account works
    under    what an operator's hold lies upon, which goes on under it
    trial    how many calls at once are tried since TRIED, after a pause; 0: it is not that far
    """

    since: int
    until: int
    reason: str
    operator: bool
    times: int = 0
    probing: int = 0
    trial: int = 0
    tried: int = 0
    used: bool = False  # something was sent on trial
    under: "Hold | None" = None


@dataclass
class Room:
    """How much a tick may claim; if the account is paused, when to look again, and when to look at the account."""

    claims: int
    again: int | None = None
    asked: int | None = None
    probe: bool = False


@dataclass
class Ticked:
    claims: list[Claimed]
    ended: list[Ended]
    next_in: int | None
    has_work: bool
    noted: list[Noted] = field(default_factory=list)
    looks: list[tuple[str, str]] = field(default_factory=list)
    probe: bool = False


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
        self.looks: dict[str, int] = {}  # job → when the history is asked about it
        self.collapsible: dict[tuple[str, str], str] = {}  # target and collapse key → the newest job
        self.lapse: int | None = None  # when a lease may lapse first: it may have been that of a call that is over
        self.ticks: dict[
            str, tuple[int, list[int], list[str]]
        ] = {}  # replica → its last tick, tokens claimed, jobs ended
        self.counts = dict.fromkeys(("queued", *FINAL), 0)
        self.tokens = 0
        self.seq = 0
        self.ended: list[Ended] = []  # by the script that runs
        self.noted: list[Noted] = []  # what it held or let go by itself

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
        self.ended.append(job.end)

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

    def reject(self, target: str, code: str) -> None:
        """End what waits in a lane in which nothing can be sent any more."""
        self.ended = []
        for job in self.order(target):
            if job.unsent:
                self._finish(job, "rejected", code)
        if self.lane(target).lapses is None:
            self.turn(target, self.now)

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

    def hold(self, name: str, milliseconds: int | None, reason: str, *, operator: bool) -> int | None:
        """Hold a target or the account; return until when, None if that changed nothing."""
        self.ended = []
        until = FOREVER if milliseconds is None else self.now + milliseconds
        if self._is_the_operators(name, operator) or until <= self.now:
            return None
        if name == "account" and not operator:
            old = self.holds.get(name)
            if self.held(name) and old and (old.reason == reason or old.until >= until):
                return None
            return self._hold_by_answer(name, until - self.now, reason)
        old = self.holds[name] if self.held(name) else None
        if old and not operator and old.reason != reason and old.until >= until:
            return None
        under = (old.under if old.operator else old) if old and operator else None
        self.holds[name] = Hold(old.since if old else self.now, until, reason, operator, under=under)
        if reason == "muted" and not operator:
            self.looks[MUTED + name] = self.now + ASK_AGAIN
        self._look_again(name)
        return until

    def release(self, name: str, reasons: str, *, operator: bool) -> bool:
        self.ended = []
        if name not in self.holds:
            return False
        hold = self.holds[name]
        if self._is_the_operators(name, operator):
            if hold.under and (not reasons or hold.under.reason in reasons.split()):
                hold.under = None
            return False
        if reasons and hold.reason not in reasons.split():
            return False
        if name == "account" and not operator and not self.held(name):
            return False
        if name == "account":  # half open: NapCat is asked whether it works
            self.holds[name] = Hold(hold.since, self.now, hold.reason, False, 0 if operator else hold.times)
        else:
            del self.holds[name]
        self._look_again(name)
        return True

    def _is_the_operators(self, name: str, operator: bool) -> bool:
        return self.held(name) and self.holds[name].operator and not operator

    def _look_again(self, name: str) -> None:
        if name != "account" and self.lane(name).lapses is None:
            self.turn(name, self.now)

    def _hold_by_answer(self, name: str, milliseconds: int, reason: str) -> int:
        """Hold for twice as long as before if that was too short; of two reasons the one that lasts longer counts."""
        old = self.holds.get(name)
        if old and old.operator:
            if old.until > self.now:
                return old.until
            old = old.under if old.under and old.under.until > self.now else None
        active = old is not None and old.until > self.now
        times = old.times + (not active) if old else 0
        until = self.now + max(milliseconds, min(milliseconds << times, LONGEST_PAUSE))
        if old and old.until > until:
            until, reason = old.until, old.reason
        self.holds[name] = Hold(old.since if old else self.now, until, reason, operator=False, times=times)
        one_pause = old is not None and (active or name == "account")
        if not one_pause or (old and old.reason != reason):
            self.noted.append(("held", name, reason, until))
        return until

    def _lift(self, target: str, began: int) -> None:
        """Let go what an answer or an event held before the delivered attempt began."""
        hold = self.holds.get(target)
        if hold and not hold.operator and hold.since <= began:
            del self.holds[target]
            self._look_again(target)

    def paused(self) -> bool:
        """Whether nothing is sent: the account is held, or nobody has found out yet whether it works."""
        hold = self.holds.get("account")
        return hold is not None and (hold.until > self.now or not hold.trial)

    @property
    def breaker(self) -> str:
        hold = self.holds.get("account")
        if hold is None or (hold.operator and hold.until > self.now):
            return "closed"
        return "half_open" if hold.trial else "open"

    def _outlast(self, name: str) -> None:
        """Let what an operator's hold lay upon go on when that ran out; else a target is free, an account half open."""
        hold = self.holds.get(name)
        if hold is None or not hold.operator or hold.until > self.now:
            return
        if hold.under and hold.under.until > self.now:
            self.holds[name] = hold.under
        elif name == "account":
            self.holds[name] = Hold(hold.since, hold.until, hold.reason, operator=False)
        else:
            del self.holds[name]

    def probed(self, reason: str, milliseconds: int) -> tuple[str, int]:
        """Take what asking NapCat brought (REASON "": all is well); return the state and until when it is paused."""
        self.ended = []
        if reason:
            return "paused", self._hold_by_answer("account", milliseconds, reason)
        hold = self.holds.get("account")
        if hold is None or hold.operator or hold.until > self.now or hold.trial:
            return "fine", 0
        hold.trial, hold.tried, hold.probing = 1, self.now, 0
        return "trial", 0

    def _trial_goes_on(self, policy: TickPolicy) -> None:
        hold = self.holds.get("account")
        if hold and hold.trial and hold.until <= self.now:
            hold.trial *= 2
            if hold.trial >= policy.most_in_flight:
                self._resume()

    def _resume(self) -> None:
        self.noted.append(("resumed", "account", self.holds.pop("account").reason, 0))

    # Settle --------------------------------------------------------------------------------------------------------

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
