"""What every HTTP path shares: who may call and how often, what a request may be, and errors as problem+json."""

from gateway.web.guard import KEY, SESSION, Guard, may_use, reaches_all
from gateway.web.problem import NOT_REPLICATED, Handler, problem, speak_problem, status_of, why_not_replicated
from gateway.web.requests import (
    add_routes,
    check_query,
    in_time,
    keep_private,
    only_header,
    read_small,
    server_limits,
    takes,
)
from gateway.web.secret import new_secret, sha256_of
from gateway.web.session import COOKIE, Session, Sessions, is_of_own_page

__all__ = [
    "COOKIE",
    "KEY",
    "NOT_REPLICATED",
    "SESSION",
    "Guard",
    "Handler",
    "Session",
    "Sessions",
    "add_routes",
    "check_query",
    "in_time",
    "is_of_own_page",
    "keep_private",
    "may_use",
    "new_secret",
    "only_header",
    "problem",
    "reaches_all",
    "read_small",
    "server_limits",
    "sha256_of",
    "speak_problem",
    "status_of",
    "takes",
    "why_not_replicated",
]
