"""What a run left behind, as the promises are judged by it."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from gateway.model.receipt import FINAL_STATES, Receipt
from gateway.sandbox.journal import Delivered, Received
from tests.chaos.plan import NORMAL, Encounter, PlannedJob, read_label


@dataclass(frozen=True, slots=True)
class Arrival:
    """One send as NapCat received it: which part of which job, when (monotonic s), and what it met there."""

    job: int
    part: int
    target: str
    at: float
    met: Encounter = NORMAL

    def __str__(self) -> str:
        """Name it as a failure should."""
        return f"job {self.job} part {self.part} to {self.target} at {self.at:.4f} ({self.met.name})"


@dataclass(frozen=True, slots=True)
class Evidence:
    """What was planned, what NapCat received, what QQ shows, and what the gateway said of it.

    arrivals  in the order in which they were received
    shown     how often QQ shows each (job, part)
    receipts  by job, in the order in which they were written
    rates     how many sends of a scope (account, group, user) in how many seconds, at the most
    left      what has to be nothing in the end, by name: entries nobody read, jobs still counted
    """

    jobs: Sequence[PlannedJob]
    arrivals: Sequence[Arrival]
    shown: Mapping[tuple[int, int], int]
    receipts: Mapping[int, Sequence[Receipt]]
    rates: Mapping[str, tuple[int, float]]
    left: Mapping[str, int]

    def finals(self, job: PlannedJob) -> list[Receipt]:
        """Return the receipts that say that JOB has ended."""
        return [receipt for receipt in self.receipts.get(job.number, ()) if receipt.state in FINAL_STATES]

    def arrivals_by_target(self) -> dict[str, list[Arrival]]:
        """Return what each target received, in order."""
        found: defaultdict[str, list[Arrival]] = defaultdict(list)
        for arrival in self.arrivals:
            found[arrival.target].append(arrival)
        return found

    def arrivals_by_part(self) -> dict[tuple[int, int], list[Arrival]]:
        """Return when each (job, part) was received, in order."""
        found: defaultdict[tuple[int, int], list[Arrival]] = defaultdict(list)
        for arrival in self.arrivals:
            found[arrival.job, arrival.part].append(arrival)
        return found


def arrivals_of(received: Iterable[Received], encounters: Mapping[str, Sequence[Encounter]]) -> list[Arrival]:
    """Read what NapCat wrote down: the nth send to a target met the nth encounter scripted for it."""
    scripts = {target: iter(script) for target, script in encounters.items()}
    arrivals = []
    for call in received:
        job, part = read_label(call.body["message"])
        met = next(scripts.get(call.target, iter(())), NORMAL)
        arrivals.append(Arrival(job, part, call.target, call.at, met))
    return arrivals


def shown_by(delivered: Iterable[Delivered]) -> Counter[tuple[int, int]]:
    """Count how often QQ shows each (job, part)."""
    return Counter(read_label(message.message) for message in delivered)


def by_job(receipts: Iterable[Receipt]) -> dict[int, list[Receipt]]:
    """Sort receipts by the number of their job."""
    found: defaultdict[int, list[Receipt]] = defaultdict(list)
    for receipt in receipts:
        assert receipt.key is not None, f"a job without its key: {receipt.id}"
        found[int(receipt.key.removeprefix("k"))].append(receipt)
    return found
