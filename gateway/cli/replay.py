"""`gateway jobs replay`: ended jobs again, by name, or all of a kind after a look at them."""

import sys
from typing import Annotated, Any

import typer

from gateway.cli.asking import OnlyAccount, asks
from gateway.cli.showing import as_table, shown
from gateway.cli.usage import AsJson, refuse
from gateway.cli.which import Since, States, ToTarget, Until, wanted
from gateway.client import Conflict, Gateway, NotFound, Replayed, Replays


@asks()
async def replay(
    gateway: Gateway,
    jobs: Annotated[
        list[str] | None, typer.Argument(metavar="JOB…", help="ids of jobs; or say which by --state")
    ] = None,
    state: States = None,
    target: ToTarget = None,
    account: OnlyAccount = None,
    since: Since = None,
    until: Until = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="only count them and show some")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="do not ask")] = False,
    as_json: AsJson = False,
) -> bool:
    """Send ended jobs again, as new jobs: those named, or all of a --state, which are shown first."""
    if bool(jobs) == (state is not None):
        refuse("name the jobs, or say which by --state (such as --state dead --target group:123)")
    if jobs:
        if target or since or until or dry_run:
            refuse("--target, --since, --until and --dry-run go with --state")
        return await _replay_named(gateway, jobs, account, as_json=as_json)
    wish = wanted(state, target, account, since, until)
    return await _replay_many(gateway, wish, dry_run=dry_run, yes=yes, as_json=as_json)


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
            refuse("nobody can be asked here: give --yes to replay them")
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
        if not new or not done.more:
            return fine


def _tell_replay(replayed: Replayed, *, as_json: bool) -> None:
    if as_json:
        typer.echo(replayed.model_dump_json())
    else:
        again = "\tduplicate" if replayed.duplicate else ""
        typer.echo(f"{replayed.id}\t{replayed.state}\treplay of {replayed.replay_of}{again}")
