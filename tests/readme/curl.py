"""What `curl` does with one request, for a machine that has none: `python -m tests.readme.curl …`."""

import argparse
import sys
from urllib.error import HTTPError
from urllib.request import Request, urlopen

_FORM = "application/x-www-form-urlencoded"


def main(words: list[str]) -> int:
    """Make one request and print the answer; return 22, as `--fail-with-body` does, when its status is 4xx or 5xx."""
    parser = argparse.ArgumentParser(prog="curl", allow_abbrev=False)
    parser.add_argument("url")
    parser.add_argument("-s", "-S", "-N", "--fail-with-body", action="store_true")
    parser.add_argument("-X", dest="method")
    parser.add_argument("-H", dest="headers", action="append", default=[])
    parser.add_argument("-d", dest="data", action="append")
    asked = parser.parse_args(words)
    body = None if asked.data is None else "&".join(asked.data).encode()
    request = Request(asked.url, body, {"User-Agent": "curl", "Accept": "*/*"}, method=asked.method)
    if body is not None:
        request.add_header("Content-Type", _FORM)
    for header in asked.headers:
        name, _, value = header.partition(":")
        request.add_header(name, value.strip())
    try:
        with urlopen(request) as answer:
            sys.stdout.buffer.write(answer.read())
    except HTTPError as refusal:
        sys.stdout.buffer.write(refusal.read())
        return 22
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
