"""Settings change while jobs flow: nothing is lost or doubled, order and limits hold, and nothing is left behind."""

import asyncio
import os
import signal
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import count, pairwise
from typing import Any

from gateway.sandbox.process import GatewayProcess
from tests.scenarios.test_limits import most_within
from tests.world import WIDE, World, until

GROUPS = 8
HOOK = {"name": "bell", "preset": "bark", "secret": "s3cret", "targets": ["group:1"]}


@asynccontextmanager
async def pushing(world: World, every_s: float = 0.02) -> AsyncIterator[dict[str, list[str]]]:
    """Push jobs to every group without end; yield the texts of each, as they were pushed."""
    pushed: dict[str, list[str]] = {f"group:{group}": [] for group in range(1, GROUPS + 1)}

    enough = asyncio.Event()

    async def push() -> None:
        for number in count():
            if enough.is_set():
                return
            for target, texts in pushed.items():
                await world.add({"group_id": target.partition(":")[2], "message": str(number)})
                texts.append(str(number))
            await asyncio.sleep(every_s)

    task = asyncio.create_task(push())
    try:
        yield pushed
    finally:
        enough.set()
        await task


def varied(world: World, number: int) -> dict[str, Any]:
    """Return sections that differ from those of any number beside NUMBER, in all that a reload applies."""
    odd = number % 2 == 1
    account = world.account(max_in_flight=5 + number, markdown="record" if odd else "markdown")
    return {
        "accounts": [account, {**account, "name": "second"}] if odd else [account],
        "limits": {**WIDE, "requester": [f"{number + 1}/1s"]},
        "delivery": {"slack": f"{5 + number}s"},
        "hooks": [HOOK] if odd else [],
        "callbacks": {"secrets": ["whsec_" + "A" * 43 + "="] if odd else []},
        "intake": {"streams": ["gw:jobs", "gw:more"] if odd else ["gw:jobs"]},
        "log": {"format": "json", "level": "info", "text": "hash" if odd else "never"},
    }


async def reloaded(gateway: GatewayProcess, times: int) -> None:
    """Wait until the process has applied changed settings so many TIMES."""
    await until(lambda: len(gateway.events("settings.reloaded")) == times)


async def sent_on(world: World, since: int) -> None:
    """Wait until every group got two more messages or so than SINCE."""
    await until(lambda: len(world.napcat.received) > since + 2 * GROUPS)


def left_open(gateway: GatewayProcess) -> Counter[str]:
    """Return what the process has open, by kind."""
    folder = f"/proc/{gateway.pid}/fd"
    kinds: Counter[str] = Counter()
    for name in os.listdir(folder):
        try:
            kinds[os.readlink(f"{folder}/{name}").partition(":")[0]] += 1
        except FileNotFoundError:
            continue
    return kinds


async def test_ten_reloads_in_a_row_lose_nothing_double_nothing_and_keep_order(world: World) -> None:
    world.napcat.behave("*", "delay", ms=5)
    gateway = await world.process()
    async with pushing(world) as pushed:
        for number in range(10):
            began = len(world.napcat.received)
            gateway.change(**varied(world, number))
            gateway.send_signal(signal.SIGHUP)
            await reloaded(gateway, number + 1)
            await sent_on(world, began)
    expected = sum(map(len, pushed.values()))
    await world.ended(expected)
    for target, texts in pushed.items():
        assert world.napcat.texts(target) == texts
    assert all(event["applied"] for event in gateway.events("settings.reloaded"))
    assert gateway.events("task.failed") == []
    assert gateway.events("request.failed") == []
    assert await gateway.stop() == 0


async def test_reloads_leave_no_task_and_no_connection_behind(world: World) -> None:
    gateway = await world.gateway()
    process = await world.process()

    async def tasks() -> Counter[str]:
        return Counter(task.get_name() for task in asyncio.all_tasks() if not task.get_name().startswith("Task-"))

    async def both(number: int) -> None:
        await gateway.reload(**varied(world, number))
        process.change(**varied(world, number))
        process.send_signal(signal.SIGHUP)
        await reloaded(process, number + 1)

    await both(0)
    await both(1)
    await both(2)
    before, sockets = await tasks(), left_open(process)["socket"]
    for number in range(3, 21):
        await both(number)
        await world.add({"group_id": "1", "message": "x"})
    await world.ended(18)
    # Connections to Redis come and go as they are needed, a few at once; those of each generation would be dozens.
    await until(lambda: left_open(process)["socket"] <= sockets + 6)
    # What only now and then runs, such as a probe or a blocking read, is not counted.
    lasting = {
        name for name in before if name.split()[0] in {"lanes", "source", "bell", "endings", "presence", "events"}
    }
    now = await until(
        tasks, lambda now: {name: now[name] for name in lasting} == {name: before[name] for name in lasting}
    )
    assert not [name for name in now if name.startswith(("end of", "lanes second", "source gw:more", "callbacks"))]


async def test_a_window_holds_by_the_limits_of_each_moment(world: World) -> None:
    gateway = await world.gateway(limits={**WIDE, "account": ["5/1s"]})
    rates = [(5, 1.0), (12, 0.5), (2, 1.0), (10, 0.4)]
    now = asyncio.get_running_loop().time
    asked, answered = [], [0.0]
    async with pushing(world, 0.1):
        for most, period in rates[1:]:
            await asyncio.sleep(1.5)
            asked.append(now())
            told = await gateway.reload(limits={**WIDE, "account": [f"{most}/{round(period * 1000)}ms"]})
            assert told["applied"] == ["limits.account"]
            answered.append(now())
        await asyncio.sleep(1.5)
    times = [call.at for call in world.napcat.received]
    for (most, period), began, ended in zip(rates, answered, [*asked, float("inf")], strict=True):
        # What left just before the answer may arrive just after it.
        sent = [at for at in times if began + (0.3 if began else 0.0) <= at < ended]
        assert sent
        for at in sent:
            assert sum(1 for other in times if at - period < other <= at) <= most
    assert most_within([at for at in times if at > answered[-1]], 0.4) >= 5


async def test_two_replicas_that_reload_one_after_the_other_keep_order_and_send_once(world: World) -> None:
    gateways = [await world.process(), await world.process()]
    async with pushing(world) as pushed:
        for number in range(4):
            for gateway in gateways:
                gateway.change(**varied(world, number))
                gateway.send_signal(signal.SIGHUP)
                await reloaded(gateway, number + 1)
    await world.ended(sum(map(len, pushed.values())))
    for target, texts in pushed.items():
        assert world.napcat.texts(target) == texts


async def test_lanes_of_an_account_that_stays_hardly_pause(world: World) -> None:
    """A reload that changes the account's own settings asks its NapCat who it is, and sends on meanwhile."""
    gateway = await world.gateway()
    async with pushing(world, 0.01):
        await until(lambda: len(world.napcat.received) > 100)
        began = asyncio.get_running_loop().time()
        await gateway.reload(accounts=[world.account(max_in_flight=9)])
        answered = asyncio.get_running_loop().time()
        sent = len(world.napcat.received)
        await until(lambda: len(world.napcat.received) > sent + 100)
    times = [call.at for call in world.napcat.received if call.at > began - 0.2]
    assert answered - began < 2.0
    assert max(later - earlier for earlier, later in pairwise(times)) < 1.0
