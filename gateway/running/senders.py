"""What sends, by account: added, changed and removed while the others go on."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

from gateway.clock import Clock
from gateway.forward.forwarder import Forwarder
from gateway.forward.reconcile import Reconciler
from gateway.forward.rules import load_rules
from gateway.forward.transport import napcat_of
from gateway.forward.watch import Watch
from gateway.lanes.runner import Errands, LaneRunner
from gateway.metrics import Metrics
from gateway.model.action import Ask
from gateway.model.errors import Refused, SettingsInvalid
from gateway.model.verdict import Answer
from gateway.model.words import Words
from gateway.settings import Account, Delivery, Settings
from gateway.store.scripts import Scripts
from gateway.store.values import TickPolicy
from gateway.supervise import Remains, Supervisor

_LAST_TICKS = 30.0  # seconds that the lanes of an account that left have to settle what came of its last calls


class Sender:
    """A connection to the NapCat of one account, as its settings are, and who knows how that NapCat is."""

    def __init__(
        self, account: Account, delivery: Delivery, scripts: Scripts, clock: Clock, metrics: Metrics, words: Words
    ) -> None:
        """Make no connection yet; raises SettingsInvalid when endpoint or token cannot be used."""
        rules = load_rules(delivery.rules)
        self._made_of = _ingredients(account, delivery)
        self._name = account.name
        self._scripts = scripts
        self._napcat = napcat_of(account, delivery.slack)
        self.watch = Watch(account, self._napcat, rules, scripts, clock)
        self._forwarder = Forwarder(
            account.name, self._napcat, self.watch, rules, delivery.retry, clock, metrics, words
        )
        self._asked = 0
        self._quiet = asyncio.Event()
        self._quiet.set()

    def fits(self, account: Account, delivery: Delivery) -> bool:
        """Return whether one that is made for these settings would be the same."""
        return self._made_of == _ingredients(account, delivery)

    def errands(self, policy: TickPolicy, *, trust: bool) -> Errands:
        """Return what the lanes need done; TRUST says that a listed message counts as delivered."""
        reconciler = Reconciler(self._name, self._napcat, self.watch, policy, self._scripts, trust=trust)
        return Errands(self._forwarder.forward, reconciler.look, self.watch.probe, self.watch.examine)

    async def ask(self, action: str, params: Mapping[str, Any], timeout_ms: int) -> tuple[Answer, Any]:
        """Ask NapCat something for somebody else."""
        self._asked += 1
        self._quiet.clear()
        try:
            return await self._napcat.ask(action, params, timeout_ms)
        finally:
            self._asked -= 1
            if not self._asked:
                self._quiet.set()

    async def close(self) -> None:
        """End the connection as soon as nobody asks by it any more; the lanes' calls have to have ended."""
        await self._quiet.wait()
        await self.watch.close()
        await self._napcat.close()


def _ingredients(account: Account, delivery: Delivery) -> tuple[Any, ...]:
    return account, delivery.slack, delivery.rules, delivery.retry


