"""`gateway jobs`: what became of jobs, and stepping in."""

import asyncio
import sys
from contextlib import suppress
from datetime import timedelta
from typing import Annotated, Any

import typer

from gateway.cli.asking import URL, ApiKey, AsJson, KeyFile, OnlyAccount, Url, ask, wrong_use
from gateway.cli.showing import as_line, as_table, clock, coloured, console, how, shown, timeline, to_json
from gateway.client import (
    FINAL_STATES,
    Conflict,
    Gateway,
    NotFound,
    RecallFailed,
    Receipt,
    Replayed,
    Replays,
)
from gateway.model.duration import parse_duration
from gateway.model.instant import parse_instant

jobs = typer.Typer(help="See what became of jobs; cancel, replay and watch them.", no_args_is_help=True)

Job = Annotated[str, typer.Argument(metavar="JOB", help="id of a job, or key:<its idempotency key>")]
Jobs = Annotated[list[str], typer.Argument(metavar="JOB…", help="ids of jobs, or key:<idempotency key>")]
States = Annotated[str | None, typer.Option("--state", help="one, or several with commas between: dead,rejected")]
ToTarget = Annotated[str | None, typer.Option("--target", help="group:123 or private:456")]
Since = Annotated[str | None, typer.Option("--since", help="changed since: a time (RFC 3339), or how long ago: 2h")]
Until = Annotated[str | None, typer.Option("--until", help="changed until: a time, or how long ago")]


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
    wish = _filter(state, target, account, since, until)

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
def replay(
    jobs: Annotated[
        list[str] | None, typer.Argument(metavar="[JOB…]", help="ids of jobs; or say which by --state")
    ] = None,
    state: States = None,
    target: ToTarget = None,
    account: OnlyAccount = None,
    since: Since = None,
    until: Until = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="only count them and show some")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="do not ask")] = False,
    as_json: AsJson = False,
    url: Url = URL,
    key_file: KeyFile = None,
    api_key: ApiKey = None,
) -> None:
    """Send ended jobs again, as new jobs: those named, or all of a --state, which are shown first."""
    if bool(jobs) == (state is not None):
        wrong_use("name the jobs, or say which by --state (such as --state dead --target group:123)")
    if jobs:
        if target or since or until or dry_run:
            wrong_use("--target, --since, --until and --dry-run go with --state")
        named = jobs
        ask(url, key_file, lambda gateway: _replay_named(gateway, named, account, as_json=as_json))
    wish = _filter(state, target, account, since, until)
    ask(url, key_file, lambda gateway: _replay_many(gateway, wish, dry_run=dry_run, yes=yes, as_json=as_json))


@jobs.command()
def watch(
    job: Annotated[str | None, typer.Argument(metavar="[JOB]", help="a job to follow to its end; default: all")] = None,
    account: OnlyAccount = None,
    as_json: AsJson = False,
    url: Url = URL,
    key_file: KeyFile = None,
    api_key: ApiKey = None,
) -> None:
    """Follow a job until it ends (0 when it is delivered), or every job that changes, until Ctrl-C."""
    watching = _watch_all if job is None else _watch_one
    ask(url, key_file, lambda gateway: watching(gateway, job or "", account, as_json=as_json), patience=60.0)


async def _watch_one(gateway: Gateway, job: str, account: str | None, *, as_json: bool) -> bool:
    last: tuple[Any, ...] = ()
    while True:
        receipt = await gateway.receipt(job, account=account)
        sight = (receipt.state, receipt.reason, receipt.code, receipt.eta, receipt.parts, len(receipt.attempts or ()))
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


async def _replay_named(gateway: Gateway, jobs: list[str], account: str | None, *, as_json: bool) -> bool:
    fine = True
    for job in jobs:
        try:
            replayed = await gateway.replay(job, account=account)
        except (NotFound, Conflict) as error:
            typer.echo(f"{shown(job)}: {shown(error.detail)}", err=True)
            fine = False
        else:
            _tell_replay(replayed, as_json=as_json)
    return fine


async def _replay_many(gateway: Gateway, wish: dict[str, Any], *, dry_run: bool, yes: bool, as_json: bool) -> bool:
    looked = await gateway.replay_many(**wish, dry_run=True)
    if dry_run and as_json:
        typer.echo(looked.model_dump_json(include={"count", "sample"}, exclude_none=True))
        return True
    if dry_run or not yes:
        typer.echo(f"{looked.count} jobs match" + (", such as" if looked.sample else ""), err=not dry_run)
        if dry_run or sys.stdout.isatty():
            as_table(looked.sample)
    if dry_run or not looked.count:
        return True
    if not yes:
        if not sys.stdin.isatty():
            wrong_use("nobody can be asked here: give --yes to replay them")
        typer.confirm(f"send these {looked.count} again?", abort=True, err=True)
    tried: set[str] = set()
    fine = True
    while True:
        done: Replays = await gateway.replay_many(**wish)
        new = [item for item in done.items if item.replay_of not in tried]
        tried |= {item.replay_of for item in new}
        for item in new:
            if isinstance(item, Replayed):
                _tell_replay(item, as_json=as_json)
            else:
                typer.echo(f"{item.replay_of}: {shown(item.detail)} ({item.code})", err=True)
                fine = False
        if not new or done.count <= len(done.items):
            return fine


def _tell_replay(replayed: Replayed, *, as_json: bool) -> None:
    if as_json:
        typer.echo(replayed.model_dump_json())
    else:
        again = "\tduplicate" if replayed.duplicate else ""
        typer.echo(f"{replayed.id}\t{replayed.state}\treplay of {replayed.replay_of}{again}")


def _filter(
    state: str | None, target: str | None, account: str | None, since: str | None, until: str | None
) -> dict[str, Any]:
    return {
        "state": None if state is None else [one.strip() for one in state.split(",") if one.strip()],
        "target": target,
        "account": account,
        "since": _moment(since, "--since"),
        "until": _moment(until, "--until"),
    }


def _moment(text: str | None, option: str) -> timedelta | str | None:
    """Return how long ago is meant, or the text of a time."""
    if text is None:
        return None
    with suppress(ValueError):
        return timedelta(milliseconds=parse_duration(text))
    try:
        parse_instant(text)
    except ValueError as error:
        wrong_use(f"{option} {shown(text)}: write how long ago (2h), or a time: {error}")
    return text
