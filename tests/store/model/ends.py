"""How jobs come in, and how they end."""

from tests.store.model.holds import Holds
from tests.store.model.values import FINAL, Job, Place


class Ends(Holds):
    """What producers wish, and the ends of jobs."""

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
