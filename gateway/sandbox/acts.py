"""What the demo shows: a dozen jobs, how each comes in, and how it has to end."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from gateway.model.receipt import FINAL_STATES, Receipt

Refusals = Sequence[Mapping[str, str]]
"""Entries of `gw:invalid`."""

_PIXEL = "base64://iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="


@dataclass(frozen=True, slots=True)
class Act:
    """One job of the demo: what it shows, how it comes in, and how it has to end."""

    shows: str
    via: Literal["stream", "list", "http"]
    job: dict[str, Any]
    ends: str = "delivered"
    evidence: str = "response"

    def has_ended(self, receipt: Receipt | None, refused: Refusals) -> bool:
        """Return whether its RECEIPT, or, of one that is no job, what was REFUSED, says that it is over."""
        if self.ends == "invalid":
            return bool(refused)
        return receipt is not None and receipt.state in FINAL_STATES

    def ended_well(self, receipt: Receipt | None, refused: Refusals) -> bool:
        """Return whether it ended as it has to."""
        if self.ends == "invalid":
            return len(refused) == 1 and "did you mean message?" in refused[0]["detail"]
        if receipt is None:
            return False
        whole = receipt.parts.delivered == receipt.parts.total
        return (receipt.state, receipt.evidence, whole) == (self.ends, self.evidence, True)


def _segment(kind: str, **data: Any) -> dict[str, Any]:
    return {"type": kind, "data": data}


ACTS: Sequence[Act] = (
    Act("a plain string", "stream", {"group_id": "10001", "message": "Good morning [CQ:at,qq=all] is plain text"}),
    Act(
        "text, at, face, image in one",
        "stream",
        {
            "group_id": 10002,
            "message": [
                _segment("reply", id=123456),
                _segment("at", qq="20001"),
                " 早上好 ",
                _segment("face", id=100),
                _segment("image", file=_PIXEL, summary="a pixel"),
            ],
        },
    ),
    Act(
        "text, record and video: three parts",
        "stream",
        {
            "group_id": "10003",
            "message": [
                "listen and look:",
                _segment("record", file="https://example.com/a.amr"),
                _segment("video", file="https://example.com/a.mp4"),
            ],
        },
    ),
    Act("a muted group: parked, then sent", "stream", {"group_id": "10004", "message": "is anybody here?"}),
    Act(
        "a timeout that arrived late",
        "stream",
        {"group_id": "10005", "message": "slow, but once"},
        evidence="event",
    ),
    Act("a misspelt field", "stream", {"group_id": "10006", "mesage": "oops"}, ends="invalid"),
    Act(
        "sticker, dice and rps",
        "list",
        {
            "group_id": "10007",
            "message": [
                _segment("mface", emoji_package_id=1, emoji_id="ab", key="cd", summary="[hi]"),
                _segment("dice"),
                _segment("rps"),
            ],
        },
    ),
    Act(
        "music and a contact card",
        "list",
        {
            "group_id": "10008",
            "message": [_segment("music", type="163", id="28949129"), _segment("contact", type="qq", id="20001")],
        },
    ),
    Act(
        "json card and markdown",
        "list",
        {
            "group_id": "10009",
            "message": [
                _segment("json", data={"app": "com.example", "view": "news"}),
                _segment("markdown", content="# A heading\n\n- a point"),
            ],
        },
    ),
    Act(
        "a merged forward of two nodes",
        "http",
        {
            "group_id": "10010",
            "message": [
                _segment("node", user_id="20001", nickname="Ann", content=[_segment("text", text="first")]),
                _segment("node", user_id="20002", nickname="Bob", content=[_segment("text", text="second")]),
            ],
            "summary": "2 messages",
        },
    ),
    Act("a stored forward", "http", {"group_id": "10011", "message": _segment("forward", id="res-1")}),
    Act(
        "a file to a person",
        "http",
        {"user_id": "20003", "message": _segment("file", file="https://example.com/a.pdf", name="a.pdf")},
    ),
    Act("a private text, scheduled", "http", {"user_id": "20004", "message": "in two seconds", "delay": "2s"}),
)
