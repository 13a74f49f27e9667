"""Errors as problem+json (RFC 9457), whatever went wrong."""

import json
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict
from http import HTTPStatus
from typing import Any

from aiohttp import web

from gateway.model.errors import (
    DataNewer,
    Fault,
    NotReplicated,
    QueueFull,
    Refused,
    StoreRefuses,
    StoreUnavailable,
)
from gateway.telemetry import Event, Log, told

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

_STATUS = {
    "json_invalid": 400,
    "query_unreadable": 400,
    "target_invalid": 404,
    "path_unknown": 404,
    "account_unknown": 422,
    "forbidden": 403,
    "target_forbidden": 403,
    "too_large": 413,
    "content_type": 415,
    "reload_unavailable": 409,
    "stopping": 503,
}
NOT_REPLICATED = "not_replicated"
_log = Log()


def status_of(refusal: Refused) -> int:
    """Return the HTTP status of REFUSAL: 422 unless its code says more."""
    return _STATUS.get(refusal.code, 422)


def why_not_replicated(error: NotReplicated) -> str:
    """Return what a caller is told whose wish too few replicas have, and what asking again does."""
    if error.reply is None:
        return f"{error}; try again"
    return f"{error}; ask again: a job with its idempotency key is not sent twice, one without a key may be"


def problem(
    status: int, code: str, detail: str, errors: Sequence[Fault] = (), headers: dict[str, str] | None = None
) -> web.Response:
    """Return an error as `application/problem+json` with a stable CODE and the faults of single fields."""
    document: dict[str, Any] = {
        "title": HTTPStatus(status).phrase,
        "status": status,
        "code": code,
        "detail": detail,
    }
    if errors:
        document["errors"] = [asdict(fault) for fault in errors]
    # A path may hold bytes that are no text; they are shown as `?`.
    body = json.dumps(document, ensure_ascii=False).encode("utf-8", "replace")
    return web.Response(status=status, body=body, content_type="application/problem+json", headers=headers)


@web.middleware
async def speak_problem(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer every error as problem+json, unknown paths and our own faults included."""
    try:
        return await handler(request)
    except Refused as refusal:
        return problem(status_of(refusal), refusal.code, refusal.detail, refusal.errors)
    except QueueFull as error:
        return problem(503, error.code, str(error), headers={"Retry-After": "5"})
    except StoreRefuses as error:
        return problem(503, "store_refuses", f"{error}; try again later", headers={"Retry-After": "5"})
    except DataNewer as error:
        return problem(503, "data_newer", f"{error}; ask another replica", headers={"Retry-After": "5"})
    except NotReplicated as error:
        return problem(503, NOT_REPLICATED, why_not_replicated(error), headers={"Retry-After": "2"})
    except StoreUnavailable as error:
        return problem(503, "store_unavailable", f"{error}; try again", headers={"Retry-After": "1"})
    except web.HTTPRequestEntityTooLarge as error:
        return problem(413, "too_large", f"the body is larger than http.max_body; {error.text}")
    except web.RequestPayloadError:
        return problem(400, "body_unreadable", "the body is not what its Content-Length or Content-Encoding says")
    except web.HTTPMethodNotAllowed as error:
        allowed = ", ".join(sorted(error.allowed_methods))
        return problem(405, "method_not_allowed", f"{request.path} takes {allowed}", headers={"Allow": allowed})
    except web.HTTPNotFound:
        return problem(404, "not_found", f"there is nothing at {request.path}")
    except web.HTTPException as error:
        return problem(error.status, "http_error", error.reason)
    except Exception as error:  # noqa: BLE001 - a fault of ours is logged here and told without its inside
        resource = request.match_info.route.resource
        # Not the path itself: what it is made of may be a key, or words.
        path = resource.canonical if resource else None
        _log.error(Event.REQUEST_FAILED, method=request.method, path=path, error=told(error))
        return problem(500, "internal", "the gateway failed; its log says why")
