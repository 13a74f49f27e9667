"""The demo: a whole world on loopback, the acts sent through it, and their receipts as they change."""

import asyncio
import json
import tempfile
from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import aiohttp
from rich import box
from rich.console import Console
from rich.live import Live
from rich.table import Table

from gateway.model.receipt import FINAL_STATES, Receipt
from gateway.sandbox.acts import ACTS, Act, Refusals
from gateway.sandbox.napcat import StandIn
from gateway.sandbox.process import GatewayProcess
from gateway.store.client import connected
from gateway.store.embedded import embedded_server
from gateway.store.producer import Producer

_DEADLINE = 60.0
_SECRET = "demo-events"  # noqa: S105 - of a stand-in on loopback that lives for a minute
_COLOURS = {"delivered": "green", "unknown": "yellow", "waiting": "cyan", "sending": "blue"}


async def run_demo(console: Console, *, keep: bool = False) -> bool:
    """Run the demo on CONSOLE; return whether every job ended as it should. With KEEP it stays until cancelled."""
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="gateway-demo-")))
        url = await stack.enter_async_context(embedded_server(folder / "redis"))
        napcat = await stack.enter_async_context(StandIn(events_secret=_SECRET, answer_ms=80).serve())
        gateway = GatewayProcess(_settings(url, napcat.url), folder)
        napcat.report_to(f"{gateway.url}/napcat/main/events", _SECRET)
        napcat.behave("group:10004", "mute", times=1)
        napcat.behave("group:10005", "timeout_late", times=1, wait_ms=1_000, late_ms=1_500)
        await gateway.start()
        stack.push_async_callback(gateway.stop)
        clients = await stack.enter_async_context(connected(url))
        session = await stack.enter_async_context(aiohttp.ClientSession(gateway.url))

        console.print(
            f"gateway   [b]{gateway.url}[/b]\nRedis     [b]{url}[/b]\nNapCat    [b]{napcat.url}[/b] (a stand-in)\n"
        )
        producer = Producer(clients)
        await _feed(producer, session)
        fine = await _watch(console, producer, session)
        calls, messages = len(napcat.received), len(napcat.delivered)
        console.print(f"\n{len(ACTS)} jobs: {calls} calls to NapCat, {messages} messages on QQ")
        for refusal in await producer.invalid():
            console.print(f"refused: {refusal['detail']}", markup=False)
        console.print("[green]every job ended as it should[/]" if fine else "[red]not every job ended as it should[/]")
        if not fine:
            console.print(gateway.log.read_text()[-4000:], markup=False)
        if keep:
            console.print(_addresses(gateway.url, url, napcat.url))
            await asyncio.Event().wait()
        return fine


def _settings(redis_url: str, endpoint: str) -> dict[str, Any]:
    return {
        "redis": {"url": redis_url},
        "accounts": [{"name": "main", "endpoint": endpoint, "events_secret": _SECRET}],
        # Ten minutes is right for a muted group and long for a demo.
        "delivery": {
            "rules": [
                {
                    "name": "muted",
                    "retcode": 200,
                    "result": 120,
                    "verdict": "retry",
                    "effect": "park",
                    "hold": "4s",
                    "spends": False,
                }
            ]
        },
        "log": {"format": "json"},
    }


async def _feed(producer: Producer, session: aiohttp.ClientSession) -> None:
    for number, act in enumerate(ACTS):
        document = json.dumps({**act.job, "key": f"demo-{number}"}, ensure_ascii=False)
        if act.via == "stream":
            await producer.add(document)
        elif act.via == "list":
            await producer.push(document)
        else:
            headers = {"Content-Type": "application/json"}
            async with session.post("/v1/jobs", data=document.encode(), headers=headers) as answer:
                answer.raise_for_status()


async def _watch(console: Console, producer: Producer, session: aiohttp.ClientSession) -> bool:
    """Show the receipts until each has ended, or time is over; return whether all ended as they should."""
    receipts: list[Receipt | None] = [None] * len(ACTS)
    refused: list[dict[str, str]] = []
    loop = asyncio.get_running_loop()
    ends_at = loop.time() + _DEADLINE
    with Live(console=console, refresh_per_second=8, auto_refresh=False) as live:
        while True:
            refused = await producer.invalid()
            for number, receipt in enumerate(receipts):
                if receipt is None or receipt.state not in FINAL_STATES:
                    receipts[number] = await _receipt(session, f"demo-{number}")
            live.update(_table(receipts, refused), refresh=True)
            ended = [act.has_ended(receipt, refused) for act, receipt in zip(ACTS, receipts, strict=True)]
            if all(ended) or loop.time() > ends_at:
                break
            await asyncio.sleep(0.15)
    return all(act.ended_well(receipt, refused) for act, receipt in zip(ACTS, receipts, strict=True))


async def _receipt(session: aiohttp.ClientSession, key: str) -> Receipt | None:
    async with session.get(f"/v1/jobs/key:{key}") as answer:
        return Receipt.model_validate_json(await answer.read()) if answer.status == 200 else None


def _table(receipts: Sequence[Receipt | None], refused: Refusals) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("job", ratio=3)
    for name in ("target", "state"):
        table.add_column(name, no_wrap=True)
    table.add_column("why", ratio=2)
    table.add_column("parts", no_wrap=True)
    for act, receipt in zip(ACTS, receipts, strict=True):
        table.add_row(f"[dim]{act.via}:[/] {act.shows}", *_told(act, receipt, refused))
    return table


def _told(act: Act, receipt: Receipt | None, refused: Refusals) -> tuple[str, str, str, str]:
    if act.ends == "invalid":
        return ("gw:invalid", "[red]refused[/]", refused[0]["code"], "") if refused else ("", "…", "", "")
    if receipt is None:
        return ("", "…", "", "")
    colour = _COLOURS.get(receipt.state, "red")
    rules = [attempt.rule for attempt in receipt.attempts or [] if attempt.rule and attempt.rule != "delivered"]
    if receipt.state == "delivered":
        why = " → ".join([*rules, receipt.evidence or ""])
    else:
        why = " ".join(word for word in (receipt.reason, receipt.code) if word)
    parts = f"{receipt.parts.delivered}/{receipt.parts.total}"
    return (receipt.target, f"[{colour}]{receipt.state}[/]", why, parts)


def _addresses(gateway: str, redis: str, napcat: str) -> str:
    return (
        f"\nleft running until Ctrl-C:\n"
        f"  status   {gateway}/status\n"
        f"  a job    {gateway}/v1/jobs/key:demo-0\n"
        f'  Redis    {redis}   (XADD gw:jobs \'*\' job \'{{"group_id":"10001","message":"hi"}}\')\n'
        f"  NapCat   {napcat}/_sandbox/received"
    )
