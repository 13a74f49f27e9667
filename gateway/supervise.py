"""Every task has a name, an owner and an end."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from gateway.clock import Clock
from gateway.telemetry import Event, Log, told

_FIRST_PAUSE, _LONGEST_PAUSE = 0.2, 5.0
_STEADY = 2.0  # seconds a task has to run before an earlier failure is forgotten


class Supervisor:
    """Owns the long-running tasks: restarts one that fails, with growing pauses, and tells how each is.

    `errors` says of every task why it last failed, until it has run steadily again; None: it is well.
    """

    def __init__(self, clock: Clock) -> None:
        """Start with no task."""
        self._clock = clock
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._log = Log()
        self.errors: dict[str, str | None] = {}

    def start(self, name: str, work: Callable[[], Awaitable[None]]) -> None:
        """Run WORK under NAME until it returns or is stopped."""
        self.errors[name] = None
        self._tasks[name] = asyncio.create_task(self._keep(name, work), name=name)

    def failing(self) -> dict[str, str]:
        """Return the tasks that are not well, and why."""
        return {name: error for name, error in self.errors.items() if error}

    async def finish(self, seconds: float, *names: str) -> None:
        """Wait up to SECONDS for the tasks of these names to return by themselves."""
        running = [self._tasks[name] for name in names if name in self._tasks]
        if running:
            await asyncio.wait(running, timeout=seconds)

    async def retire(self, *names: str) -> None:
        """Stop the tasks of these names for good: nobody is told any more how they are."""
        await self.stop(*names)
        for name in names:
            self.errors.pop(name, None)

    async def stop(self, *names: str) -> None:
        """Cancel the tasks of these names and wait for their end."""
        await end({self._tasks.pop(name) for name in names if name in self._tasks})

    async def close(self) -> None:
        """Stop all tasks."""
        await self.stop(*self._tasks)

    async def _keep(self, name: str, work: Callable[[], Awaitable[None]]) -> None:
        pause = _FIRST_PAUSE
        while True:
            began = self._clock.monotonic()
            steady = asyncio.get_running_loop().call_later(_STEADY, self._recovered, name)
            try:
                await work()
                return
            except Exception as error:  # noqa: BLE001 - the one place: whatever ended the task is told and it goes on
                if self._clock.monotonic() - began > _STEADY:
                    pause = _FIRST_PAUSE
                self.errors[name] = told(error)
                self._log.error(Event.TASK_FAILED, task=name, error=self.errors[name], again_in_s=pause)
            finally:
                steady.cancel()
            await asyncio.sleep(pause)
            pause = min(pause * 2, _LONGEST_PAUSE)

    def _recovered(self, name: str) -> None:
        if self.errors.get(name):
            self.errors[name] = None
            self._log.info(Event.TASK_RECOVERED, task=name)


class Remains:
    """What is still to be ended of what was replaced, each by a task of its own, beside everything else."""

    def __init__(self) -> None:
        """Start with nothing."""
        self._ending: set[asyncio.Task[None]] = set()
        self._log = Log()

    def end(self, name: str, work: Coroutine[Any, Any, None]) -> None:
        """Do WORK, which ends what is called NAME."""
        task = asyncio.create_task(work, name=f"end of {name}")
        self._ending.add(task)
        task.add_done_callback(self._ended)

    async def close(self, seconds: float) -> None:
        """Return when all of it has ended, at most SECONDS later: what has not by then is given up."""
        if self._ending:
            await asyncio.wait(self._ending, timeout=seconds)
        await end(set(self._ending))

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._ending.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._log.error(Event.TASK_FAILED, task=task.get_name(), error=told(error))


async def end(tasks: set[asyncio.Task[Any]]) -> None:
    """Cancel TASKS and wait for their end; none is left behind, however often the caller is cancelled meanwhile."""
    running, cancelled = tasks, False
    while running:
        for task in running:
            task.cancel()
        # redis-py swallows a cancellation that meets it while connecting, so it is said again until it is heard.
        try:
            _, running = await asyncio.wait(running, timeout=0.05)
        except asyncio.CancelledError:
            cancelled = True
    if cancelled:
        raise asyncio.CancelledError
