"""The task that posts callbacks, begun anew when what it goes by changes."""

import asyncio

from gateway.clock import Clock
from gateway.results.callbacks import Callbacks
from gateway.results.outbound import Outbound
from gateway.settings import Callbacks as CallbackSettings
from gateway.settings import Settings
from gateway.store.due import Due
from gateway.store.scripts.callbacks import CallbackScripts
from gateway.supervise import Remains, Supervisor

_TASK = "callbacks"
_LAST_CLAIM = 5.0  # seconds that a claim under way has to come back, so that it need not lapse


class CallbackTask:
    """The task that posts callbacks, as long as there is a secret to sign them with."""

    def __init__(
        self,
        supervisor: Supervisor,
        remains: Remains,
        scripts: CallbackScripts,
        due: Due,
        clock: Clock,
        stopping: asyncio.Event,
    ) -> None:
        """Begin without one; from STOPPING on nothing more is taken."""
        self._supervisor = supervisor
        self._remains = remains
        self._scripts = scripts
        self._due = due
        self._clock = clock
        self._stopping = stopping
        self._made_of: tuple[CallbackSettings, list[str]] | None = None
        self._current: tuple[Callbacks, Outbound] | None = None

    async def become(self, settings: Settings) -> None:
        """Post as SETTINGS say from now on; what is being posted is posted as it was begun."""
        accounts = [account.name for account in settings.accounts]
        if self._made_of == (settings.callbacks, accounts):
            return
        if (replaced := await self._halted()) is not None:
            self._remains.end(_TASK, _drained(*replaced))
        self._made_of = settings.callbacks, accounts
        if not settings.callbacks.secrets:
            await self._supervisor.retire(_TASK)
            return
        outbound = Outbound(settings.callbacks.timeout, allow_private=settings.callbacks.allow_private)
        callbacks = Callbacks(
            settings.callbacks, accounts, self._scripts, self._due, outbound, self._clock, self._stopping
        )
        self._current = callbacks, outbound
        self._supervisor.start(_TASK, callbacks.run)

    async def end(self) -> None:
        """Take nothing more, and let what is being posted end."""
        if (current := await self._halted()) is not None:
            await _drained(*current)

    async def _halted(self) -> tuple[Callbacks, Outbound] | None:
        current, self._current = self._current, None
        if current is not None:
            current[0].halt()
            await self._supervisor.finish(_LAST_CLAIM, _TASK)
            await self._supervisor.stop(_TASK)
        return current


async def _drained(callbacks: Callbacks, outbound: Outbound) -> None:
    async with outbound:
        await callbacks.drain()
