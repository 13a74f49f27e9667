"""The stand-in's own controls over HTTP, for when it runs as a process of its own; they need no token."""

from collections.abc import Callable, Sequence
from dataclasses import asdict
from functools import partial
from typing import TYPE_CHECKING, Any

from aiohttp import web

from gateway.sandbox.journal import Delivered, Received
from gateway.sandbox.wire import dump

if TYPE_CHECKING:  # which serves these controls
    from gateway.sandbox.napcat import StandIn


def control_routes(napcat: "StandIn") -> list[web.RouteDef]:
    """Return the routes under `/_sandbox`.

    `POST /_sandbox/behave`     `{"target": "group:1", "behaviour": "mute", "times": 2, …options}`, for example
                                `{"target": "*", "behaviour": "reply", "retcode": 100, "message": "no", "data": null}`
    `POST /_sandbox/clear`      `{}` or `{"target": "group:1"}`
    `POST /_sandbox/ban`        `{"group": "1", "duration": 60, "user_id": "0"}`; duration 0 lifts
    `GET /_sandbox/received?since=N`    the send calls from number N on → `{"next": M, "items": […]}`
    `GET /_sandbox/delivered?since=N`   the delivered messages likewise

    The posts answer `{"ok": true}`; a wrong name or option 400 `{"ok": false, "error": …}`.
    """

    return [
        web.post("/_sandbox/{control}", partial(_turn, napcat)),
        web.get("/_sandbox/received", partial(_show, lambda: napcat.received)),
        web.get("/_sandbox/delivered", partial(_show, lambda: napcat.delivered)),
    ]


async def _turn(napcat: "StandIn", request: web.Request) -> web.Response:
    try:
        fields = await request.json() if request.can_read_body else {}
        match request.match_info["control"]:
            case "behave":
                napcat.behave(**fields)
            case "clear":
                napcat.clear(**fields)
            case "ban":
                await napcat.emit_group_ban(**fields)
            case _:
                raise web.HTTPNotFound
    except (TypeError, ValueError) as error:
        return _answer({"ok": False, "error": str(error)}, 400)
    return _answer({"ok": True})


async def _show(items: Callable[[], Sequence[Received | Delivered]], request: web.Request) -> web.Response:
    since = int(request.query.get("since") or 0)
    some = items()[since:]
    return _answer({"next": since + len(some), "items": [_plain(item) for item in some]})


def _plain(item: Received | Delivered) -> dict[str, Any]:
    """Return a record as JSON can carry it; the raw bytes are left out."""
    return {name: value for name, value in asdict(item).items() if name != "raw"}


def _answer(value: dict[str, Any], status: int = 200) -> web.Response:
    return web.Response(status=status, text=dump(value), content_type="application/json")
