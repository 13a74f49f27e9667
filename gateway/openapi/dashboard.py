"""The table, of the dashboard: the page, what it is made of, its session, and the stream it reads."""

from importlib.resources import files

from gateway.model.answers import SignedIn
from gateway.monitor.dashboard.session import Wish
from gateway.openapi import problems as told
from gateway.openapi.operation import Answer, Body, Operation, Parameter

_NAMES = sorted(entry.name for entry in (files("gateway.monitor.dashboard") / "static").iterdir())
_FILE = Parameter("file", "path", "which", {"type": "string", "enum": _NAMES}, "app.js", required=True)
_WHO = {"open": False, "name": "night-shift", "scopes": ["admin", "read"], "targets": ["*"]}
_ENDS = {**_WHO, "ends_at": "2026-02-01T08:00:00.000Z"}
_QUERY = (told.QUERY_UNREADABLE, told.QUERY_INVALID)

DASHBOARD = (
    Operation(
        "getDashboard", "get", "/", "Dashboard", "Look at the gateway",
        "One page for people: what goes out, what is stuck, why, and what to do. It loads nothing from elsewhere, and "
        "asks for a key where keys are configured.",
        answers=(Answer(200, "The page.", {"type": "string"}, media="text/html"),),
        troubles=(told.FOREIGN,),
    ),
    Operation(
        "getDashboardFile", "get", "/dashboard/{file}", "Dashboard", "Read a file of the page",
        parameters=(_FILE,),
        answers=(Answer(200, "The file.", {}, media="*/*"),),
        troubles=(told.FOREIGN, told.NOT_FOUND),
    ),
    Operation(
        "watchStatus", "get", "/dashboard/stream", "Dashboard", "Watch how the gateway is",
        "Server-sent events without end: `status` with the document of `/status`, each second, and `flow` with that of "
        "`/v1/flow`, when it changed. A client that is slow gets the latest and misses some before. The stream ends "
        "with the session it is watched by.",
        scope="read",
        answers=(Answer(200, "The events.", {"type": "string"}, media="text/event-stream"),),
        troubles=(*_QUERY, told.STREAMS_FULL, *told.KEYED),
    ),
    Operation(
        "getSession", "get", "/session", "Dashboard", "See who you are here",
        scope="read",
        answers=(Answer(200, "The key that counts, and what it is good for.", SignedIn, _WHO),),
        troubles=(*_QUERY, *told.KEYED),
    ),
    Operation(
        "signIn", "post", "/session", "Dashboard", "Sign in with a key",
        "Answers a cookie that stands for the key for a day, on every replica, also while Redis is away. It does not "
        "hold the key, scripts cannot read it, and beside reading it is good for this gateway's own pages only. Where "
        "no keys are configured there is nothing to sign in for.",
        body=Body(Wish, {"a key": {"key": "gw_…"}}),
        answers=(Answer(200, "Signed in.", SignedIn, _ENDS),),
        troubles=(
            *told.BODIED, told.JSON_INVALID, told.CONTENT_TYPE, told.SESSION_INVALID, *_QUERY, told.UNAUTHORIZED,
            told.SCOPE, told.FOREIGN, told.SIGN_IN_LIMITED, *told.ALWAYS,
        ),
    ),
    Operation(
        "signOut", "delete", "/session", "Dashboard", "Sign out",
        "The browser forgets the session. To end it everywhere, change the key.",
        answers=(Answer(204, "Signed out, or never in."),),
        troubles=(*_QUERY, told.FOREIGN, *told.ALWAYS),
    ),
)  # fmt: skip
