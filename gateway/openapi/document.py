"""The OpenAPI 3.1 document: written from the table and the models, the same for every gateway of this version."""

import json
from collections.abc import Iterable, Sequence
from functools import cache
from http import HTTPStatus
from typing import Any

from pydantic import BaseModel

from gateway import __version__
from gateway.model.answers import Problem
from gateway.openapi.operation import Answer, Body, Operation, Parameter, Schema
from gateway.openapi.problems import Trouble
from gateway.openapi.schemas import schemas_of
from gateway.openapi.table import OPERATIONS, TAGS

PROBLEM = "application/problem+json"
_ABOUT = """\
A message gateway in front of NapCat: it takes jobs, delivers each to its group or person in order and within rates \
that keep the account from being banned, retries only what surely was not sent, and tells what became of every job.

Errors are `application/problem+json` with a stable `code`; every wrong field is named with what to write instead. \
What is no HTTP request at all gets a plain 400. Times are RFC 3339, durations `"1500ms"`, `"2m"` or seconds. Where no \
keys are configured, everyone on the gateway's machine may call, and nobody else."""
_HEADERS: dict[str, Any] = {
    "Location": {"description": "where its receipt is", "required": True, "schema": {"type": "string"}},
    "Job": {"description": "where the job's receipt is", "schema": {"type": "string"}},
    "Retry-After": {"description": "seconds to wait", "required": True, "schema": {"type": "string"}},
    "WWW-Authenticate": {"description": "`Bearer`", "required": True, "schema": {"type": "string"}},
    "RateLimit-Limit": {"description": "of a key that has a rate: its count", "schema": {"type": "string"}},
    "RateLimit-Remaining": {"description": "how much of it is left", "schema": {"type": "string"}},
    "RateLimit-Reset": {"description": "seconds until one more is free", "schema": {"type": "string"}},
}
_RATE = ("RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset")
_SECURITY: dict[str, Any] = {
    "key": {
        "type": "http",
        "scheme": "bearer",
        "description": "A key made by `gateway keys new`, with the scope that the operation names.",
    },
    "access_token": {
        "type": "apiKey",
        "in": "query",
        "name": "access_token",
        "description": "The same key as `access_token` in the query, where OneBot clients put it.",
    },
}


@cache
def openapi_json() -> bytes:
    """Return the document as it is served: JSON in UTF-8."""
    return json.dumps(openapi_document(), ensure_ascii=False, separators=(",", ":")).encode()


def openapi_document(operations: Sequence[Operation] = OPERATIONS) -> dict[str, Any]:
    """Return the OpenAPI 3.1 document of OPERATIONS, as JSON values."""
    paths: dict[str, dict[str, Any]] = {}
    for operation in operations:
        paths.setdefault(operation.path, {})[operation.method] = _operation(operation)
    names = {operation.name for operation in operations}
    for methods in paths.values():
        for method in methods.values():
            for answer in method["responses"].values():
                links = {name: link for name, link in answer.pop("links", {}).items() if link["operationId"] in names}
                if links:
                    answer["links"] = links
    shared = _shared(paths)
    return {
        "openapi": "3.1.0",
        "info": {"title": "NapCat gateway", "version": __version__, "description": _ABOUT},
        "servers": [{"url": "/"}],
        "tags": [{"name": name, "description": words} for name, words in TAGS.items()],
        "paths": paths,
        "components": {
            "schemas": schemas_of(operations),
            "responses": shared,
            "examples": _problems(operations),
            "headers": _HEADERS,
            "securitySchemes": _SECURITY,
        },
    }


