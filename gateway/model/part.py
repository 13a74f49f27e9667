"""A part: one NapCat call, ready to be posted."""

from typing import NamedTuple


class Part(NamedTuple):
    """The exact bytes of one NapCat call and how long it may take.

    action       `send_group_msg` or `send_private_msg`
    body         the ASCII-only JSON body
    timeout_ms   what NapCat is told to wait for QQ (in `body` as `timeout`)
    fetch_ms     how much longer the call may take because NapCat downloads media first (outside its own wait)
    fingerprint  of segment types and text: equal for the sent part and for NapCat's own report of it
    media        digests of the media it carries, with blanks between them
    nodes        whether the part is a merged forward, whose "cannot be parsed" answer is ambiguous
    """

    action: str
    body: bytes
    timeout_ms: int
    fetch_ms: int
    fingerprint: str
    nodes: bool
    media: str = ""
