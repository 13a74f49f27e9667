"""`gateway jobs`: what became of jobs, and stepping in."""

import asyncio
import sys
from contextlib import suppress
from typing import Annotated, Any

import typer

from gateway.cli.asking import OnlyAccount, asks
from gateway.cli.replay import replay
from gateway.cli.showing import as_line, as_table, clock, coloured, console, how, shown, timeline, to_json
from gateway.cli.usage import AsJson
from gateway.cli.which import Since, States, ToTarget, Until, wanted
from gateway.client import FINAL_STATES, Conflict, Gateway, NotFound, RecallFailed, Receipt

jobs = typer.Typer(help="See what became of jobs; cancel, replay and watch them.", no_args_is_help=True)

Job = Annotated[str, typer.Argument(metavar="JOB", help="id of a job, or key:<its idempotency key>")]
Jobs = Annotated[list[str], typer.Argument(metavar="JOB…", help="ids of jobs, or key:<idempotency key>")]


@jobs.command("list")
@asks()
async def list_(
    gateway: Gateway,
    state: States = None,
    target: ToTarget = None,
    account: OnlyAccount = None,
    since: Since = None,
    until: Until = None,
    limit: Annotated[int, typer.Option("--limit", min=1, help="at most so many")] = 50,
    as_json: AsJson = False,
) -> bool:
    """List jobs, those created last first."""
    found = gateway.jobs(**wanted(state, target, account, since, until), limit=limit)
    if as_json:
        async for receipt in found:
            as_line(receipt, as_json=True)
    else:
        as_table([receipt async for receipt in found])
    return True


@jobs.command()
@asks()
async def show(gateway: Gateway, job: Job, account: OnlyAccount = None, as_json: AsJson = False) -> bool:
    """Show all that is known of a job: every attempt, what NapCat said, and what it proved."""
    receipt = await gateway.receipt(job, account=account)
    typer.echo(to_json(receipt) if as_json else "\n".join(timeline(receipt)))
    return True


@jobs.command()
@asks()
async def cancel(
    gateway: Gateway,
    jobs: Jobs,
    recall: Annotated[bool, typer.Option("--recall", help="take back at QQ what is delivered already")] = False,
    account: OnlyAccount = None,
    as_json: AsJson = False,
) -> bool:
    """Cancel jobs of which nothing was sent yet; 1 when one of them was too late."""
    fine = True
    for job in jobs:
        try:
            receipt = await gateway.cancel(job, account=account, recall=recall)
        except (NotFound, Conflict, RecallFailed) as error:
            typer.echo(f"{shown(job)}: {shown(error.detail)}", err=True)
            fine = False
        else:
            as_line(receipt, as_json=as_json)
    return fine


jobs.command()(replay)


@jobs.command()
@asks(patience=60.0)
async def watch(
    gateway: Gateway,
    job: Annotated[str | None, typer.Argument(metavar="JOB", help="a job to follow to its end; default: all")] = None,
    account: OnlyAccount = None,
    as_json: AsJson = False,
) -> bool:
    """Follow a job until it ends (0 when it is delivered), or every job that changes, until Ctrl-C."""
    if job is not None:
        return await _watch_one(gateway, job, account, as_json=as_json)
    with suppress(asyncio.CancelledError):
        async for receipt in gateway.receipts(account=account):
            _tell(receipt, as_json=as_json)
    return True


async def _watch_one(gateway: Gateway, job: str, account: str | None, *, as_json: bool) -> bool:
    last: tuple[Any, ...] = ()
    while True:
        receipt = await gateway.receipt(job, account=account)
        sight = (receipt.state, receipt.reason, receipt.code, receipt.parts, len(receipt.attempts or ()))
        if sight != last:
            _tell(receipt, as_json=as_json)
            last = sight
        if receipt.state in FINAL_STATES:
            return receipt.state == "delivered"
        await asyncio.sleep(0.5)


def _tell(receipt: Receipt, *, as_json: bool) -> None:
    if as_json or not sys.stdout.isatty():
        as_line(receipt, as_json=as_json)
        sys.stdout.flush()
        return
    line = coloured(f"{receipt.state:<11}")
    console().print(clock(receipt.updated_at), line, shown(receipt.target), receipt.id, how(receipt), soft_wrap=True)
