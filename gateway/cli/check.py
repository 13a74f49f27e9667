"""`gateway check`: whether the gateway would start, and do what is meant.

What a kind of check needs is imported when it is asked for: the one for liveness is run every few seconds.
"""

import json
from typing import Annotated

import typer

from gateway.cli.usage import AsJson, Config, Set, file_of, overrides_of, refuse
from gateway.liveness import answer
from gateway.model.finding import Finding, worst


def check(
    config: Config = None,
    set_: Set = None,
    online: Annotated[bool, typer.Option("--online", help="also ask Redis and every NapCat; changes nothing")] = False,
    as_json: AsJson = False,
    live: Annotated[bool, typer.Option("--live", help="only ask the running gateway whether it lives")] = False,
    ready: Annotated[bool, typer.Option("--ready", help="only ask the running gateway whether it is ready")] = False,
    url: Annotated[
        str | None, typer.Option("--url", envvar="GATEWAY_URL", help="where it runs; default: where the settings say")
    ] = None,
) -> None:
    """Check the settings, rules and templates among them, without starting anything; one line for each fault.

    Exit codes: 0 fine, advice included; 1 something that was asked does not answer or is unfit; 2 wrong settings.
    """
    if live or ready:
        if online:
            refuse("--online asks others, --live and --ready a running gateway: give one of both")
        path = "/healthz/ready" if ready else "/healthz/live"
        raise typer.Exit(answer(url, file_of(config), overrides_of(set_), path, as_json=as_json))
    from gateway.cli.findings import check_all  # noqa: PLC0415 - --live does without all that this brings

    checked = check_all(config, set_, online=online)
    if as_json:
        _write(checked.findings)
    elif checked.settings is not None:
        told = f"accounts: {', '.join(account.name for account in checked.settings.accounts)}"
        if checked.settings.hooks:
            told += f"; hooks: {', '.join(hook.name for hook in checked.settings.hooks)}"
        typer.echo(f"the settings are fine; {told}; file: {file_of(config) or 'none, as there is no ./config.yaml'}")
        for finding in checked.findings:
            typer.echo(f"{finding.level:<6} {finding}")
    if checked.settings is None:
        typer.echo("\n".join(map(str, checked.findings)), err=True)
        raise typer.Exit(2)
    raise typer.Exit(1 if worst(checked.findings) == "fault" else 0)


def _write(findings: list[Finding]) -> None:
    told = [
        {name: value for name, value in finding._asdict().items() if value and name != "refuses"}
        for finding in findings
    ]
    typer.echo(json.dumps({"status": worst(findings), "findings": told}, ensure_ascii=True, indent=2))
