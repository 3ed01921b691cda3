"""One purchase at the double, and the records that ingest would have written about it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import httpx
from sqlalchemy import insert
from sqlalchemy.ext.asyncio import AsyncEngine

from billing_common.contracts.stripe_event_headers import StripeEventHeaders
from billing_common.domain.canonical_json import canonical_json
from billing_common.messaging.records import PartitionBatch, Record
from billing_common.storage.catalogue import PlanEntitlement, publish_plan
from billing_common.storage.tables import (
    billable_entities,
    billing_customers,
    billing_request_idempotency,
)
from billing_common.stripe_api.client import StripeProvider
from billing_common.stripe_api.port import Answer
from stripe_double.testing import RunningDouble

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
TOPIC = "billing.stripe-events.v1"


@dataclass(frozen=True)
class Buyer:
    """An entity with a customer at the double and a pending operation."""

    billable_entity_id: int
    customer_id: str
    operation_key: str
    row_id: int


def provider_for(double: RunningDouble) -> StripeProvider:
    return StripeProvider(
        secret_key=double.api_key,
        api_version="2026-10-28.endive",
        timeout_seconds=10,
        base_url=double.url,
    )


def double_http(double: RunningDouble) -> httpx.Client:
    return httpx.Client(base_url=double.url, auth=(double.api_key, ""), timeout=20)


async def publish_price(
    engine: AsyncEngine, double: RunningDouble, *, code: str, unit_amount: int = 1900
) -> str:
    """A plan on sale, backed by a price at the double; the price's id."""
    with double_http(double) as http:
        product = http.post("/v1/products", data={"name": code}).raise_for_status().json()
        price = (
            http.post(
                "/v1/prices",
                data={
                    "product": product["id"],
                    "currency": "usd",
                    "unit_amount": str(unit_amount),
                    "recurring[interval]": "month",
                },
            )
            .raise_for_status()
            .json()
        )
    async with engine.begin() as connection:
        await publish_plan(
            connection,
            code=code,
            name=code.title(),
            description=None,
            provider="stripe",
            provider_price_id=price["id"],
            provider_product_id=product["id"],
            currency="usd",
            unit_amount_minor=unit_amount,
            interval="month",
            interval_count=1,
            entitlements=[
                PlanEntitlement(
                    code="projects.enabled",
                    schema_version="entitlement.boolean.v1",
                    value={"enabled": True},
                )
            ],
            now=NOW,
        )
    return str(price["id"])


async def make_buyer(engine: AsyncEngine, double: RunningDouble, name: str) -> Buyer:
    with double_http(double) as http:
        customer = http.post("/v1/customers", data={"name": name}).raise_for_status().json()
    key = f"{name:0>64}"[:64]
    async with engine.begin() as connection:
        entity = await connection.execute(
            insert(billable_entities).values(
                entity_type="external", entity_ref=name, created_at=NOW, updated_at=NOW
            )
        )
        entity_id = int(entity.lastrowid)
        await connection.execute(
            insert(billing_customers).values(
                billable_entity_id=entity_id,
                provider="stripe",
                provider_customer_id=customer["id"],
                created_at=NOW,
                updated_at=NOW,
            )
        )
        row = await connection.execute(
            insert(billing_request_idempotency).values(
                billable_entity_id=entity_id,
                action="checkout",
                flow="subscription",
                client_idempotency_key=name,
                request_fingerprint_hash="f" * 64,
                normalized_request_json={},
                operation_key=key,
                provider="stripe",
                provider_idempotency_key=f"p{key[1:]}",
                status="pending",
                lease_owner="test",
                pending_lease_expires_at=NOW,
                created_at=NOW,
                updated_at=NOW,
            )
        )
    return Buyer(entity_id, customer["id"], key, int(row.lastrowid))


async def buy(double: RunningDouble, buyer: Buyer, price_id: str) -> str:
    """Create the session as checkout would, pay it, and return the session's id."""
    metadata = {
        "operation_key": buyer.operation_key,
        "billable_entity_id": str(buyer.billable_entity_id),
        "idempotency_row_id": str(buyer.row_id),
    }
    provider = provider_for(double)
    created = await provider.create_checkout_session(
        canonical_json(
            {
                "mode": "subscription",
                "customer": buyer.customer_id,
                "line_items": [{"price": price_id, "quantity": 1}],
                "success_url": "http://localhost/ok",
                "cancel_url": "http://localhost/no",
                "metadata": metadata,
                "subscription_data": {"metadata": metadata},
            }
        ),
        idempotency_key=buyer.operation_key,
    )
    await provider.close()
    assert isinstance(created, Answer), created
    double.call(lambda control: control.pay(created.value.id))
    return created.value.id


def events_of(double: RunningDouble, buyer: Buyer) -> list[dict[str, Any]]:
    """All events about this buyer's objects, oldest first, as Stripe would deliver them."""
    found: list[dict[str, Any]] = []
    with double_http(double) as http:
        params: dict[str, Any] = {"limit": 100}
        while True:
            page = http.get("/v1/events", params=params).raise_for_status().json()
            found += page["data"]
            if not page["has_more"]:
                break
            params["starting_after"] = page["data"][-1]["id"]
    found.reverse()
    return [
        event for event in found if event["data"]["object"].get("customer") == buyer.customer_id
    ]


def record_of(event: dict[str, Any], *, offset: int) -> Record:
    headers = StripeEventHeaders(
        event_id=event["id"],
        event_type=event["type"],
        created=event["created"],
        api_version=event["api_version"],
        livemode=event["livemode"],
        received_at=NOW,
    )
    return Record(
        topic=TOPIC,
        partition=0,
        offset=offset,
        key=b"customer",
        value=json.dumps(event).encode(),
        headers=tuple(headers.to_pairs()),
        timestamp_ms=0,
    )


def batch_of(events: Iterable[dict[str, Any]], *, first_offset: int) -> PartitionBatch:
    records: Sequence[Record] = [
        record_of(event, offset=first_offset + index) for index, event in enumerate(events)
    ]
    return PartitionBatch(TOPIC, 0, tuple(records))
