"""One timer that ends many calls, each at its own time."""

import asyncio

import pytest

from gateway.forward.deadlines import Deadlines


async def call(deadlines: Deadlines, seconds: float) -> str:
    task = asyncio.current_task()
    assert task is not None
    deadlines.put(task, asyncio.get_running_loop().time() + seconds)
    try:
        await asyncio.Event().wait()
    except asyncio.CancelledError:
        if not deadlines.lift(task):
            raise
        await asyncio.sleep(0)  # it goes on as if nothing had been
        return "late"
    return "never"


async def test_each_ends_at_its_own_time_whoever_came_first() -> None:
    deadlines = Deadlines()
    ended: list[float] = []

    async def note(seconds: float) -> None:
        assert await call(deadlines, seconds) == "late"
        ended.append(seconds)

    await asyncio.wait_for(asyncio.gather(*(note(seconds) for seconds in (0.15, 0.05, 0.1, 0.0))), 5)
    assert ended == [0.0, 0.05, 0.1, 0.15]


async def test_a_lifted_deadline_ends_nothing() -> None:
    deadlines = Deadlines()
    task = asyncio.current_task()
    assert task is not None
    deadlines.put(task, asyncio.get_running_loop().time() + 0.02)
    assert not deadlines.lift(task)
    assert await call_beside(deadlines) == "late"  # by now the first time is over, too


async def call_beside(deadlines: Deadlines) -> str:
    return await asyncio.create_task(call(deadlines, 0.04))


async def test_a_deadline_that_is_put_off_holds_no_longer() -> None:
    deadlines = Deadlines()
    task = asyncio.create_task(call(deadlines, 0.01))
    await asyncio.sleep(0)
    deadlines.put(task, asyncio.get_running_loop().time() + 60)
    assert await call_beside(deadlines) == "late"
    assert not task.done()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_who_is_cancelled_by_somebody_else_stays_cancelled() -> None:
    deadlines = Deadlines()
    late = asyncio.create_task(call(deadlines, 0.0))
    await asyncio.sleep(0)
    await asyncio.sleep(0.02)
    assert await late == "late"
    both = asyncio.create_task(call(deadlines, 0.0))
    asyncio.get_running_loop().call_later(0.0, both.cancel)
    await asyncio.sleep(0)
    both.cancel()
    with pytest.raises(asyncio.CancelledError):
        await both
