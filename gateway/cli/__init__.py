"""The `gateway` command.

Exit codes: 0 fine, 1 failed, 2 wrong use or settings.
"""

import typer

from gateway.cli.check import check
from gateway.cli.hooks import hooks
from gateway.cli.jobs import jobs
from gateway.cli.local import config, demo, explain, keys, openapi, sandbox, version
from gateway.cli.reload import reload
from gateway.cli.run import run
from gateway.cli.schema import schema
from gateway.cli.send import send
from gateway.cli.status import status

__all__ = ["app", "main"]

app = typer.Typer(
    help="A message gateway in front of NapCat: queued, ordered, paced, retried by what an answer proves, tracked.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
for command in (run, check, explain, config, openapi, demo, sandbox, version):
    app.command()(command)
app.add_typer(keys, name="keys")
app.command()(send)
app.add_typer(jobs, name="jobs")
app.add_typer(hooks, name="hooks")
app.command()(status)
app.command()(reload)
app.add_typer(schema, name="schema")


def main() -> None:
    """Run the command line."""
    app()
