"""Whether this replica hears the events of an account."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Listening:
    """`connected`, `connecting` (its turn, but no connection) or `standby` (another replica's turn), and since when."""

    state: Literal["connected", "connecting", "standby"]
    since: int  # epoch milliseconds, to be shown
    began: float  # the same moment in the Clock's monotonic seconds, to be counted with
    error: str = ""  # what last went wrong; empty while connected
