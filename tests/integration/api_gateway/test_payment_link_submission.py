"""Payment links over HTTP: the same road as every write, with their own bodies."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import httpx
import pytest
from tests.integration.api_gateway.gateways import CheckoutByHand, Product, bearer

from billing_common.contracts.commands import (
    AdHocItem,
    Command,
    CreatePaymentLink,
    DeactivatePaymentLink,
    ProductItem,
)

pytestmark = pytest.mark.connected

LINKS = "/api/billing/payment-links"
KEY = "ab" * 32
CONSULTING = {"name": "Consulting", "amountMinor": 12_345}


@pytest.fixture
async def entity_id(product: Product) -> str:
    return str((await product.put_user("ann"))["billableEntityId"])


async def post(product: Product, path: str, body: Any = None, key: str = "one") -> httpx.Response:
    headers = bearer("ann") | {"Idempotency-Key": key}
    return await product.client.post(path, json=body, headers=headers)


async def answered(
    product: Product, checkout: CheckoutByHand, path: str, body: Any
) -> tuple[Command, httpx.Response]:
    asked = asyncio.create_task(post(product, path, body))
    record = await checkout.next_record()
    command: Command = Command.from_bytes(record.value)
    link = {"url": "https://pay.example/1", "active": True}
    await checkout.reply(
        record,
        body=json.dumps(
            {
                "billableEntityId": "1",
                "operationKey": command.operation_key,
                "paymentLink": link,
            }
        ),
    )
    return command, await asked


@pytest.mark.requirement("CHK-10")
async def test_a_link_becomes_one_command(
    product: Product, checkout: CheckoutByHand, entity_id: str
) -> None:
    items = [{"productCode": "onboarding"}, CONSULTING | {"quantity": 2, "currency": "USD"}]
    command, answer = await answered(
        product, checkout, LINKS, {"lineItems": items, "successPath": "/thanks"}
    )
    payload = command.payload
    assert isinstance(payload, CreatePaymentLink)
    assert payload.items == (
        ProductItem(product_code="onboarding", quantity=1),
        AdHocItem(name="Consulting", amount_minor=12_345, currency="usd", quantity=2),
    )
    assert payload.success_path == "/thanks"
    assert command.billable_entity_id == int(entity_id)
    assert answer.status_code == 200


@pytest.mark.requirement("CHK-10")
async def test_a_withdrawal_names_the_operation_that_made_the_link(
    product: Product, checkout: CheckoutByHand, entity_id: str
) -> None:
    command, answer = await answered(product, checkout, f"{LINKS}/{KEY}/deactivate", None)
    payload = command.payload
    assert isinstance(payload, DeactivatePaymentLink)
    assert payload.payment_link_operation_key == KEY
    assert payload.normalized_request["operationKey"] == KEY
    assert command.billable_entity_id == int(entity_id)
    assert answer.status_code == 200


TOO_MANY = [CONSULTING] * 21


@pytest.mark.requirement("CHK-10")
@pytest.mark.requirement("SCOPE-08")
@pytest.mark.parametrize(
    ("items", "fields"),
    [
        ([], ["lineItems"]),
        (TOO_MANY, ["lineItems"]),
        ([{}], ["lineItems[0].name", "lineItems[0].amountMinor"]),
        ([CONSULTING, {"name": "x"}], ["lineItems[1].amountMinor"]),
        ([CONSULTING | {"currency": "EUR"}], ["lineItems[0].currency"]),
        ([CONSULTING | {"productCode": "p"}], ["lineItems[0].name", "lineItems[0].amountMinor"]),
        ([CONSULTING | {"amountMinor": 0}], ["lineItems[0].amountMinor"]),
        ([CONSULTING | {"amountMinor": 100_000_000}], ["lineItems[0].amountMinor"]),
        ([CONSULTING | {"amountMinor": 12.5}], ["lineItems[0].amountMinor"]),
        ([CONSULTING | {"amountMinor": 50_000_000, "quantity": 2}], ["lineItems"]),
        ([CONSULTING | {"amountMinor": 50_000_000}] * 2, ["lineItems"]),
        ([CONSULTING | {"quantity": 10_001}], ["lineItems[0].quantity"]),
        ([CONSULTING | {"name": "  "}], ["lineItems[0].name"]),
        ([{"productCode": "no spaces"}], ["lineItems[0].productCode"]),
        ([{"priceId": "price_1"}], ["lineItems[0].priceId"]),
    ],
)
async def test_a_bad_request_names_its_fields_and_sends_nothing(
    product: Product, checkout: CheckoutByHand, entity_id: str, items: Any, fields: list[str]
) -> None:
    answer = await post(product, LINKS, {"lineItems": items, "successPath": "/thanks"})
    assert answer.status_code == 400, entity_id
    assert set(answer.json()["error"]["field_errors"]) == set(fields)
    assert await checkout.has_silence()


@pytest.mark.requirement("CHK-10")
@pytest.mark.parametrize("key", ["x", "AB" * 32, "ab" * 31, "..%2F..%2Fcheckout"])
async def test_what_is_no_operation_key_withdraws_nothing(
    product: Product, checkout: CheckoutByHand, entity_id: str, key: str
) -> None:
    answer = await post(product, f"{LINKS}/{key}/deactivate")
    assert answer.status_code in (400, 404), entity_id
    assert await checkout.has_silence()
