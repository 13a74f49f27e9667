"""`gateway sandbox`: a stand-in NapCat, to try the gateway without a QQ account."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from gateway.cli.usage import refuse, secret_in
from gateway.sandbox.napcat import StandIn
from gateway.settings import LOOPBACK


def sandbox(
    port: Annotated[int, typer.Option(help="0 takes a free one")] = 3000,
    host: Annotated[str, typer.Option(help="where it listens; beyond loopback only with a token")] = "127.0.0.1",
    token: Annotated[str, typer.Option(help="access token to ask for")] = "",
    token_file: Annotated[Path | None, typer.Option("--token-file", help="file that holds it")] = None,
    events_url: Annotated[str, typer.Option(help="where to post message_sent events")] = "",
    events_secret: Annotated[str, typer.Option(help="secret that signs them")] = "",
    answer_ms: Annotated[int, typer.Option(help="how long a send takes")] = 0,
) -> None:
    """Run a stand-in NapCat, to try the gateway without a QQ account.

    GET /_sandbox/received tells what it got, POST /_sandbox/behave makes it misbehave; neither asks for the token.
    """
    if token_file is not None:
        if token:
            refuse("--token, --token-file: give one of them")
        token = secret_in(token_file, "--token-file")
    if host not in LOOPBACK and not token:
        refuse(f"--host: {host!r} is reachable from other machines; give --token-file, or listen on 127.0.0.1")
    stand_in = StandIn(
        host=host, port=port, token=token, events_url=events_url, events_secret=events_secret, answer_ms=answer_ms
    )
    try:
        asyncio.run(stand_in.run_forever(started=lambda url: typer.echo(f"stand-in NapCat at {url}")))
    except KeyboardInterrupt:
        raise typer.Exit(0) from None
    except OSError as error:
        refuse(f"--port: cannot listen on {host}:{port} ({error.strerror or error}); choose another, or another --host")
