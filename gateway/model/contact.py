"""What is known of the NapCat of an account."""

from typing import NamedTuple


class Contact(NamedTuple):
    """What this process last found out; None where that is not known.

    reachable  whether something answered
    online     whether QQ has the account logged in, as NapCat says
    at         epoch milliseconds; 0: nothing was asked yet
    """

    reachable: bool | None = None
    online: bool | None = None
    at: int = 0
