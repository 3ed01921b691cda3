"""docs/errors.md and docs/openapi.json are what the code says, and the document is exact."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from tests.integration.api_gateway.described_answers import ApiDocument

from api_gateway.decisions.service_tokens import Scope
from api_gateway.routes.service_access import SCOPE_MEMBER
from billing_common.domain.failure_codes import FAILURES, FailureCode

ROOT = Path(__file__).parents[3]
# Answered for addresses that are no operation, so no operation can name it.
OUTSIDE_THE_DOCUMENT = {FailureCode.METHOD_NOT_ALLOWED}


@pytest.fixture(scope="module")
def documents() -> Iterator[ModuleType]:
    spec = importlib.util.spec_from_file_location(
        "http_documents", ROOT / "tools/http_documents.py"
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["http_documents"] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules["http_documents"]


@pytest.fixture(scope="module")
def api(documents: ModuleType) -> ApiDocument:
    return ApiDocument(documents.openapi_document())


@pytest.mark.requirement("SCOPE-11")
def test_the_committed_documents_are_current(documents: ModuleType) -> None:
    for path, text in (
        (documents.ERRORS, documents.errors_text()),
        (documents.OPENAPI, documents.openapi_text()),
    ):
        assert (ROOT / path).read_text() == text, "run: python tools/http_documents.py"


def test_every_outcome_has_an_example_and_every_example_is_valid(api: ApiDocument) -> None:
    checked = 0
    for path, method, operation in api.operations():
        for status, answer in operation["responses"].items():
            for media, content in answer["content"].items():
                place = f"{method} {path} {status} {media}"
                assert content["examples"], place
                for example in content["examples"].values():
                    value = api.resolved(example)["value"]
                    assert api.schema_errors(content["schema"], value) == [], place
                    checked += 1
            for header in answer["headers"].values():
                assert api.schema_errors(header["schema"], header["example"]) == []
        for parameter in operation.get("parameters", []):
            if "example" in parameter:
                assert api.schema_errors(parameter["schema"], parameter["example"]) == []
    assert checked > 100


def test_every_refusal_is_under_its_status_and_of_one_shape(api: ApiDocument) -> None:
    for path, method, operation in api.operations():
        for status, answer in operation["responses"].items():
            if int(status) < 400:
                assert set(answer["content"]) == {"application/json"}
                continue
            [(media, content)] = answer["content"].items()
            assert media == "application/problem+json"
            assert content["schema"] == {"$ref": "#/components/schemas/Problem"}
            for code in content["examples"]:
                assert FAILURES[FailureCode(code)].http_status == int(status), (method, path)


def test_every_code_of_this_service_is_some_routes(api: ApiDocument) -> None:
    named = set(api.document["components"]["examples"])
    ours = {code for code in FailureCode if not code.value.startswith("webhook_")}
    assert {code.value for code in ours - OUTSIDE_THE_DOCUMENT} - named == set()


@pytest.mark.requirement("AUTH-08")
def test_every_internal_route_states_its_scope(api: ApiDocument) -> None:
    for path, method, operation in api.operations():
        is_internal = path.startswith("/internal/")
        assert (SCOPE_MEMBER in operation) is is_internal, (method, path)
        if is_internal:
            assert operation[SCOPE_MEMBER] in set(Scope)


def _objects(schema: Any) -> Iterator[dict[str, Any]]:
    if isinstance(schema, dict):
        if "properties" in schema:
            yield schema
        for inner in schema.values():
            yield from _objects(inner)
    elif isinstance(schema, list):
        for inner in schema:
            yield from _objects(inner)


@pytest.mark.requirement("AUTH-05")
def test_every_object_is_closed(api: ApiDocument) -> None:
    open_ones = [
        found.get("title")
        for found in _objects(api.document["components"]["schemas"])
        if found.get("additionalProperties") is not False
    ]
    assert open_ones == []
