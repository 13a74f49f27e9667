"""The public id of a job: opaque to callers, and telling us where its record is."""

import re
from typing import NamedTuple

_SPELLING = re.compile(r"([a-z0-9][a-z0-9_-]{0,31})\.([A-Za-z0-9_-]{1,64})")


class JobId(NamedTuple):
    """A job's account, in whose slot its record lies, and its token there; spelled `main.Zk3…`."""

    account: str
    token: str

    def __str__(self) -> str:
        """Spell the id as receipts and logs do."""
        return f"{self.account}.{self.token}"


def parse_job_id(text: str) -> JobId | None:
    """Return the id that TEXT spells; None when it is none, which is as good as unknown."""
    match = _SPELLING.fullmatch(text)
    return JobId(match[1], match[2]) if match else None
