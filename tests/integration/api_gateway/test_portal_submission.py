"""POST /api/billing/portal: the same road as every write, with its own body."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import httpx
import pytest
from tests.integration.api_gateway.gateways import CheckoutByHand, Product, bearer

from billing_common.contracts.commands import Command, OpenPortal
from billing_common.contracts.problem import problem_body
from billing_common.domain.failure_codes import FailureCode

pytestmark = pytest.mark.connected

IN_PROGRESS = problem_body(FailureCode.REQUEST_IN_PROGRESS, request_id="1", operation_key="2")
ANSWER = {"portalSession": {"url": "https://portal.example/1"}, "billableEntityId": "1"}


@pytest.fixture
async def entity_id(product: Product) -> str:
    return str((await product.put_user("ann"))["billableEntityId"])


async def ask(product: Product, body: dict[str, Any], key: str = "visit-1") -> httpx.Response:
    headers = bearer("ann") | {"Idempotency-Key": key}
    return await product.client.post("/api/billing/portal", json=body, headers=headers)


@pytest.mark.requirement("CHK-09")
@pytest.mark.requirement("SCOPE-03")
@pytest.mark.parametrize(
    ("sent", "step"),
    [
        ({"returnPath": "/billing"}, None),
        ({"returnPath": "/billing", "step": None}, None),
        ({"returnPath": "/billing", "step": "cancel"}, "cancel"),
        ({"returnPath": "/billing", "step": "update"}, "update"),
        ({"returnPath": "/billing", "step": "paymentMethod"}, "payment_method"),
    ],
)
async def test_a_visit_becomes_one_command(
    product: Product,
    checkout: CheckoutByHand,
    entity_id: str,
    sent: dict[str, Any],
    step: str | None,
) -> None:
    asked = asyncio.create_task(ask(product, sent))
    record = await checkout.next_record()
    command: Command = Command.from_bytes(record.value)
    body = json.dumps(ANSWER | {"operationKey": command.operation_key})
    await checkout.reply(record, body=body)
    answer = await asked

    payload = command.payload
    assert isinstance(payload, OpenPortal)
    assert (payload.return_path, payload.step) == ("/billing", step)
    assert command.billable_entity_id == int(entity_id)
    assert (answer.status_code, answer.text) == (200, body)


@pytest.mark.requirement("CHK-09")
@pytest.mark.requirement("CHK-11")
@pytest.mark.parametrize(
    ("sent", "field"),
    [
        ({}, "returnPath"),
        ({"returnPath": "//evil.example"}, "returnPath"),
        ({"returnPath": "/ok", "step": "refund"}, "step"),
        ({"returnPath": "/ok", "customer": "cus_other"}, "customer"),
    ],
)
async def test_a_bad_request_names_its_field_and_sends_nothing(
    product: Product,
    checkout: CheckoutByHand,
    entity_id: str,
    sent: dict[str, Any],
    field: str,
) -> None:
    answer = await ask(product, sent)
    assert answer.status_code == 400, entity_id
    assert list(answer.json()["error"]["field_errors"]) == [field]
    assert await checkout.has_silence()


@pytest.mark.requirement("IDEM-02")
async def test_a_key_of_a_checkout_is_another_key_for_a_visit(
    product: Product, checkout: CheckoutByHand, entity_id: str
) -> None:
    bought = asyncio.create_task(product.check_out("ann", key="one"))
    visited = asyncio.create_task(ask(product, {"returnPath": "/billing"}, key="one"))
    records = [await checkout.next_record(), await checkout.next_record()]
    keys = {Command.from_bytes(record.value).operation_key for record in records}
    for record in records:
        await checkout.reply(record, http_status=409, body=IN_PROGRESS, retry_after_seconds=1)
    await asyncio.gather(bought, visited)
    assert len(keys) == 2, entity_id
