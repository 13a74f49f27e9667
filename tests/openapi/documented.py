"""A gateway whose every answer is held against its description."""

import json
from typing import Any

from pydantic import BaseModel

from gateway.model.answers import Problem
from gateway.openapi.operation import Operation
from gateway.openapi.table import OPERATIONS
from tests.world import Gateway, Reply

BY_NAME = {operation.name: operation for operation in OPERATIONS}


class Documented:
    """Calls operations by their names."""

    def __init__(self, gateway: Gateway, key: str | None = None) -> None:
        self.gateway = gateway
        self._key = key

    async def call(self, name: str, body: Any = None, /, *, status: int, query: str = "", **values: str) -> Any:
        """Call an operation, see that STATUS comes and that the answer is as described; return it."""
        operation = BY_NAME[name]
        path = operation.path
        for given in operation.parameters:
            if given.where == "path":
                path = path.replace(f"{{{given.name}}}", values.pop(given.name, str(given.example)))
        headers = {header.replace("_", "-"): value for header, value in values.items()}
        headers.setdefault("Content-Type", "application/json")
        if self._key is not None:
            headers["Authorization"] = f"Bearer {self._key}"
        data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        reply = await self.gateway.request(operation.method.upper(), path + query, data=data, headers=headers)
        assert reply.status == status, reply.body
        return described(operation, reply)


def described(operation: Operation, reply: Reply) -> Any:
    """Return what REPLY says; fail when it is not among what OPERATION answers."""
    media = reply.headers.get("Content-Type", "").partition(";")[0]
    if media == "application/problem+json":
        told = Problem.model_validate_json(reply.body)
        codes = {trouble.code for trouble in operation.troubles if trouble.status == reply.status}
        assert told.status == reply.status
        assert told.code in codes, f"{operation.name} answers {told.code} ({reply.status}), which is not described"
        return reply.json
    (answer,) = (answer for answer in operation.answers if answer.status == reply.status)
    if answer.model is None:
        assert reply.body == b""
        return None
    assert media == answer.media
    if isinstance(answer.model, dict):
        return reply.body.decode()
    assert issubclass(answer.model, BaseModel)
    answer.model.model_validate_json(reply.body)
    return reply.json
