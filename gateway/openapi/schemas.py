"""The schemas of the OpenAPI document: of what is taken, and of what is answered, each written its own way."""

from collections.abc import Iterable, Sequence
from typing import Any

from pydantic.json_schema import JsonSchemaValue, models_json_schema
from pydantic_core import core_schema

from gateway.model.answers import Problem
from gateway.model.job import Job
from gateway.model.schema import Schemas
from gateway.openapi.onebot import CALL, PLAIN
from gateway.openapi.operation import Operation

_VALUES = frozenset({"default", "examples", "example", "enum", "const"})
"""Where a schema holds values, not schemas."""


def schemas_of(operations: Sequence[Operation]) -> dict[str, Any]:
    """Return by its name every schema that OPERATIONS refer to."""
    requests = [Job, *(operation.body.model for operation in operations if operation.body)]
    answers = [Problem, *(answer.model for operation in operations for answer in operation.answers)]
    taken = {name: _exact(schema) for name, schema in _defined(requests, Schemas).items()}
    return dict(sorted((taken | _defined(answers, _Answers) | {"Call": CALL, "Plain": PLAIN}).items()))


class _Answers(Schemas):
    """Writes answers: what is not known is left out there, and never null unless it always stands there."""

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        """Leave out the null of a field that is left out instead."""
        inner = schema["schema"]
        if "default" in schema and schema["default"] is None and inner["type"] == "nullable":
            return self.generate_inner(inner["schema"])
        return super().default_schema(schema)


def _exact(schema: Any) -> Any:
    """Return the SCHEMA of what is taken, which says also of values that may be anything that they are plain JSON."""
    if isinstance(schema, list):
        return [_exact(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    written = {name: inner if name in _VALUES else _exact(inner) for name, inner in schema.items()}
    for name, field in written.get("properties", {}).items():
        if field.keys() <= {"description", "default"}:
            written["properties"][name] = {"$ref": "#/components/schemas/Plain", **field}
    if (
        schema.get("type") == "object"
        and "properties" not in schema
        and schema.get("additionalProperties", True) is True
    ):
        written["additionalProperties"] = {"$ref": "#/components/schemas/Plain"}
    return written


def _defined(models: Iterable[Any], generator: type[Schemas]) -> dict[str, Any]:
    """Return the schemas of those of MODELS that are models, and of all that they are made of, by name."""
    needed = {model: None for model in models if isinstance(model, type)}
    _, written = models_json_schema(
        [(model, "validation") for model in needed],
        ref_template="#/components/schemas/{model}",
        schema_generator=generator,
    )
    definitions: dict[str, Any] = written["$defs"]
    return definitions
