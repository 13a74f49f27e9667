"""The jobs that are measured, and the requests NapCat gets for them.

A text of ordinary length to one of many groups in turn. Imports nothing from outside the standard library, since other
programs' environments read it, too.
"""

from collections.abc import Iterable, Iterator, Sequence

GROUPS = 1_000
AT_ONCE = 64
TOKEN = "a-token-of-some-length"

_TEXT = "Good morning, this is job number %d of the many that are posted to see how fast that can be."
_JOB = f'{{"group_id":"%d",%s"message":"{_TEXT}"}}'
_REQUEST = (
    '{"group_id":"%d","message":[{"type":"text","data":{"text":"' + _TEXT + '"}}],"timeout":10000}'
).encode()  # fmt: skip


def job(number: int, groups: int = GROUPS, account: str = "") -> str:
    """Return the NUMBERth job as a producer pushes it, to one of as many GROUPS; to ACCOUNT, or the first."""
    return _JOB % (1 + number % groups, f'"account":"{account}",' if account else "", number)


def jobs(numbers: Iterable[int], groups: int, accounts: Sequence[str]) -> Iterator[str]:
    """Yield the jobs of these NUMBERS, to as many GROUPS of each of the ACCOUNTS in turn."""
    for number in numbers:
        yield job(number, groups, accounts[number // groups % len(accounts)])


def request(number: int, groups: int = GROUPS) -> bytes:
    """Return the body of the request that comes of it."""
    return _REQUEST % (1 + number % groups, number)
