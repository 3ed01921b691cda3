"""Every answer that a test sees is compared with the OpenAPI document: nothing undescribed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import httpx
from jsonschema import Draft202012Validator, FormatChecker

_ALWAYS_ALLOWED = {"content-length", "content-type", "cache-control", "x-content-type-options"}


class ApiDocument:
    """The document, and what is found in it."""

    def __init__(self, document: dict[str, Any]) -> None:
        self.document = document
        self._paths = [
            (re.compile(re.sub(r"\{[^}]+\}", "[^/]+", path)), path) for path in document["paths"]
        ]

    def operations(self) -> Iterator[tuple[str, str, dict[str, Any]]]:
        """(path, METHOD, operation)."""
        for path, methods in self.document["paths"].items():
            for method, operation in methods.items():
                yield path, method.upper(), operation

    def operation(self, method: str, path: str) -> dict[str, Any] | None:
        for pattern, template in self._paths:
            if pattern.fullmatch(path):
                found: dict[str, Any] | None = self.document["paths"][template].get(method.lower())
                return found
        return None

    def resolved(self, thing: dict[str, Any]) -> dict[str, Any]:
        """The thing itself where a reference to it may stand."""
        found: Any = thing
        if "$ref" in thing:
            found = self.document
            for part in thing["$ref"].removeprefix("#/").split("/"):
                found = found[part]
        return dict(found)

    def schema_errors(self, schema: dict[str, Any], value: Any) -> list[str]:
        whole = {"$ref": "#/schema", "schema": schema, "components": self.document["components"]}
        validator = Draft202012Validator(whole, format_checker=FormatChecker())
        return [f"{error.json_path}: {error.message}" for error in validator.iter_errors(value)]

    def faults(self, method: str, path: str, answer: httpx.Response) -> Iterator[str]:
        """What about the answer is not as described. Nothing for an address that is not ours."""
        operation = self.operation(method, path)
        if operation is None:
            return
        described = operation["responses"].get(str(answer.status_code))
        if described is None:
            yield f"status {answer.status_code}: {answer.text[:200]}"
            return
        media = answer.headers.get("content-type", "").partition(";")[0]
        if media not in described["content"]:
            yield f"media type {media!r}"
            return
        content, body = described["content"][media], answer.json()
        yield from self.schema_errors(content["schema"], body)
        code = body.get("error", {}).get("code") if answer.status_code >= 400 else None
        if code is not None and code not in content["examples"]:
            yield f"code {code!r} is not described for {answer.status_code}"
        known = {name.lower() for name in described.get("headers", {})} | _ALWAYS_ALLOWED
        for name in answer.headers:
            if name not in known | {"connection"}:
                yield f"header {name!r}"
        if "x-request-id" not in answer.headers:
            yield "no x-request-id"


class AnswerWatch:
    """Collects the faults of all answers of a client; a test may name what it makes by hand."""

    def __init__(self, document: ApiDocument) -> None:
        self.document = document
        self.faults: list[str] = []
        self.seen: set[tuple[str, str, int]] = set()
        self.hand_made: set[str] = set()

    async def look(self, answer: httpx.Response) -> None:
        await answer.aread()
        method, path = answer.request.method, answer.request.url.path
        self.seen.add((method, path, answer.status_code))
        if not any(path.startswith(prefix) for prefix in self.hand_made):
            self.faults += [
                f"{method} {path} -> {answer.status_code}: {fault}"
                for fault in self.document.faults(method, path, answer)
            ]
