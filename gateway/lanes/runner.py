"""The loop that moves one account's lanes: tick, send what was claimed, settle with the next tick."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, NamedTuple

from gateway.clock import Clock
from gateway.lanes.policy import START_WITHIN
from gateway.lanes.probes import Probes
from gateway.model.attempt import Claim, Outcome
from gateway.model.errors import StoreRefuses, StoreUnavailable
from gateway.model.instant import format_instant
from gateway.model.target import Target
from gateway.model.verdict import Verdict
from gateway.store.scripts.lanes import LaneScripts
from gateway.store.values import Look, Tick, TickPolicy
from gateway.telemetry import Event, Log, told

_SAFETY = 1.0  # seconds between looks at an account that has work, should a bell be lost
_APART = 0.001  # seconds between two ticks while calls are under way: rings and outcomes gather
_GATHER = 0.003  # seconds more that outcomes gather, while less than half of the calls have ended
_MANY = 8  # outcomes that are worth a tick at once, where they are of half of the calls
_FIRST_PROBE = 10.0  # seconds that the first look at the account may take
_BEHIND = 0.25  # seconds until it is asked again whether the replicas have it; the asking itself waits for them
_IDLE = 30.0  # seconds between looks at an account that has none
_NOTED = {
    "held": Event.LANE_HELD,
    "slowed": Event.LANE_SLOWED,
    "recovered": Event.LANE_RECOVERED,
    "resumed": Event.LANE_RELEASED,
    "failed_over": Event.MASTER_CHANGED,
}


@dataclass(frozen=True, slots=True)
class Errands:
    """What the lanes of one account need done at its NapCat.

    forward  sends a claimed part and returns what came of it; never raises
    look     looks into the history of a chat for a message whose fate nobody knows
    probe    finds out whether the account works
    examine  finds out whether the account is still muted somewhere
    """

    forward: Callable[[Claim], Awaitable[Outcome]]
    look: Callable[[Look], Coroutine[Any, Any, None]]
    probe: Callable[[], Coroutine[Any, Any, bool]]
    examine: Callable[[Target], Coroutine[Any, Any, None]]


class _Request(NamedTuple):
    """What one tick is asked for."""

    sequence: int
    outcomes: list[Outcome]
    room: int
    start_by: float


class LaneRunner:
    """Moves the lanes of one account while it runs.

    Nothing that matters lives here: what this process does not settle, its leases give to another replica.
    """

    def __init__(
        self,
        account: str,
        policy: TickPolicy,
        scripts: LaneScripts,
        errands: Errands,
        clock: Clock,
        replica: str,
    ) -> None:
        """Prepare the loop of ACCOUNT; `run` moves it."""
        self._account = account
        self._policy = policy
        self._scripts = scripts
        self._errands = errands
        self._clock = clock
        self._replica = replica
        self._log = Log(account=account)
        self._awake = asyncio.Event()
        self._flying: set[asyncio.Task[None]] = set()
        self._running: set[asyncio.Task[None]] = set()
        self._outcomes: list[Outcome] = []
        self._request: _Request | None = None
        self._sequence = 0
        self._more = False
        self._behind = False  # whether too few replicas have what the last tick did
        # Two halves take turns: one is sent while the other is settled, or this process and Redis would wait for
        # each other.
        self._cohort = (policy.most_in_flight + 1) // 2
        self._claiming = True
        self._reconsiders = True  # lanes may wait for instants that other limits have set
        self._rung = False
        self._enough = 1  # so many outcomes are worth a tick
        self._probed = False
        self._probes = Probes(account, errands.probe, clock, self._run)

    def become(self, policy: TickPolicy, errands: Errands) -> None:
        """Apply POLICY and run ERRANDS from now on, after a look at the account by these; what is under way goes on."""
        self._reconsiders = self._reconsiders or policy.limits != self._policy.limits
        self._policy, self._errands = policy, errands
        self._cohort = (policy.most_in_flight + 1) // 2
        self._probes.become(errands.probe)
        self.wake()

    async def landed(self) -> None:
        """Return when the calls and errands that are under way now have ended, each in its own time."""
        if under_way := {*self._flying, *self._running}:
            await asyncio.wait(under_way)

    def wake(self) -> None:
        """Look at the lanes now: work was admitted, or something may go on."""
        self._rung = True
        self._awake.set()

    def recheck(self) -> None:
        """Find out whether the account works, if nobody wished for that just now."""
        self._probes.recheck()

    async def run(self) -> None:
        """Tick until `drain` has ended it; raises StoreUnavailable when Redis is lost, and can be run again."""
        if not self._probed:
            self._probed = True
            self._probes.ask()
            # Nothing is sent before it is known who is logged in there; a NapCat that does not answer is paused then.
            await asyncio.wait(self._running, timeout=_FIRST_PROBE)
        while self._claiming or self._flying or self._outcomes or self._request:
            self._awake.clear()
            self._rung = False
            self._enough = 1
            wait = await self._tick()
            if wait > 0:
                await self._sleep(wait)
            if self._flying and not self._more:
                await self._gather()

    async def drain(self, grace: float | None) -> None:
        """Claim no more and let what is in flight end within GRACE seconds; what has not ended then is unknown.

        None: each call ends in its own time.
        """
        self._claiming = False
        self._probes.end()
        self.wake()
        if self._flying:
            await asyncio.wait(self._flying, timeout=grace)
        for task in list(self._flying):
            task.cancel()
        for task in list(self._running):
            task.cancel()
        await asyncio.gather(*self._flying, *self._running, return_exceptions=True)
        self.wake()

    async def _gather(self) -> None:
        """Wait a moment: calls end one by one, and a tick costs hardly more for many of them than for one."""
        self._enough = (len(self._flying) + len(self._outcomes)) // 2
        if len(self._outcomes) >= max(self._enough, _MANY):
            return
        await asyncio.sleep(_APART)
        if self._flying and len(self._outcomes) < self._enough and not self._rung:
            self._awake.clear()
            await self._sleep(_GATHER)

    async def _sleep(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._awake.wait()
        except TimeoutError:
            pass

    async def _tick(self) -> float:
        """Settle and claim once; return how many seconds may pass before the next tick, unless woken."""
        if self._reconsiders:
            with suppress(StoreRefuses):  # there is no room for that: they wait as long as the former limits said
                await self._scripts.reconsider(self._account, self._policy.limits)
            self._reconsiders = False
        # A tick whose reply was lost is repeated as it was: its number makes the repeat return the same claims.
        self._request = request = self._request or self._next()
        tick = await self._scripts.tick(self._account, self._policy, self._replica, *request)
        self._request = None
        caught_up = self._behind and tick.replicated
        self._behind = not tick.replicated
        if self._behind:
            # Settled, but perhaps not on the master that comes after this one: told until the replicas know it.
            self._outcomes = [*request.outcomes, *self._outcomes]
        self._tell(tick)
        self._act(tick)
        self._more = 0 < request.room == len(tick.claims) and len(self._flying) < self._policy.most_in_flight
        if self._behind:
            return _BEHIND
        if self._outcomes or self._more or (caught_up and self._claiming):
            return 0
        if not self._claiming:
            return _SAFETY if self._flying else 0
        if not self._flying:
            self._probes.keep_watch()
        patience = _SAFETY if tick.has_work else _IDLE
        return patience if tick.next_in is None else min(patience, tick.next_in / 1000)

    def _next(self) -> "_Request":
        """Return what the next tick settles, and for how many claims there is room."""
        self._sequence += 1
        outcomes, self._outcomes = self._outcomes, []
        may_claim = self._claiming and not self._behind
        room = min(self._policy.most_in_flight - len(self._flying), self._cohort) if may_claim else 0
        return _Request(self._sequence, outcomes, max(room, 0), self._clock.monotonic() + START_WITHIN / 1000)

    def _act(self, tick: Tick) -> None:
        """Send what was claimed, and run the errands the tick asks for."""
        if tick.probe:
            self._probes.ask()
        for look in tick.looks if self._claiming else ():
            errand = self._errands.look(look) if look.job_id else self._errands.examine(look.target)
            self._run(errand, f"look {self._account} {look.target}")
        for claim in tick.claims:
            if self._behind or not self._claiming:
                self._outcomes.append(Outcome(claim, "unstarted"))
                continue
            task = asyncio.create_task(self._fly(claim), name=f"send {self._account} {claim.target}")
            self._flying.add(task)
            task.add_done_callback(self._landed)

    def _tell(self, tick: Tick) -> None:
        """Log what the tick held, slowed and let go."""
        for noted in tick.noted:
            alarming = noted.name == "account" and noted.what in {"held", "slowed", "failed_over"}
            (self._log.warning if alarming else self._log.info)(
                _NOTED[noted.what],
                name=noted.name,
                reason=noted.reason,
                until=format_instant(noted.until) if noted.until else None,
            )

    def _run(self, errand: Coroutine[Any, Any, None], name: str) -> None:
        """Run an errand beside the lanes, which look again when it is done."""
        task = asyncio.create_task(errand, name=name)
        self._running.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        error = None if task.cancelled() else task.exception()
        # Without Redis the lanes stand still anyway; the errand comes again.
        if error is not None and not isinstance(error, StoreUnavailable):
            self._log.error(Event.TASK_FAILED, task=task.get_name(), error=told(error))
        self.wake()

    def _landed(self, task: asyncio.Task[None]) -> None:
        self._flying.discard(task)
        self._probes.heard_at = self._clock.monotonic()
        if not task.cancelled() and (error := task.exception()) is not None:
            # The lease lapses and the attempt becomes unknown: it may have been sent.
            self._log.error(Event.TASK_FAILED, task=task.get_name(), error=told(error))
        if len(self._outcomes) >= self._enough or not self._flying:
            self._awake.set()

    async def _fly(self, claim: Claim) -> None:
        try:
            outcome = await self._errands.forward(claim)
        except asyncio.CancelledError:
            # Ended in mid-call: the request may have left.
            outcome = Outcome(claim, "unknown", Verdict.UNKNOWN, rule="gateway_stopped")
        self._outcomes.append(outcome)
