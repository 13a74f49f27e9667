"""How a command talks to a running gateway: where it is, with which key, and how failures are told."""

import asyncio
import os
from collections.abc import Awaitable, Callable
from inspect import Parameter, Signature, signature
from pathlib import Path
from typing import Annotated, Any, Concatenate, NoReturn, ParamSpec

import typer

from gateway.cli.showing import shown
from gateway.cli.usage import refuse, secret_in
from gateway.client import Forbidden, Gateway, NotUnderstood, Refused, Unauthorized, Unavailable

URL = "http://127.0.0.1:8080"

Url = Annotated[str, typer.Option("--url", envvar="GATEWAY_URL", help="where the gateway is")]
KeyFile = Annotated[
    Path | None, typer.Option("--key-file", help="file with the API key; default: the environment's GATEWAY_KEY")
]
OnlyAccount = Annotated[str | None, typer.Option("--account", help="only of this account")]


def _visible(value: str | None) -> str | None:
    if value is not None:
        refuse("a key on a command line can be read by everybody on this machine: set GATEWAY_KEY, or use --key-file")
    return value


ApiKey = Annotated[str | None, typer.Option("--api-key", hidden=True, callback=_visible)]
"""Nobody may give it; who tries is told the ways that are safe."""

_WRONG_USE = frozenset(
    {"url_invalid", "key_invalid", "target_invalid", "query_invalid", "account_unknown", "settings_invalid"}
)

_Options = ParamSpec("_Options")
_Talk = Callable[Concatenate[Gateway, _Options], Awaitable[bool]]


def asks(*, patience: float = 2.0) -> Callable[[_Talk[_Options]], Callable[..., None]]:
    """Make a command of a talk with a gateway: its options, and those that say which gateway and with which key."""

    def made(talk: _Talk[_Options]) -> Callable[..., None]:
        def command(*, url: Url = URL, key_file: KeyFile = None, api_key: ApiKey = None, **options: Any) -> None:
            ask(url, key_file, lambda gateway: talk(gateway, **options), patience)  # type: ignore[call-arg]

        _, *own = signature(talk).parameters.values()
        which = [one for one in signature(command).parameters.values() if one.kind is Parameter.KEYWORD_ONLY]
        command.__signature__ = Signature([*own, *which])  # type: ignore[attr-defined]
        command.__name__, command.__doc__ = talk.__name__, talk.__doc__
        return command

    return made


def ask(url: str, key_file: Path | None, talk: Callable[[Gateway], Awaitable[bool]], patience: float) -> NoReturn:
    """Run TALK with the gateway at URL and end the command: 0 when it returns True, else 1; Ctrl-C breaks it off, 1.

    What cannot be done now is tried for PATIENCE seconds. What goes wrong is told on standard error in a sentence, each
    wrong field on a line of its own.
    """

    async def conversation() -> bool:
        async with Gateway(base_url=url, key=api_key(key_file), patience=patience) as gateway:
            return await talk(gateway)

    try:
        fine = asyncio.run(conversation())
    except (Refused, Unavailable, NotUnderstood) as error:
        for line in [*error_lines(error), *getattr(error, "__notes__", ())]:
            typer.echo(line, err=True)
        raise typer.Exit(2 if isinstance(error, Refused) and error.code in _WRONG_USE else 1) from None
    except KeyboardInterrupt:
        raise typer.Exit(1) from None
    raise typer.Exit(0 if fine else 1)


def error_lines(error: Refused | Unavailable | NotUnderstood) -> list[str]:
    """Return ERROR for a person: one sentence, then a line for each wrong field."""
    match error:
        case Unavailable(code="unreachable"):
            return [f"{shown(error.detail)}; is it running there? else give --url or set GATEWAY_URL"]
        case Unavailable():
            return [f"not now ({error.code}): {shown(error.detail)}"]
        case Unauthorized():
            return [f"the gateway asks for a key ({shown(error.detail)}): set GATEWAY_KEY or give --key-file"]
        case Forbidden():
            return [f"not allowed: {shown(error.detail)}"]
        case Refused():
            told = [fault for fault in error.errors if fault.msg not in error.detail]
            faults = [f"  {shown(fault.loc)}: {shown(fault.msg)}" for fault in told]
            return [f"refused ({error.code}): {shown(error.detail)}", *faults]
        case _:
            return [shown(str(error))]


def api_key(key_file: Path | None) -> str | None:
    """Return the API key: what KEY_FILE holds, else the environment's GATEWAY_KEY, else None."""
    return os.environ.get("GATEWAY_KEY") or None if key_file is None else secret_in(key_file, "--key-file")
