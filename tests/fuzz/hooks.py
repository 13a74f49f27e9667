"""What schemathesis is told beside the document: what no schema can say, and what a client does by itself."""

import hashlib
import hmac
import json
import os
from typing import Any

import schemathesis
from requests import PreparedRequest
from requests.auth import AuthBase
from schemathesis import Case, CheckContext, Response
from schemathesis.core.parameters import ParameterLocation

EVENTS = "/napcat/{account}/events"
KEY = "Idempotency-Key"


class Signature(AuthBase):
    """Signs what NapCat posts, as NapCat does: the bytes of the body with the secret of the account."""

    def __call__(self, request: PreparedRequest) -> PreparedRequest:
        body = request.body if isinstance(request.body, bytes) else str(request.body or "").encode()
        digest = hmac.new(os.environ["FUZZ_EVENTS_SECRET"].encode(), body, hashlib.sha1).hexdigest()
        request.headers["X-Signature"] = f"sha1={digest}"
        return request


@schemathesis.hook
def before_call(_context: Any, case: Case[Any], kwargs: dict[str, Any]) -> None:
    """Make of a valid request one that is valid here and now."""
    if case.meta is None or not case.meta.generation.mode.is_positive:
        return
    # To a schema 174.0 is a whole number; we refuse it, and nobody writes whole numbers so.
    if isinstance(case.body, dict):
        case.body = whole(case.body)
    body = case.body if isinstance(case.body, dict) else {}
    if case.path == EVENTS:
        kwargs["auth"] = Signature()
    # No schema knows the accounts of a gateway.
    for place, name in ((case.path_parameters, "account"), (case.path_parameters, "name"), (case.query, "account")):
        if name in place:
            place[name] = "main"
    # No schema knows what time it is: a hold ends later than now.
    if case.path.endswith(("/park", "/pause")):
        later = {"until": "2099-01-31T10:00:00Z", "for": "1h"}
        body.update({name: value for name, value in later.items() if body.get(name) is not None})
    settle_job(body)
    # What a cursor says is for the gateway alone: one that no page gave is none.
    case.query.pop("cursor", None)
    # The run is to end: what waits for a job does so briefly.
    if "wait" in case.query:
        case.query["wait"] = "100ms"
    if KEY in case.headers:
        name_job(case, body)


def whole(value: Any) -> Any:
    """Return VALUE with whole numbers written as such."""
    match value:
        case float():
            return int(value) if value.is_integer() else value
        case dict():
            return {name: whole(inner) for name, inner in value.items()}
        case list():
            return [whole(inner) for inner in value]
    return value


def settle_job(body: dict[str, Any]) -> None:
    """Give the fields of a job values that no schema can ask for."""
    if body.get("account") is not None:
        body["account"] = "main"
    # What can be printed is Unicode's to say, and not every reader of a schema's patterns knows Unicode.
    for name in ("key", "collapse_key"):
        if isinstance(given := body.get(name), str):
            body[name] = "".join(filter(str.isprintable, given)) or "key"
    # No pattern says in every unit how long 366 days are.
    for name in ("delay", "ttl"):
        if isinstance(given := body.get(name), str) and len(given.strip()) > len("100d"):
            body[name] = "1h"
    body.pop("callback_url", None)  # no callbacks.secrets are configured here: nothing is posted out of a fuzz


def name_job(case: Case[Any], body: dict[str, Any]) -> None:
    """Give the same key to the same fields, and another one to others; a body that has a key needs no header."""
    if body.get("key") is not None:
        del case.headers[KEY]
        return
    fields = [case.path, body, dict(case.query)]
    case.headers[KEY] = hashlib.sha256(json.dumps(fields, sort_keys=True).encode()).hexdigest()


@schemathesis.check
def refused_for_what_it_means(ctx: CheckContext, response: Response, case: Case[Any]) -> None:
    """A job that fits its schema is refused at most for what its message means, or for a key that was given before."""
    right = case.meta is not None and case.meta.generation.mode.is_positive
    if right and case.method.upper() == "POST" and case.path == "/v1/jobs" and response.status_code == 422:
        assert response.json()["code"] in {"message_invalid", "key_reused"}, "Valid data should have been accepted"


@schemathesis.check
def refused_in_its_envelope(ctx: CheckContext, response: Response, case: Case[Any]) -> None:
    """OneBot answers with 200 and says in the envelope that the call failed."""
    wrong = case.meta is not None and case.meta.is_negative_at(ParameterLocation.BODY)
    told_there = case.media_type == "application/json" and case.path.split("/")[-1].startswith("send_")
    if wrong and told_there and response.status_code == 200:
        assert response.json()["status"] == "failed", "Invalid data should have been refused in the envelope"
