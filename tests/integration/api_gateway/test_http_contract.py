from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.fixtures.databases import Database
from tests.integration.api_gateway.gateways import Product, bearer, running_gateway

from api_gateway.settings import GatewaySettings

pytestmark = pytest.mark.connected


def code_of(answer: object) -> str:
    return str(answer.json()["error"]["code"])  # type: ignore[attr-defined]


async def test_errors_have_one_shape_whatever_their_cause(product: Product) -> None:
    client, user = product.client, bearer("ann")
    json_type = {"Content-Type": "application/json", "Idempotency-Key": "k"}
    flood = b"x" * 65_537
    answers = {
        "not_found": await client.get("/api/billing/nope", headers=user),
        "method_not_allowed": await client.delete("/api/billing/plans", headers=user),
        "payload_too_large": await client.post(
            "/api/billing/checkout", content=flood, headers=user | json_type
        ),
        "validation_failed": await client.post(
            "/api/billing/checkout", content=b"{", headers=user | json_type
        ),
        "authentication_required": await client.get("/api/billing/plans"),
    }
    statuses = {code: answer.status_code for code, answer in answers.items()}
    assert statuses == {
        "not_found": 404,
        "method_not_allowed": 405,
        "payload_too_large": 413,
        "validation_failed": 400,
        "authentication_required": 401,
    }
    for code, answer in answers.items():
        body = answer.json()
        assert body["error"]["code"] == code
        assert body["status"] == answer.status_code
        assert body["error"]["request_id"] == answer.headers["x-request-id"]
        assert answer.headers["content-type"].startswith("application/problem+json")
        assert answer.headers["cache-control"] == "no-store"
        assert re.fullmatch(r"[0-9a-f]{32}", answer.headers["x-request-id"])
    assert answers["method_not_allowed"].headers["allow"] == "GET"
    assert code_of(await client.get("/no-such-page")) == "not_found"
    assert (await client.get("/api/billing/plans/", headers=user)).status_code == 404


async def test_floods_without_a_length_and_large_heads_are_refused(product: Product) -> None:
    sent = 0

    async def flood() -> AsyncIterator[bytes]:
        nonlocal sent
        while sent < 10_000_000:
            sent += 65_536
            yield b"x" * 65_536

    answer = await product.client.post(
        "/api/billing/checkout", content=flood(), headers=bearer("ann")
    )
    assert (answer.status_code, answer.headers["connection"]) == (413, "close")
    large = await product.client.get("/api/billing/plans", headers={"X-Long": "x" * 20_000})
    assert (large.status_code, code_of(large)) == (400, "validation_failed")


async def test_an_unexpected_error_tells_nothing(
    product: Product, monkeypatch: pytest.MonkeyPatch
) -> None:
    from api_gateway.repository import catalogue

    def broken(*_: object) -> None:
        raise RuntimeError("secret detail")

    monkeypatch.setattr(catalogue, "find_active_plans", broken)
    answer = await product.get("/api/billing/plans", "ann")
    assert (answer.status_code, code_of(answer)) == (500, "internal_error")
    assert "secret detail" not in answer.text


@pytest.mark.slow
async def test_without_the_database_everything_is_503_and_comes_back(
    private_database: Database, gateway_settings: GatewaySettings
) -> None:
    fields = gateway_settings.model_dump(by_alias=False)
    fields["database_url"] = private_database.url
    wanted = GatewaySettings.model_validate(fields)
    async with running_gateway(wanted) as client:
        product = Product(client)
        await product.put_user("ann")
        await private_database.kill_server()
        for answer in (
            await product.get("/api/billing/subscription", "ann"),
            await product.check_out("ann"),
        ):
            assert (answer.status_code, code_of(answer)) == (503, "service_unavailable")
            assert int(answer.headers["retry-after"]) > 0
        assert (await client.get("/livez")).status_code == 200
        assert (await client.get("/readyz")).status_code == 503
        await private_database.start_server()
        assert (await product.get("/api/billing/subscription", "ann")).status_code == 200


async def test_the_document_describes_every_route_and_its_errors(product: Product) -> None:
    document = (await product.client.get("/openapi.json")).json()
    committed = json.loads((Path(__file__).parents[3] / "docs/openapi.json").read_text())
    assert document == committed, "run: python tools/http_documents.py"
    text = str(document)
    assert "HTTPValidationError" not in text
    assert "422" not in text
    for path in document["paths"].values():
        for operation in path.values():
            assert operation["security"]
            assert "401" in operation["responses"]
            [(media, content)] = operation["responses"]["401"]["content"].items()
            assert media == "application/problem+json"
            assert content["schema"] == {"$ref": "#/components/schemas/Problem"}
            assert "authentication_required" in content["examples"]
    assert "Problem" in document["components"]["schemas"]
    body = document["components"]["schemas"]["CheckoutBody"]
    assert body["additionalProperties"] is False
    assert set(body["required"]) == {"successPath", "cancelPath"}
    names = {
        parameter["name"]
        for parameter in document["paths"]["/api/billing/checkout"]["post"]["parameters"]
    }
    assert {"Idempotency-Key", "x-workspace-slug", "billableEntityId"} <= names


async def test_requests_are_counted_by_route(product: Product) -> None:
    await product.get("/api/billing/operations/" + "0" * 64, "ann")
    await product.get("/api/billing/plans", "ann")
    metrics = (await product.client.get("/metrics")).text
    route = 'route="/api/billing/operations/{operation_key}",status="404"'
    assert re.search(rf"billing_http_requests_total\{{{re.escape(route)}\}} [1-9]", metrics)
    assert "0" * 64 not in metrics
