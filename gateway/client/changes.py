"""Changes of jobs out of repeated lists: none is missed, none is told twice."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from gateway.model.receipt import Receipt

_OVERLAP = timedelta(seconds=5)
"""How far each look reaches back behind what is surely known: Redis' time of day may step back so far."""

_Version = tuple[datetime, str, datetime | None]


class Changes:
    """What is new in each look at the list of jobs that changed since `since`.

    A look takes a while, page by page, and what changes meanwhile may be passed over, on a page that was read already.
    So the next look must reach back to the moment this one began, in the time of Redis, which nobody here knows; what
    is known is older: everything told by earlier looks, and by this one's first page, had changed by then. That is
    where the next look begins, less five seconds. What it shows again is known by its version, and not told again.
    """

    def __init__(self, since: datetime) -> None:
        """Begin with what changed at SINCE or later."""
        self._mark = since
        self._latest = since  # of all looks that have ended
        self._seen: dict[str, _Version] = {}
        self._first: list[Receipt] | None = None
        self._looked: list[Receipt] = []

    @property
    def since(self) -> datetime:
        """Return from when on the look that comes next has to list."""
        return self._mark

    def page(self, receipts: Iterable[Receipt]) -> None:
        """Take one page of a look."""
        page = list(receipts)
        if self._first is None:
            self._first = page
        self._looked += page

    def end(self) -> list[Receipt]:
        """End a look; return what is new in it, in the order of the changes."""
        latest = {receipt.id: receipt for receipt in sorted(self._looked, key=lambda receipt: receipt.updated_at)}
        new = [receipt for receipt in latest.values() if self._seen.get(receipt.id) != _version(receipt)]
        self._seen.update((receipt.id, _version(receipt)) for receipt in new)
        known = [receipt.updated_at for receipt in self._first or ()]
        self._mark = max(self._mark, *(moment - _OVERLAP for moment in (self._latest, *known)))
        self._latest = max([self._latest, *(receipt.updated_at for receipt in latest.values())])
        self._seen = {job: version for job, version in self._seen.items() if version[0] >= self._mark}
        self._first, self._looked = None, []
        return sorted(new, key=lambda receipt: receipt.updated_at)

    def give_up(self) -> None:
        """Forget a look that was broken off; the next one begins where it did."""
        self._first, self._looked = None, []


def _version(receipt: Receipt) -> _Version:
    return receipt.updated_at, receipt.state, receipt.recalled_at
