"""Which OneBot actions may go straight to NapCat, past queue, limits and receipts."""

import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from gateway.model.verdict import Answer

Ask = Callable[[str, Mapping[str, Any], int], Awaitable[tuple[Answer, Any]]]
"""Calls an action of an account's NapCat with its parameters, for at most so many ms; returns answer and data."""

HARMLESS = ("get_status", "get_login_info", "get_version_info", "can_send_image", "can_send_record")
"""Actions about the account itself: they name no chat and tell no secret."""

_ALIAS = re.compile(r"_(async|rate_limited)$")
_REFUSED = tuple(
    (re.compile(pattern), reason)
    for pattern, reason in (
        (
            r"_?(nc_)?get_(cookies|credentials|csrf_token|rkey|rkey_server|clientkey)",
            "it tells secrets by which others can act as the account",
        ),
        (
            r"_?send_.*|.*forward_.*msg|upload_.*|.*_poke|set_msg_emoji_like|set_input_status|\.handle_quick_operation",
            "it sends past the queue and its limits; post messages to /send_msg, /send_group_msg or /send_private_msg",
        ),
        (r".*(delete|recall).*", "it deletes, and nobody could tell who asked for it; do it at NapCat itself"),
        (
            r"set_restart|bot_exit|clean_cache|set_(diy_)?online_status",
            "it ends or changes the account's session for everyone; do it at NapCat itself",
        ),
    )
)


def why_not_passed(action: str) -> str | None:
    """Return why ACTION is never passed through; None when an operator may list it."""
    if re.fullmatch(r"[._]?[A-Za-z0-9]+(_[A-Za-z0-9]+)*", action) is None:
        return "this is no name of an action; write it as OneBot does, such as get_group_info"
    name = action.lower()
    while _ALIAS.search(name):  # NapCat takes every action under these names too
        name = _ALIAS.sub("", name)
    return next((reason for pattern, reason in _REFUSED if pattern.fullmatch(name)), None)
