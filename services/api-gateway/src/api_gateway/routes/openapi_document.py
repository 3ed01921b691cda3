"""The OpenAPI document: what FastAPI derives, made exact.

FastAPI adds a 422 that nobody ever gets from us, and leaves out the one error shape that everybody
does.
"""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI

from api_gateway.routes.wire import Problem

_FASTAPI_ERRORS = ("HTTPValidationError", "ValidationError")


def describe(api: FastAPI) -> None:
    """Make `api.openapi()` the exact document."""
    original = api.openapi

    def described() -> dict[str, Any]:
        document = original()
        schemas = document["components"]["schemas"]
        schema = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
        schemas.update(schema.pop("$defs", {}))
        schemas["Problem"] = schema
        for name in _FASTAPI_ERRORS:
            schemas.pop(name, None)
        for path in document["paths"].values():
            for operation in path.values():
                operation["responses"].pop("422", None)
        return document

    api.openapi = described  # type: ignore[method-assign]
