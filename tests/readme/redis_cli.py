"""What `redis-cli` does with one command, for a machine that has none: `python -m tests.readme.redis_cli -u URL …`."""

import sys
from typing import Any

import redis
from redis.exceptions import ResponseError


def main(words: list[str]) -> int:
    """Send one command and print its reply as redis-cli does where no terminal reads; return the exit code."""
    if len(words) < 3 or words[0] != "-u":
        sys.exit("this stand-in for redis-cli understands: redis-cli -u URL COMMAND ARGUMENT…")
    with redis.from_url(words[1], socket_timeout=None) as client:
        for name in ("BGSAVE", "INFO", "PING"):  # redis-cli shows what it is told
            client.set_response_callback(name, lambda reply, **_: reply)
        try:
            show(client.execute_command(*words[2:]))
        except ResponseError as error:
            show(f"ERR {error}")
            return 1
    return 0


def show(reply: Any) -> None:
    """Print a reply, one value on each line."""
    if isinstance(reply, dict):
        reply = [part for pair in reply.items() for part in pair]
    if isinstance(reply, list | tuple):
        for part in reply:
            show(part)
    else:
        text = "" if reply is None else reply.decode() if isinstance(reply, bytes) else str(reply)
        sys.stdout.write(f"{text}\n")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
