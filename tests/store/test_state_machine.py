"""Whatever happens in whatever order, the scripts do what the model of the lanes says."""

import asyncio
import json
from collections.abc import Coroutine, Iterable, Sequence
from contextlib import AsyncExitStack
from dataclasses import asdict
from pathlib import Path
from typing import Any, ClassVar

import pytest
from hypothesis import HealthCheck, Phase, note, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from gateway.model.attempt import Claim, Outcome
from gateway.model.part import Part
from gateway.store.client import Clients, connected
from gateway.store.embedded import embedded_server
from gateway.store.keys import Keys
from gateway.store.producer import Producer
from gateway.store.values import Ended, Row, Submission, Tick
from tests.store.clock import BEGINNING, ScriptsInOurTime
from tests.store.happenings import (
    ANSWERS,
    DAY,
    POLICY,
    Turn,
    Wish,
    answers,
    findings,
    lists,
    perhaps,
    recent,
    targets,
    turns,
    wishes,
)
from tests.store.model.account import Account
from tests.store.model.values import CALL, FINAL, FIRST_LOOK, SKEW, Job
from tests.trials import TRIALS

BACKLOG = Keys("gw").of("main", "backlog")

EXAMPLES = 40 * TRIALS


class Lanes(RuleBasedStateMachine):
    """Does the same to the scripts of one account and to its model, and compares what comes of it.

    Each rule is something that happens, and then perhaps a tick, so that jobs move whichever rules an example uses.
    What slows a target or the account, and effects that need several answers, have tests of their own.
    """

    runner: ClassVar[asyncio.Runner]
    clients: ClassVar[Clients]

    def __init__(self) -> None:
        super().__init__()
        self.scripts = ScriptsInOurTime(self.clients, Keys("gw"))
        self.model = Account(BEGINNING)
        self.claims: list[Claim] = []  # every claim there was, in order
        self.open: list[Claim] = []  # those without an answer
        self.ticks: dict[str, list[tuple[list[Outcome], Turn]]] = {"r1": [], "r2": []}
        self.messages = 0
        self.probes = 0  # that were asked for and have no answer
        self.looks: list[Job] = []  # the same
        self.changing: list[Job] = []  # jobs that had not ended at the last look
        self.flooded = False
        self.sound = False  # nothing was wrong at the last look
        self.run(self._begin())

    async def _begin(self) -> None:
        await self.clients.commands.flushall()
        await self.scripts.set_clock(self.model.now)
        assert await self.scripts.read("main", job_id="nobody") is None  # and Redis knows the script

    def run(self, happening: Coroutine[Any, Any, object], turn: Turn | None = None) -> None:
        self.sound = False
        self.runner.run(self._happen(happening, turn))

    async def _happen(self, happening: Coroutine[Any, Any, object], turn: Turn | None) -> None:
        await happening
        if turn is not None:
            await self._tick(turn)

    # What producers do ------------------------------------------------------------------------------------------------

    @initialize(wishes=st.lists(wishes, min_size=3, max_size=10), turn=perhaps)
    def begin(self, wishes: list[Wish], turn: Turn | None) -> None:
        self.run(self._admit(*wishes), turn)

    @rule(wishes=st.lists(wishes, min_size=1, max_size=3), turn=perhaps)
    def admit(self, wishes: list[Wish], turn: Turn | None) -> None:
        self.run(self._admit(*wishes), turn)

    async def _admit(self, *wishes: Wish) -> None:
        now = self.model.now
        for wish in wishes:
            fields = asdict(wish)
            delay, ttl = fields.pop("delay"), fields.pop("ttl")
            go_at = now + (delay or 0)
            expires, lapse = (go_at + DAY, "max_age") if ttl is None else (now + ttl, "ttl")
            job = Job(id=str(len(self.model.jobs)), expires=expires, lapse=lapse, go_at=go_at, **fields)
            self.model.admit(job)
            self.changing.append(job)
            await self._submit(job, delay, ttl)

    async def _submit(self, job: Job, delay: int | None = None, ttl: int | None = None) -> None:
        part = Part("send_group_msg", b"{}", CALL, 0, job.text, nodes=False, media=" ".join(job.media))
        one = Submission(
            account="main",
            id=job.id,
            target=job.target,
            fingerprint=job.id,
            parts=(part,) * job.parts,
            requester=job.requester,
            priority=job.priority,
            delay=delay,
            ttl=ttl,
            on_unknown=job.on_unknown,
            collapse_key=job.collapse,
        )
        reply = await self.scripts.admit("main", "", [one], 1_000, POLICY.keep, DAY, POLICY.stream)
        assert reply == [("admitted", job.id)]

    @precondition(lambda self: not self.flooded)
    @rule(lane=targets, count=st.integers(20, 25))
    def flood(self, lane: str, count: int) -> None:
        """Let many urgent jobs go through one lane, one after the other."""
        self.flooded = True
        self.run(self._flood(lane, count))

    async def _flood(self, lane: str, count: int) -> None:
        for _ in range(count):
            await self._admit(Wish(lane, text="flood", priority="high"))
            await self._tick(Turn(), [(claim, "delivered") for claim in self.open])

    # What replicas do -------------------------------------------------------------------------------------------------

    @rule(turn=turns)
    def tick(self, turn: Turn) -> None:
        self.run(self._tick(turn))

    @rule(answer=st.sampled_from(["delivered", "delivered", "unknown"]), turn=turns)
    def answer_everything(self, answer: str, turn: Turn) -> None:
        self.run(self._tick(turn, [(claim, answer) for claim in self.open]))

    @precondition(lambda self: self.open)
    @rule(lapse=st.booleans(), listed=lists, turn=perhaps)
    def lose_answers_and_look(self, lapse: bool, listed: tuple[Sequence[str], bool], turn: Turn | None) -> None:
        """Let the answers of all calls get lost, or their leases lapse, and look into the history."""
        self.run(self._lose_answers(lapse, listed), turn)

    async def _lose_answers(self, lapse: bool, listed: tuple[Sequence[str], bool]) -> None:
        lost = [] if lapse else [(claim, "unknown") for claim in self.open]
        await self._tick(Turn(after=CALL + POLICY.lease if lapse else 0, most_claims=0), lost)
        await self._tick(Turn(after=FIRST_LOOK, listed=listed))

    @rule(ago=recent, answer=answers, turn=turns)
    def answer_again(self, ago: int, answer: str, turn: Turn) -> None:
        """Settle what has been settled before, perhaps otherwise."""
        settled = [claim for claim in self.claims if claim not in self.open]
        self.run(self._tick(turn, [(settled[-1 - ago % len(settled)], answer)] if settled else []))

    @rule(lost=st.sampled_from(["admission", "r1", "r2"]), ago=recent, turn=perhaps)
    def lose_a_reply(self, lost: str, ago: int, turn: Turn | None) -> None:
        """Admit a job again, or repeat a replica's last tick; one before the last is late, and nobody waits for it."""
        self.run(self._submit(self._job(ago)) if lost == "admission" else self._repeat(lost, ago), turn)

    async def _repeat(self, replica: str, ago: int) -> None:
        sequence = len(self.ticks[replica]) - ago
        if sequence > 0:
            await self._run_tick(replica, sequence)

    async def _tick(self, turn: Turn, more: Iterable[tuple[Claim, str]] = ()) -> Tick:
        await self._move(turn.after)
        answered = [(self.open[-1 - ago % len(self.open)], answer) for ago, answer in turn.answers if self.open]
        outcomes = [self._outcome(*one) for one in [*answered, *more]]
        self.ticks[turn.replica].append((outcomes, turn))
        tick = await self._run_tick(turn.replica, len(self.ticks[turn.replica]))
        settled = [outcome.claim for outcome in outcomes]
        self.open = [claim for claim in [*self.open, *tick.claims] if claim not in settled]
        self.claims += tick.claims
        self.probes += tick.probe
        self.looks += [self.model.jobs[look.job_id] for look in tick.looks if look.job_id]
        if tick.probe and turn.probed is not None:
            await self._answer_probe(turn.probed)
        while self.looks and turn.listed is not None and any(look.job_id for look in tick.looks):
            await self._answer_look(self.looks.pop(), *turn.listed)
        return tick

    async def _run_tick(self, replica: str, sequence: int) -> Tick:
        outcomes, turn = self.ticks[replica][sequence - 1]
        expected = self.model.tick(replica, sequence, outcomes, turn.most_claims, turn.policy)
        tick = await self.scripts.tick("main", turn.policy, replica, sequence, outcomes, turn.most_claims, 0.0)
        note(f"claims {[claim.job_id for claim in tick.claims]}, ended {[tuple(ended) for ended in tick.ended]}")
        claims = [(one.job_id, str(one.target), one.token, one.n, one.part_no, one.retries) for one in tick.claims]
        assert claims == expected.claims
        self._compare_ended(tick.ended)
        assert (tick.next_in, tick.has_work) == (expected.next_in, expected.has_work)
        assert [tuple(noted) for noted in tick.noted] == expected.noted
        assert [(look.job_id, str(look.target)) for look in tick.looks] == expected.looks
        assert tick.probe == expected.probe
        return tick

    def _outcome(self, claim: Claim, answer: str) -> Outcome:
        return Outcome(claim, **ANSWERS[answer], message_id=self._message_id() if answer == "delivered" else None)

    # What asking NapCat brings ----------------------------------------------------------------------------------------

    @precondition(lambda self: self.probes)
    @rule(finding=findings, turn=turns)
    def answer_a_probe(self, finding: str | None, turn: Turn) -> None:
        """Tell what a replica found out that was asked to probe, in time or not; one that does not is replaced."""
        self.run(self._answer_probe(finding or ""), turn)

    async def _answer_probe(self, finding: str) -> None:
        self.probes -= 1
        state, until = self.model.probed(finding, 1_000)
        probed = await self.scripts.probed("main", finding, 1_000, "", "")
        assert (probed.state, probed.until) == (state, until)

    @precondition(lambda self: self.looks)
    @rule(ago=recent, listed=lists, turn=perhaps)
    def answer_a_look(self, ago: int, listed: tuple[Sequence[str], bool], turn: Turn | None) -> None:
        """Tell what NapCat lists in the chat of an unknown job, in time or not."""
        self.run(self._answer_look(self.looks.pop(-1 - ago % len(self.looks)), *listed), turn)

    async def _answer_look(self, job: Job, listed: Sequence[str], trusted: bool) -> None:
        rows = [Row(*self._row(job, kind)) for kind in listed]
        outcome = self.model.history(job.id, rows, trusted=trusted)
        reply, ended = await self.scripts.history("main", POLICY, job.id, rows, trusted=trusted)
        note(f"look {job.id}: {rows} {reply}")
        assert reply == outcome
        self._compare_ended(ended)

    def _row(self, job: Job, kind: str) -> tuple[int, int, str]:
        since = job.tried_since or self.model.now
        second = {"barely in time": since - SKEW, "too old": since - SKEW - 1_000}.get(kind, self.model.now) // 1_000
        others = [other.row for other in self.model.jobs.values() if other.target == job.target and other.row]
        known = {"known": self.model.lane(job.target).answered, "taken": others}.get(kind) or [self._message_id()]
        return known[-1], second, "other words" if kind == "other words" else job.text

    # What operators and NapCat's events do ----------------------------------------------------------------------------

    @rule(ago=recent, turn=perhaps)
    def cancel(self, ago: int, turn: Turn | None) -> None:
        self.run(self._cancel(self._job(ago)), turn)

    async def _cancel(self, job: Job) -> None:
        done = self.model.cancel(job.id)
        cancelled = await self.scripts.cancel("main", POLICY, job.id)
        assert cancelled is not None
        assert (cancelled.done, cancelled.state, cancelled.target) == (done, job.state, job.target)
        self._compare_ended(cancelled.ended)

    @rule(
        name=st.sampled_from(["group:1", "group:1", "group:2", "account"]),
        wish=st.sampled_from(["release", "release", None, 0, 3_000, 60_000]),
        reason=st.sampled_from(["", "quarrel", "gone offline"]),
        operator=st.booleans(),
        turn=perhaps,
    )
    def hold_or_release(
        self, name: str, wish: int | str | None, reason: str, operator: bool, turn: Turn | None
    ) -> None:
        """Hold a target or the account, for milliseconds or until it is released, as an operator or an event does."""
        if isinstance(wish, str):
            self.run(self._release(name, reason, operator), turn)
        else:
            self.run(self._hold(name, wish, operator), turn)

    async def _hold(self, name: str, milliseconds: int | None, operator: bool) -> None:
        until = self.model.hold(name, milliseconds, "quarrel", operator=operator)
        held = await self.scripts.hold("main", name, "quarrel", operator=operator, milliseconds=milliseconds)
        assert held == until

    async def _release(self, name: str, reasons: str, operator: bool) -> None:
        changed = self.model.release(name, reasons, operator=operator)
        assert await self.scripts.release("main", name, reasons, operator=operator) == changed

    @rule(lane=targets, turn=perhaps)
    def kick(self, lane: str, turn: Turn | None) -> None:
        """Throw the account out of a group: nothing can be sent there any more."""
        self.run(self._kick(lane), turn)

    async def _kick(self, lane: str) -> None:
        self.model.reject(lane, "kicked")
        self._compare_ended(await self.scripts.reject("main", POLICY, lane, "kicked"))

    @precondition(lambda self: any(job.attempts for job in self.model.jobs.values()))
    @rule(ago=recent, which=st.sampled_from(["new", "new", "known", "listed"]), turn=perhaps)
    def evidence(self, ago: int, which: str, turn: Turn | None) -> None:
        """NapCat reports a message like one of ours as sent: a new one, a known one, or one the history listed."""
        begun = [job for job in self.model.jobs.values() if job.attempts]
        begun.sort(key=lambda job: job.state in {"unknown", "unconfirmed"})
        job = begun[-1 - ago % len(begun)]
        known = self.model.lane(job.target).answered if which == "known" else []
        listed = [other.row for other in begun if other.target == job.target and other.row and which == "listed"]
        messages = [*known, *listed] or [self._message_id()]
        self.run(self._evidence(job, messages[-1 - ago % len(messages)]), turn)

    async def _evidence(self, job: Job, message_id: int) -> None:
        outcome = self.model.evidence(job.target, job.text, message_id)
        seconds = self.model.now // 1000
        reply, ended = await self.scripts.evidence("main", POLICY, job.target, job.text, message_id, seconds)
        assert reply == outcome
        self._compare_ended(ended)

    async def _move(self, milliseconds: int) -> None:
        if milliseconds:
            self.model.now += milliseconds
            await self.scripts.set_clock(self.model.now)

    def _job(self, ago: int) -> Job:
        """Return a job; those that have begun and not ended are picked first, then those that have not begun."""
        jobs = sorted(self.model.jobs.values(), key=lambda job: (job.state not in FINAL, bool(job.attempts)))
        return jobs[-1 - ago % len(jobs)]

    def _message_id(self) -> int:
        self.messages += 1
        return self.messages

    # What holds after every step --------------------------------------------------------------------------------------

    @invariant()
    def all_is_as_the_model_says(self) -> None:
        self.runner.run(self._compare(self.changing))
        self.changing = [job for job in self.changing if job.state not in FINAL]
        assert self.model.idle_lanes() == [], "a lane that waits has a reason to"
        self.sound = True

    async def _compare(self, jobs: list[Job]) -> None:
        numbers, documents = await self.scripts.look("main", [job.id for job in jobs])
        for job, document in zip(jobs, documents, strict=True):
            assert document is not None
            receipt = json.loads(document)
            shown = receipt["state"], receipt.get("reason"), receipt.get("code")
            assert shown == (*self.model.shown(job), job.code), f"job {job.id}"
            assert receipt["parts"]["delivered"] == job.done
            assert receipt["message_ids"] == job.message_ids
            assert (receipt.get("evidence"), receipt.get("corrected", False)) == (job.evidence, job.corrected)
        states = [job.state for job in self.model.jobs.values()]
        lanes = self.model.lanes.values()
        assert numbers.queued == sum(state not in FINAL for state in states)
        assert {state: numbers.ended.get(state, 0) for state in FINAL} == {
            state: states.count(state) for state in FINAL
        }
        assert numbers.in_flight == sum(lane.lapses is not None for lane in lanes)
        assert numbers.lanes == sum(lane.due is not None for lane in lanes)
        holds = {
            name: (hold.until, hold.reason)
            for name, hold in self.model.holds.items()
            if hold.until > self.model.now or (name == "account" and not hold.trial and not hold.operator)
        }
        assert {hold.name: (hold.until, hold.reason) for hold in numbers.holds} == holds
        assert numbers.breaker == self.model.breaker
        full = {target: len(lane.places) for target, lane in self.model.lanes.items() if len(lane.places) >= 2}
        assert {lane.target: lane.queued for lane in numbers.backlog if lane.queued >= 2} == full
        backlog: list[Any] = await self.clients.commands.zrange(BACKLOG, 0, -1, withscores=True)
        rounded = {target: 1 << (depth.bit_length() - 1) for target, depth in full.items()}
        assert {target.decode(): int(depth) for target, depth in backlog} == rounded

    def _compare_ended(self, ended: list[Ended]) -> None:
        found = [(*one[:4], one.attempts, one.delivered, one.message_ids, one.evidence, one.corrected) for one in ended]
        assert found == self.model.ended

    # What holds in the end --------------------------------------------------------------------------------------------

    def teardown(self) -> None:
        if self.sound:
            self.run(self._drain())

    async def _drain(self) -> None:
        """Whoever ticks when the last tick said so, once nothing is held, brings every job to its end."""
        for name in list(self.model.holds):
            await self._release(name, "", operator=True)
        for _ in range(8 * len(self.model.jobs) + 20):
            tick = await self._tick(Turn(), [(claim, "delivered") for claim in self.open])
            if not tick.has_work:
                break
            if not tick.claims:
                assert tick.next_in is not None, "something waits for nothing"
                await self._move(tick.next_in)
        await self._compare(list(self.model.jobs.values()))
        assert (await self.scripts.overview("main")).queued == 0, "every job comes to an end"
        await self._compare_published()

    async def _compare_published(self) -> None:
        """Every end was published once; nothing but a correction followed."""
        published: dict[str, list[str]] = {job_id: [] for job_id in self.model.jobs}
        for document in await Producer(self.clients).receipts():
            receipt = json.loads(document)
            if receipt["state"] in FINAL:
                published[receipt["id"].removeprefix("main.")].append(receipt["state"])
        assert published == {
            job.id: ["unconfirmed", "delivered"] if job.corrected else [job.state] for job in self.model.jobs.values()
        }


FRESH = 10  # of longer runs, Hypothesis spends most on variations of few examples
EXPLORING = settings(
    max_examples=FRESH,
    stateful_step_count=40,
    deadline=None,
    database=None,
    report_multiple_bugs=False,
    phases=[Phase.generate, Phase.shrink],
    suppress_health_check=list(HealthCheck),
)


@pytest.mark.timeout(600)  # a failure takes its time to be made small
def test_whatever_happens_the_scripts_do_what_the_model_says(tmp_path: Path) -> None:
    with asyncio.Runner() as runner:
        stack = AsyncExitStack()
        try:
            url = runner.run(stack.enter_async_context(embedded_server(tmp_path)))

            class Machine(Lanes):
                pass

            Machine.runner, Machine.clients = runner, runner.run(stack.enter_async_context(connected(url)))
            for _ in range(-(-EXAMPLES // FRESH)):
                run_state_machine_as_test(Machine, settings=EXPLORING)
        finally:
            runner.run(stack.aclose())
