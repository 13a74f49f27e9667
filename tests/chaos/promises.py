"""The promises, as checks of what a run left behind; each raises AssertionError naming the job that broke it."""

from collections.abc import Callable, Sequence
from itertools import pairwise

from tests.chaos.evidence import Arrival, Evidence
from tests.chaos.plan import PATIENCE_MS

Promise = Callable[[Evidence], None]

_NOBODY_ASKED = {"lease_lapsed", "gateway_stopped"}
"""Why an attempt has no answer when its replica was killed, or suspended for too long."""


def every_job_ends_in_exactly_one_final_state(evidence: Evidence) -> None:
    """Each job is told to have ended, in one state; only `unconfirmed` is corrected, once, by late events."""
    for job in evidence.jobs:
        endings = [(receipt.state, bool(receipt.corrected)) for receipt in evidence.finals(job)]
        told = f"job {job.number} to {job.target} ended as {endings}"
        assert endings, told
        assert not endings[0][1], told
        assert endings[1:] in ([], [("delivered", True)]), told
        assert len(endings) == 1 or endings[0][0] == "unconfirmed", told


def no_part_is_sent_again_after_it_may_have_been_sent(evidence: Evidence) -> None:
    """A part is received again only after NapCat said that it was not sent, and the attempt's verdict says so too."""
    for (number, part), arrivals in evidence.arrivals_by_part().items():
        for earlier, later in pairwise(arrivals):
            assert earlier.met.surely_not_sent, f"{earlier} may have been sent, and yet came again: {later}"
        for receipt in evidence.receipts.get(number, ()):
            verdicts = [attempt.verdict for attempt in receipt.attempts or () if attempt.part == part]
            assert set(verdicts[:-1]) <= {"retry"}, f"job {number} part {part} was tried again after {verdicts}"


def every_target_receives_its_jobs_and_their_parts_in_order(evidence: Evidence) -> None:
    """What a target receives never goes back to an earlier job or part, nor leaves out a part of those it goes on with.

    A repeat of the same part is no step back.
    """
    for arrivals in evidence.arrivals_by_target().values():
        for before, after in pairwise(arrivals):
            assert (before.job, before.part) <= (after.job, after.part), f"{after} came after {before}"
    received = evidence.arrivals_by_part()
    for number, part in received:
        assert part == 0 or (number, part - 1) in received, f"job {number} part {part} came without the part before it"


def no_window_holds_more_sends_than_its_rate(evidence: Evidence) -> None:
    """Of the sends of the account, and of each target, any COUNT + 1 in a row take PERIOD seconds or longer."""
    _keeps(evidence.arrivals, *evidence.rates["account"])
    for target, arrivals in evidence.arrivals_by_target().items():
        _keeps(arrivals, *evidence.rates["group" if target.startswith("group:") else "user"])


def _keeps(arrivals: Sequence[Arrival], count: int, period: float) -> None:
    for first, next_one in zip(arrivals, arrivals[count:], strict=False):
        took = next_one.at - first.at
        assert took >= period, f"{count + 1} sends within {took:.4f} s of {period} s: from {first} to {next_one}"


def what_is_called_delivered_is_shown_exactly_once(evidence: Evidence) -> None:
    """QQ shows every part of a job that ended `delivered`, once each, and nothing of any job twice."""
    for (number, part), times in evidence.shown.items():
        assert times == 1, f"QQ shows job {number} part {part} {times} times"
    for job in evidence.jobs:
        if any(receipt.state == "delivered" for receipt in evidence.finals(job)):
            missing = [part for part in range(job.parts) if (job.number, part) not in evidence.shown]
            assert not missing, f"job {job.number} to {job.target} is called delivered, and lacks parts {missing}"


def a_job_is_given_up_only_when_nobody_can_tell(evidence: Evidence) -> None:
    """A job ends `delivered`, or `unconfirmed` because the answer to its last attempt proved nothing or never came."""
    arrivals = evidence.arrivals_by_part()
    for job in evidence.jobs:
        for receipt in evidence.finals(job):
            if receipt.state == "delivered":
                continue
            last = receipt.attempts[-1] if receipt.attempts else None
            told = f"job {job.number} to {job.target} ended as {receipt.state} ({receipt.code}) after {last}"
            assert receipt.state == "unconfirmed", told
            assert last is not None, told
            assert last.verdict == "unknown", told
            if last.rule not in _NOBODY_ASKED and (last.took_ms or 0) < PATIENCE_MS:
                received = arrivals.get((job.number, last.part))
                assert received, f"{told}, and was never received"
                assert received[-1].met.proves_nothing, f"{told}, which met {received[-1]}"


def nothing_is_left_over(evidence: Evidence) -> None:
    """In the end no entry is unread, none was refused, and no job is counted as queued or in flight."""
    left = {name: number for name, number in evidence.left.items() if number}
    assert not left, f"left over: {left}"


def each_part_is_received_exactly_once(evidence: Evidence) -> None:
    """Where NapCat and the replicas are well, no part comes twice, and none stays away."""
    received = evidence.arrivals_by_part()
    for job in evidence.jobs:
        for part in range(job.parts):
            arrivals = received.get((job.number, part), [])
            assert len(arrivals) == 1, f"job {job.number} part {part} was received {len(arrivals)} times"


PROMISES: tuple[Promise, ...] = (
    every_job_ends_in_exactly_one_final_state,
    no_part_is_sent_again_after_it_may_have_been_sent,
    every_target_receives_its_jobs_and_their_parts_in_order,
    no_window_holds_more_sends_than_its_rate,
    what_is_called_delivered_is_shown_exactly_once,
    a_job_is_given_up_only_when_nobody_can_tell,
    nothing_is_left_over,
)
"""What holds whatever happens to NapCat and the replicas."""


OVER_ONE_CONNECTION = tuple(
    promise for promise in PROMISES if promise is not a_job_is_given_up_only_when_nobody_can_tell
)
"""The same where all calls share a connection: one that is lost leaves the fate of all of them open."""


def broken(evidence: Evidence, promises: Sequence[Promise] = PROMISES) -> list[str]:
    """Return a line for each promise that was broken: its name, and by which job."""
    lines = []
    for promise in promises:
        try:
            promise(evidence)
        except AssertionError as error:
            lines.append(f"{promise.__name__.replace('_', ' ')}: {error}")
    return lines
