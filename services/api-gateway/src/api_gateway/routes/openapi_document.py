"""The OpenAPI document: what FastAPI derives, made exact.

FastAPI adds a 422 that nobody ever gets from us, and leaves out the one error shape that everybody
does.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from fastapi import FastAPI

from api_gateway.routes.outcomes import refusal_examples, unpacked
from api_gateway.routes.wire import Problem

_FASTAPI_ERRORS = ("HTTPValidationError", "ValidationError")


def describe(api: FastAPI) -> None:
    """Make `api.openapi()` the exact document."""
    original = api.openapi

    def described() -> dict[str, Any]:
        document = original()
        components = document["components"]
        if "Problem" in components["schemas"]:  # made before: FastAPI keeps it
            return document
        schema = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
        components["schemas"].update(schema.pop("$defs", {}))
        components["schemas"]["Problem"] = schema
        for name in _FASTAPI_ERRORS:
            components["schemas"].pop(name, None)
        named: set[str] = set()
        for content in _contents(document):
            for name, example in content.get("examples", {}).items():
                if "value" in example:
                    example["value"] = unpacked(example["value"])
                else:
                    named.add(name)
        components["examples"] = {
            code: example for code, example in refusal_examples().items() if code in named
        }
        return document

    api.openapi = described  # type: ignore[method-assign]


def _contents(document: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for path in document["paths"].values():
        for operation in path.values():
            operation["responses"].pop("422", None)
            for answer in operation["responses"].values():
                yield from answer["content"].values()
