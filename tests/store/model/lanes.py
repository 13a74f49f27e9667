"""The lanes, and what keeps a job out of its own: its requester's window, or a medium that is being sent."""

from tests.store.model.values import (
    BEGUN,
    FINAL,
    LOOK_AGAIN,
    REQUESTER_PERIOD,
    STREAK,
    Ended,
    Hold,
    Job,
    Lane,
    Noted,
    Place,
)


class Lanes:
    """The jobs of one account, in their lanes or beside them."""

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