def _shared(paths: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Put what several operations answer alike in one place, in PATHS and in what is returned."""
    places: dict[str, list[tuple[dict[str, Any], str]]] = {}
    for methods in paths.values():
        for method in methods.values():
            for status, answer in method["responses"].items():
                places.setdefault(json.dumps(answer), []).append((method["responses"], status))
    shared: dict[str, Any] = {}
    for same in places.values():
        if len(same) > 1:
            status = same[0][1]
            name = f"Answer{status}.{sum(other.startswith(f'Answer{status}.') for other in shared) + 1}"
            shared[name] = same[0][0][status]
            for responses, place in same:
                responses[place] = {"$ref": f"#/components/responses/{name}"}
    return shared


def _operation(operation: Operation) -> dict[str, Any]:
    written: dict[str, Any] = {
        "operationId": operation.name,
        "tags": [operation.tag],
        "summary": operation.summary,
        "description": operation.description,
        "parameters": [_parameter(parameter) for parameter in operation.parameters],
        "requestBody": _body(operation.body) if operation.body else None,
        "responses": _responses(operation),
        "security": _security(operation),
        "x-variant-of": operation.like,
    }
    return {name: value for name, value in written.items() if value not in (None, "", [])} | {
        "security": written["security"]
    }


def _security(operation: Operation) -> list[dict[str, Any]]:
    if operation.scope is None:
        return []
    schemes = ["key", *(["access_token"] if operation.token_in_query else [])]
    return [{scheme: [operation.scope]} for scheme in schemes]


def _parameter(parameter: Parameter) -> dict[str, Any]:
    written: dict[str, Any] = {
        "name": parameter.name,
        "in": parameter.where,
        "description": parameter.meaning,
        "required": parameter.required,
        "schema": parameter.schema,
        **parameter.style,
    }
    return written if parameter.example is None else {**written, "example": parameter.example}


def _body(body: Body) -> dict[str, Any]:
    examples = {name: {"value": example} for name, example in body.examples.items()}
    content = {kind: {"schema": _schema(body.model), "examples": examples} for kind in body.types}
    written = {"required": body.required, "content": content}
    return {"description": body.meaning, **written} if body.meaning else written


def _schema(model: type[BaseModel] | Schema) -> Schema:
    return model if isinstance(model, dict) else {"$ref": f"#/components/schemas/{model.__name__}"}


def _responses(operation: Operation) -> dict[str, Any]:
    responses: dict[str, Any] = {}
    for answer in operation.answers:
        responses[str(answer.status)] = _answer(answer, rated=operation.scope == "send" and answer.status < 300)
    by_status: dict[int, list[Trouble]] = {}
    for trouble in operation.troubles:
        by_status.setdefault(trouble.status, []).append(trouble)
    for status, troubles in by_status.items():
        response = responses.setdefault(str(status), {"description": _words(status, troubles)})
        response.setdefault("content", {})[PROBLEM] = _problem(status, troubles)
        headers = _headers_of(status, troubles)
        if headers:
            response["headers"] = headers
    return dict(sorted(responses.items()))


def _answer(answer: Answer, *, rated: bool) -> dict[str, Any]:
    written: dict[str, Any] = {"description": answer.meaning}
    headers = [*answer.headers, *(_RATE if rated else ())]
    if headers:
        written["headers"] = {
            "Location" if name == "Job" else name: {"$ref": f"#/components/headers/{name}"} for name in headers
        }
    if answer.model is not None:
        content: dict[str, Any] = {"schema": _schema(answer.model)}
        if answer.example is not None:
            content["example"] = answer.example
        written["content"] = {answer.media: content}
    return written | ({"links": dict(answer.links)} if answer.links else {})


def _words(status: int, troubles: Iterable[Trouble]) -> str:
    codes = ", ".join(f"`{code}`" for code in dict.fromkeys(trouble.code for trouble in troubles))
    return f"{HTTPStatus(status).phrase}: {codes}"


def _problem(status: int, troubles: Sequence[Trouble]) -> dict[str, Any]:
    codes = list(dict.fromkeys(trouble.code for trouble in troubles))
    return {
        "schema": {
            "$ref": f"#/components/schemas/{Problem.__name__}",
            "properties": {"status": {"const": status}, "code": {"enum": codes}},
        },
        "examples": {_name(trouble): {"$ref": f"#/components/examples/{_name(trouble)}"} for trouble in troubles},
    }


def _headers_of(status: int, troubles: Sequence[Trouble]) -> dict[str, Any]:
    names = ["WWW-Authenticate"] if any(trouble.code == "unauthorized" for trouble in troubles) else []
    if all(trouble.retry_after for trouble in troubles):
        names.append("Retry-After")
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        names += _RATE
    return {name: {"$ref": f"#/components/headers/{name}"} for name in names}


def _name(trouble: Trouble) -> str:
    """Return a name for the example of TROUBLE: its code, and its status, since some codes have several."""
    return f"{trouble.code}_{trouble.status}_{len(trouble.detail)}"


def _problems(operations: Sequence[Operation]) -> dict[str, Any]:
    return {
        _name(trouble): {
            "value": {
                "title": HTTPStatus(trouble.status).phrase,
                "status": trouble.status,
                "code": trouble.code,
                "detail": trouble.detail,
                **({"errors": trouble.told} if trouble.errors else {}),
            }
        }
        for operation in operations
        for trouble in operation.troubles
    }
