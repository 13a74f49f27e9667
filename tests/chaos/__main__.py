"""`python -m tests.chaos --seeds 20`: live through one seed after the other; exit code 1 when a promise broke."""

import argparse
import asyncio
import shutil
import signal
import sys
import tempfile
from pathlib import Path

from tests.chaos.promises import OVER_ONE_CONNECTION, PROMISES, broken
from tests.chaos.run import run


def main() -> None:
    """Print a line for each seed, and one for each promise it broke."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos")
    parser.add_argument("--seeds", type=int, default=3, help="how many seeds to live through")
    parser.add_argument("--first", type=int, default=1, help="the first of them")
    parser.add_argument("--transport", choices=["http", "ws"], default="http", help="how NapCat is reached")
    chosen = parser.parse_args()
    # As Ctrl-C does: what was started is ended before.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    kept = [_kept(seed, chosen.transport) for seed in range(chosen.first, chosen.first + chosen.seeds)]
    sys.exit(0 if all(kept) else 1)


def _kept(seed: int, transport: str) -> bool:
    """Live through SEED and return whether it kept every promise; the logs of one that did not are left."""
    folder = Path(tempfile.mkdtemp(prefix=f"chaos-{seed}-"))
    lived = asyncio.run(run(seed, folder, transport))
    lines = broken(lived.evidence, PROMISES if transport == "http" else OVER_ONE_CONNECTION)
    print(f"{'BROKEN' if lines else 'kept'}  {lived}", flush=True)  # noqa: T201
    for line in lines:
        print(f"        {line}", flush=True)  # noqa: T201
    if lines:
        print(f"        the logs are in {folder}", flush=True)  # noqa: T201
    else:
        shutil.rmtree(folder)
    return not lines


main()
