"""A job as JSON Schema 2020-12, for producers in other languages, and how our models are written as schemas."""

import re
from typing import Any

from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from gateway.model.job import Job

_SEGMENT = re.compile(r"(?:Of|Throw)\[Literal\['(\w+)'\]")
_NULL = {"type": "null"}


class Schemas(GenerateJsonSchema):
    """Writes schemas as people read them: short names, no titles that repeat a field's name, null where it may stand.

    A field of a segment that need not be given may be null: that is as good as absent.
    """

    def normalize_name(self, name: str) -> str:
        """Name `Of[Literal['text'], TextData]` what it is: `TextSegment`."""
        segment = _SEGMENT.match(name)
        return f"{segment[1].capitalize()}Segment" if segment else super().normalize_name(name)

    def field_title_should_be_set(self, schema: Any) -> bool:
        """Leave out titles such as `Group Id`."""
        return False

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        """Leave out a default of null: the field is not required, which says it."""
        if "default" in schema and schema["default"] is None:
            return self.generate_inner(schema["schema"])
        return super().default_schema(schema)

    def tagged_union_schema(self, schema: core_schema.TaggedUnionSchema) -> JsonSchemaValue:
        """Leave out OpenAPI's `discriminator`: each alternative says its type as a constant."""
        written = super().tagged_union_schema(schema)
        written.pop("discriminator", None)
        return written

    def typed_dict_schema(self, schema: core_schema.TypedDictSchema) -> JsonSchemaValue:
        """Leave out the title, which is the definition's name."""
        written = super().typed_dict_schema(schema)
        written.pop("title", None)
        return written

    def typed_dict_field_schema(self, schema: core_schema.TypedDictField) -> JsonSchemaValue:
        """Let a field that need not be given be null."""
        written = super().typed_dict_field_schema(schema)
        if schema.get("required", True) or written.keys() <= {"description"}:
            return written
        if written.keys() == {"anyOf"}:
            return {"anyOf": [*written["anyOf"], _NULL]}
        return {"anyOf": [written, _NULL]}


def job_schema() -> dict[str, Any]:
    """Return the JSON Schema (2020-12) of a job as producers write it, in Redis and over HTTP.

    What it refuses the gateway refuses. The gateway refuses more: what takes counting or looking elsewhere, such as an
    unknown account, `at` in a private message, media that are not allowed, metadata over 4 KiB, and JSON that two
    readers could understand differently.
    """
    return {"$schema": Schemas.schema_dialect, **Job.model_json_schema(schema_generator=Schemas)}
