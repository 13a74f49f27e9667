"""The `gateway` command.

Exit codes: 0 fine, 1 failed, 2 wrong use or settings.
"""

from gateway.cli.hooks import hooks
from gateway.cli.jobs import jobs
from gateway.cli.local import app
from gateway.cli.schema import schema
from gateway.cli.send import send
from gateway.cli.status import status

__all__ = ["app", "main"]

app.command()(send)
app.add_typer(jobs, name="jobs")
app.add_typer(hooks, name="hooks")
app.command()(status)
app.add_typer(schema, name="schema")


def main() -> None:
    """Run the command line."""
    app()
