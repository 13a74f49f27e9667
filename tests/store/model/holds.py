"""Why a target, or the whole account, waits on purpose."""

from gateway.store.values import TickPolicy
from tests.store.model.lanes import Lanes
from tests.store.model.values import ASK_AGAIN, FOREVER, LONGEST_PAUSE, MUTED, Hold


class Holds(Lanes):
    """Targets that are parked, and the account that is paused or on trial."""

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
