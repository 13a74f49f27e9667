"""The words of the table: an operation, its parameters, its body and its answers."""

from dataclasses import dataclass, field
from typing import Any, Literal

from pydantic import BaseModel

from gateway.openapi.problems import Trouble

Method = Literal["get", "post", "delete"]
Scope = Literal["send", "read", "admin"]
Schema = dict[str, Any]
JSON = "application/json"
FORM = "application/x-www-form-urlencoded"


@dataclass(frozen=True)
class Parameter:
    """A parameter of the path, the query or the header; `style` says how a list is written."""

    name: str
    where: Literal["path", "query", "header"]
    meaning: str
    schema: Schema
    example: Any = None
    required: bool = False
    style: Schema = field(default_factory=dict)


@dataclass(frozen=True)
class Body:
    """What a request brings: a model, or a schema, by content type, with examples by name."""

    model: type[BaseModel] | Schema
    examples: dict[str, Any]
    types: tuple[str, ...] = (JSON,)
    required: bool = True
    meaning: str = ""


@dataclass(frozen=True)
class Answer:
    """One answer that is no problem: its status, its model (None: it has no body) and an example."""

    status: int
    meaning: str
    model: type[BaseModel] | Schema | None = None
    example: Any = None
    media: str = JSON
    headers: tuple[str, ...] = ()
    links: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Operation:
    """One method of one path: everything a client has to know before it calls.

    scope     the scope a key needs; None: no key is asked for
    like      the operation this one is another spelling of; its page is that one's
    """

    name: str
    method: Method
    path: str
    tag: str
    summary: str
    description: str = ""
    scope: Scope | None = None
    parameters: tuple[Parameter, ...] = ()
    body: Body | None = None
    answers: tuple[Answer, ...] = ()
    troubles: tuple[Trouble, ...] = ()
    like: str | None = None
    token_in_query: bool = False
