"""Who owns the stand-in's tasks: one set, ended with it."""

import asyncio
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from typing import Any


class Tasks:
    """Everything under way inside a running stand-in; `end` stops it the way a killed process stops."""

    def __init__(self) -> None:
        """Begin with nothing under way."""
        self._tasks: set[asyncio.Task[Any]] = set()

    def own(self, work: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
        """Run work that may outlive the call it came from."""
        task = asyncio.create_task(work, name=f"sandbox.{name}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    @contextmanager
    def adopt_current(self) -> Iterator[None]:
        """Own the task running now, a request handler of the web server, for the length of the block."""
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - a coroutine always runs in a task
        self._tasks.add(task)
        try:
            yield
        finally:
            self._tasks.discard(task)

    async def end(self) -> None:
        """Cancel what is under way and wait until it is gone."""
        while self._tasks:
            tasks = tuple(self._tasks)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            self._tasks.difference_update(tasks)
