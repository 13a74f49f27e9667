"""`python -m gateway` is the `gateway` command."""

import sys

from gateway.liveness import quick


def main() -> None:
    """Run the command line, or only as much of it as a container's health check needs."""
    code = quick(sys.argv[1:])
    if code is not None:
        sys.exit(code)
    from gateway.cli import main as run  # noqa: PLC0415 - the health check does without

    run()


if __name__ == "__main__":
    main()
