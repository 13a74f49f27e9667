"""Everything that can go wrong, as types that carry the decision.

GatewayError
├── Refused            the caller's input can never work; says field, reason and remedy
├── QueueFull          there is no room for a job now; what waits goes on, and later there is
├── SettingsInvalid    the service cannot start like this; says key, reason and remedy
├── StoreUnavailable   Redis did not answer; nothing is known to be lost, try again
│   ├── StoreAway      nobody answered: the server is down, or one of a cluster while others serve
│   ├── StoreRefuses   Redis answers, and takes no new jobs for now: short of memory, read-only; they wait outside
│   ├── NotReplicated  Redis did it, but too few replicas have it: nobody may rely on it yet; ask again
│   └── DataNewer      a newer gateway has raised the data of an account to a format that this one does not know
└── NotSent            a call was given up before its body left: the attempt never began

A NapCat call that fails is no exception: it is an `Answer` whose transport error class the verdict rules match on.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing wrong with one field: where (`message.2.data.file`), why and what to do instead, and a stable type."""

    loc: str
    msg: str
    type: str


class GatewayError(Exception):
    """The root of every error the gateway raises on purpose."""


@dataclass
class Refused(GatewayError):
    """The input can never succeed as it is.

    `code` is stable and machine-readable, `detail` one sentence for a person, `errors` names each wrong field.
    """

    code: str
    detail: str
    errors: Sequence[Fault] = field(default_factory=tuple)

    def __str__(self) -> str:
        """Return the detail followed by each fault that it does not tell already: all in one line."""
        faults = (fault.msg if fault.loc == "document" else f"{fault.loc}: {fault.msg}" for fault in self.errors)
        return "; ".join([self.detail, *(told for told in faults if told not in self.detail)])


class QueueFull(GatewayError):
    """An account has as many jobs waiting as `intake.max_queued` allows; later it has room again."""

    code = "queue_full"

    def __init__(self, account: str) -> None:
        """Say so of ACCOUNT."""
        super().__init__(f"account {account!r} has intake.max_queued jobs waiting; try again later")


class SettingsInvalid(GatewayError):
    """The settings cannot be used; the message has one line per fault, each naming key, reason and remedy."""


class StoreUnavailable(GatewayError):
    """Redis cannot be reached or does not take writes; nothing was acknowledged, so nothing is lost."""


class StoreRefuses(StoreUnavailable):
    """Redis takes no new jobs for now; what it holds goes on, and what is not taken stays where it is."""


class StoreAway(StoreUnavailable):
    """Whoever keeps what was asked for did not answer; in a cluster others may."""


class DataNewer(StoreUnavailable):
    """The data of an account are of a newer format: this gateway neither reads nor writes them, others do."""


class NotReplicated(StoreUnavailable):
    """Too few replicas have what was written: with the master it may be lost. Asking again is safe, as ever.

    `reply` is what the script said, None when it was not run, or found nothing to do.
    """

    def __init__(self, detail: str, reply: Any = None) -> None:
        """Say in DETAIL how many have it, and whether it was done."""
        super().__init__(detail)
        self.reply = reply


class NotSent(GatewayError):
    """The request was withheld: nothing NapCat acts on has left this machine."""