class Senders:
    """The senders and the lanes of all accounts. What is given by account is the same object for ever, in the order of
    the settings: who holds it sees accounts come and go.

    accounts  their settings
    policies  what their ticks apply
    runners   who moves their lanes
    watches   who knows how their NapCats are
    wakes     what lets this process look at their lanes
    """

    def __init__(
        self, scripts: Scripts, supervisor: Supervisor, remains: Remains, clock: Clock, metrics: Metrics, words: Words
    ) -> None:
        """Begin without an account."""
        self._scripts = scripts
        self._supervisor = supervisor
        self._remains = remains
        self._clock = clock
        self._metrics = metrics
        self._words = words
        self._senders: dict[str, Sender] = {}
        self._leaving: dict[str, LaneRunner] = {}
        self._left = asyncio.Event()
        self._trust = False
        self.accounts: dict[str, Account] = {}
        self.policies: dict[str, TickPolicy] = {}
        self.runners: dict[str, LaneRunner] = {}
        self.watches: dict[str, Watch] = {}
        self.wakes: dict[str, Callable[[], None]] = {}

    def ask_of(self, account: str) -> Ask:
        """Return how the NapCat of ACCOUNT is asked, whichever connection it has then."""

        async def ask(action: str, params: Mapping[str, Any], timeout_ms: int) -> tuple[Answer, Any]:
            sender = self._senders.get(account)
            if sender is None:
                raise Refused("account_unknown", f"the account {account!r} was removed just now")
            return await sender.ask(action, params, timeout_ms)

        return ask

    async def returnable(self, settings: Settings) -> None:
        """Return when no account of SETTINGS is still leaving: the last calls of its former self have ended."""
        while any(account.name in self._leaving for account in settings.accounts):
            self._left.clear()
            await self._left.wait()

    def prepare(self, settings: Settings, into: dict[str, Sender]) -> None:
        """Put INTO it, by account, the senders that SETTINGS need and are not here; nothing else changes.

        Raises SettingsInvalid when an endpoint or token cannot be used.
        """
        for place, account in enumerate(settings.accounts):
            known = self._senders.get(account.name)
            if known is not None and known.fits(account, settings.delivery):
                continue
            try:
                into[account.name] = Sender(
                    account, settings.delivery, self._scripts, self._clock, self._metrics, self._words
                )
            except SettingsInvalid as error:
                raise SettingsInvalid(f"accounts.{place}.{error}") from None

    def become(self, settings: Settings, policies: Mapping[str, TickPolicy], fresh: Mapping[str, Sender]) -> None:
        """Send as SETTINGS and POLICIES say from now on, by FRESH senders where there are any.

        What is under way goes on as it began; what is replaced or removed ends when that has ended.
        """
        senders = {
            account.name: fresh.get(account.name) or self._senders[account.name] for account in settings.accounts
        }
        before, runners, trust = self._senders, dict(self.runners), settings.delivery.trust_history
        for name, sender in senders.items():
            errands = sender.errands(policies[name], trust=trust)
            runner = runners.get(name)
            if runner is None:
                # A token of its own: what the ticks of a former one of this account left behind is not for this one.
                runner = LaneRunner(name, policies[name], self._scripts, errands, self._clock, self._clock.token())
                self._supervisor.start(f"lanes {name}", runner.run)
            elif sender is not before[name] or policies[name] != self.policies[name] or trust != self._trust:
                runner.become(policies[name], errands)
            runners[name] = runner
        for name, sender in before.items():
            if name not in senders:
                self._leaving[name] = runners[name]
                self._remains.end(f"account {name}", self._leave(name, runners[name], sender))
            elif senders[name] is not sender:
                self._remains.end(f"sender {name}", _replaced(runners[name], sender))
        self._senders, self._trust = senders, trust
        _replace(self.accounts, {account.name: account for account in settings.accounts})
        _replace(self.policies, policies)
        _replace(self.runners, {name: runners[name] for name in senders})
        _replace(self.wakes, {name: runners[name].wake for name in senders})
        _replace(self.watches, {name: sender.watch for name, sender in senders.items()})

    async def drain(self, grace: float) -> None:
        """Claim no more and let what is in flight end within GRACE seconds, of the accounts that left too."""
        runners = [*self.runners.values(), *self._leaving.values()]
        await asyncio.gather(*(runner.drain(grace) for runner in runners))
        await self._supervisor.finish(5.0, *(f"lanes {name}" for name in [*self.runners, *self._leaving]))

    async def close(self) -> None:
        """Close every connection; the lanes have to have ended."""
        for sender in self._senders.values():
            await sender.close()

    async def _leave(self, name: str, runner: LaneRunner, sender: Sender) -> None:
        """Claim nothing more of an account, let its calls end and settle them; what is queued waits in Redis."""
        try:
            await runner.drain(None)
            await self._supervisor.finish(_LAST_TICKS, f"lanes {name}")
            await self._supervisor.retire(f"lanes {name}")
            await sender.close()
        finally:
            del self._leaving[name]
            self._left.set()


async def _replaced(runner: LaneRunner, sender: Sender) -> None:
    """End a SENDER that was replaced, as soon as the calls that RUNNER began with it have ended."""
    await runner.landed()
    await sender.close()


def _replace(known: dict[str, Any], by: Mapping[str, Any]) -> None:
    known.clear()
    known.update(by)
