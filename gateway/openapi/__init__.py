"""What is served over HTTP, said once: as OpenAPI 3.1 for programs, and as a page for people."""

from gateway.openapi.document import openapi_document, openapi_json
from gateway.openapi.serve import Documentation

__all__ = ["Documentation", "openapi_document", "openapi_json"]
