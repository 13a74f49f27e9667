"""`python -m tests.bench NAME`: measure and print."""

import argparse

from tests.bench import convert

_BENCHES = {"convert": convert.run}


def main() -> None:
    """Run the measurement that is named."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench")
    parser.add_argument("name", choices=sorted(_BENCHES))
    _BENCHES[parser.parse_args().name]()


main()
