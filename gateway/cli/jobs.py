"""`gateway jobs`: what became of jobs, and stepping in."""

import asyncio
import sys
from typing import Annotated, Any

import typer

from gateway.cli.asking import URL, ApiKey, AsJson, KeyFile, OnlyAccount, Url, ask
from gateway.cli.replay import replay
from gateway.cli.showing import as_line, as_table, clock, coloured, console, how, shown, timeline, to_json
from gateway.cli.which import Since, States, ToTarget, Until, wanted
from gateway.client import FINAL_STATES, Conflict, Gateway, NotFound, RecallFailed, Receipt

jobs = typer.Typer(help="See what became of jobs; cancel, replay and watch them.", no_args_is_help=True)

Job = Annotated[str, typer.Argument(metavar="JOB", help="id of a job, or key:<its idempotency key>")]
Jobs = Annotated[list[str], typer.Argument(metavar="JOB…", help="ids of jobs, or key:<idempotency key>")]

jobs.command()(replay)


@jobs.command("list")
def list_(
    state: States = None,
    target: ToTarget = None,
    account: OnlyAccount = None,
    since: Since = None,
    until: Until = None,
    limit: Annotated[int, typer.Option("--limit", min=1, help="at most so many")] = 50,
    as_json: AsJson = False,
    url: Url = URL,
    key_file: KeyFile = None,
    api_key: ApiKey = None,
) -> None:
    """List jobs, those created last first."""
    wish = wanted(state, target, account, since, until)

    async def talk(gateway: Gateway) -> bool:
        found = gateway.jobs(**wish, limit=limit)
        if as_json:
            async for receipt in found:
                as_line(receipt, as_json=True)
        else:
            as_table([receipt async for receipt in found])
        return True

    ask(url, key_file, talk)


@jobs.command()
def show(
    job: Job,
    account: OnlyAccount = None,
    as_json: AsJson = False,
    url: Url = URL,
    key_file: KeyFile = None,
    api_key: ApiKey = None,
) -> None:
    """Show all that is known of a job: every attempt, what NapCat said, and what it proved."""

    async def talk(gateway: Gateway) -> bool:
        receipt = await gateway.receipt(job, account=account)
        typer.echo(to_json(receipt) if as_json else "\n".join(timeline(receipt)))
        return True

    ask(url, key_file, talk)


@jobs.command()
def cancel(
    jobs: Jobs,
    recall: Annotated[bool, typer.Option("--recall", help="take back at QQ what is delivered already")] = False,
    account: OnlyAccount = None,
    as_json: AsJson = False,
    url: Url = URL,
    key_file: KeyFile = None,
    api_key: ApiKey = None,
) -> None:
    """Cancel jobs of which nothing was sent yet; 1 when one of them was too late."""

    async def talk(gateway: Gateway) -> bool:
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

    ask(url, key_file, talk)


@jobs.command()
def watch(
    job: Annotated[str | None, typer.Argument(metavar="JOB", help="a job to follow to its end; default: all")] = None,
    account: OnlyAccount = None,
    as_json: AsJson = False,
    url: Url = URL,
    key_file: KeyFile = None,
    api_key: ApiKey = None,
) -> None:
    """Follow a job until it ends (0 when it is delivered), or every job that changes, until Ctrl-C."""
    watching = _watch_all if job is None else _watch_one

    async def talk(gateway: Gateway) -> bool:
        return await watching(gateway, job or "", account, as_json=as_json)

    ask(url, key_file, talk, patience=60.0, endless=job is None)


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


async def _watch_all(gateway: Gateway, _: str, account: str | None, *, as_json: bool) -> bool:
    async for receipt in gateway.receipts(account=account):
        _tell(receipt, as_json=as_json)
    return True


def _tell(receipt: Receipt, *, as_json: bool) -> None:
    if as_json or not sys.stdout.isatty():
        as_line(receipt, as_json=as_json)
        sys.stdout.flush()
        return
    line = coloured(f"{receipt.state:<11}")
    console().print(clock(receipt.updated_at), line, shown(receipt.target), receipt.id, how(receipt), soft_wrap=True)
