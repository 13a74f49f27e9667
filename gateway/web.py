"""What every HTTP path shares: who may call, and errors as problem+json (RFC 9457)."""

import hashlib
import hmac
import json
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict
from fnmatch import fnmatchcase
from http import HTTPStatus
from typing import Any, Literal

from aiohttp import web

from gateway.model.errors import Fault, Refused, StoreRefuses, StoreUnavailable
from gateway.settings import Auth, Key
from gateway.telemetry import Event, Log

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Scope = Literal["send", "read", "admin"]

KEY = web.RequestKey("key", Key)
"""The API key a guarded request came with; absent where no keys are configured."""

_STATUS = {
    "json_invalid": 400,
    "target_invalid": 404,
    "account_unknown": 422,
    "target_forbidden": 403,
    "too_large": 413,
    "content_type": 415,
}
_log = Log()


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
    text = json.dumps(document, ensure_ascii=False)
    return web.Response(status=status, text=text, content_type="application/problem+json", headers=headers)


@web.middleware
async def speak_problem(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer every error as problem+json, unknown paths and our own faults included."""
    try:
        return await handler(request)
    except Refused as refusal:
        return problem(_STATUS.get(refusal.code, 422), refusal.code, refusal.detail, refusal.errors)
    except StoreRefuses as error:
        return problem(503, "store_refuses", f"{error}; try again later", headers={"Retry-After": "5"})
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
        _log.error(Event.REQUEST_FAILED, path=request.path, error=f"{type(error).__name__}: {error}")
        return problem(500, "internal", "the gateway failed; its log says why")


class Guard:
    """Lets a request pass that brings a key with the scope it needs; everyone, where no keys are configured."""

    def __init__(self, auth: Auth) -> None:
        """Know the keys of AUTH."""
        self._keys = auth.keys

    def __call__(self, scope: Scope, handler: Handler) -> Handler:
        """Return HANDLER behind a check for SCOPE; the key is kept as `request[KEY]`."""

        async def guarded(request: web.Request) -> web.StreamResponse:
            key = self._key(request)
            if self._keys and key is None:
                return problem(
                    401,
                    "unauthorized",
                    "send a configured key: `Authorization: Bearer <key>`",
                    headers={"WWW-Authenticate": "Bearer"},
                )
            if key is not None and scope not in key.scopes:
                return problem(403, "forbidden", f"the key {key.name!r} has no scope {scope!r}; see auth.keys")
            if key is not None:
                request[KEY] = key
            return await handler(request)

        return guarded

    @property
    def is_open(self) -> bool:
        """Whether no keys are configured, and everyone on this machine may call."""
        return not self._keys

    def _key(self, request: web.Request) -> Key | None:
        scheme, _, given = request.headers.get("Authorization", "").partition(" ")
        return self.key_of(given) if scheme.lower() == "bearer" else None

    def key_of(self, given: str) -> Key | None:
        """Return the configured key that was GIVEN; None when it is none."""
        digest = hashlib.sha256(given.strip().encode("utf-8", "surrogateescape")).hexdigest()
        found = None
        for key in self._keys:  # every key is compared, so that the time taken tells nothing
            if hmac.compare_digest(key.sha256, digest):
                found = key
        return found


def may_use(key: Key | None, target: str) -> bool:
    """Return whether KEY reaches TARGET; without a key everything is within reach."""
    return key is None or any(fnmatchcase(target, pattern) for pattern in key.targets)
